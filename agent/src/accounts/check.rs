//! What a request may hold, checked against the accounts as they are. Collects every fault, so
//! that one answer names them all.

use accountd_config::{PasswordPolicy, SharedUid};
use accountd_protocol::id::{AccountId, Uid, never_an_id};
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::secret::{MAX_PASSWORD_BYTES, Secret};
use accountd_protocol::text::FieldPath;
use tracing::info;

use crate::agent::Agent;
use crate::database::View;
use crate::identity::authorized_keys;
use crate::identity::hash::{affordable, is_hash};
use crate::identity::own_hash;
use crate::ids::{Outside, Question, is_dynamic};

/// The most supplementary groups of an account (the limit of the FreeNAS dialect).
pub const MAX_GROUPS: usize = 64;
/// The longest hash that crypt(3) prints.
const MAX_HASH_BYTES: usize = 384;

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Invalid>);

impl Faults {
    pub fn add(&mut self, field: Field, problem: Problem) {
        self.0.push(Invalid { field, problem });
    }

    /// The value, or the fault noted.
    pub fn take<T>(&mut self, field: Field, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.add(field, problem)).ok()
    }

    /// Notes that the superuser would be kept out by its own hand.
    pub fn unless_off(&mut self, field: Field, wanted: Option<bool>) {
        if wanted == Some(true) {
            self.add(field, Problem::Builtin);
        }
    }

    pub fn into_result(self) -> Result<(), Vec<Invalid>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    pub fn none(self) -> Result<(), Refusal> {
        self.into_result().map_err(Refusal::Invalid)
    }
}

/// A name that nobody has, in any case: Samba does not tell `Anna` from `anna`.
pub fn free_user_name(view: &View, name: &str) -> Result<(), Problem> {
    match view.user_name_like(name) {
        None => Ok(()),
        Some(existing) if existing == name => Err(Problem::Duplicate(name.to_owned())),
        Some(existing) => Err(Problem::CaseDuplicate(existing)),
    }
}

pub fn free_group_name(view: &View, name: &str) -> Result<(), Problem> {
    match view.group_name_like(name) {
        None => Ok(()),
        Some(existing) if existing == name => Err(Problem::Duplicate(name.to_owned())),
        Some(existing) => Err(Problem::CaseDuplicate(existing)),
    }
}

impl Agent {
    /// A uid that a request names and an account may be given. One that an account had before is
    /// given again only so.
    pub fn usable_uid(&self, view: &View, outside: &Outside, uid: u32) -> Result<(), Problem> {
        if uid == 0 || never_an_id(uid) || is_dynamic(uid) {
            return Err(Problem::Reserved);
        }
        if self.is_service(view, Uid(uid)) {
            return Err(Problem::ServiceAccount);
        }
        outside.nobody_becomes_uid(uid)?;
        if view.was_uid(uid) {
            info!(uid, "a request names the uid of an account that is gone");
        }
        match (self.shared_uid(), view.names_of_uid(uid).first()) {
            (SharedUid::Allowed, _) => Ok(()),
            (SharedUid::Refused, Some(owner)) => Err(Problem::Duplicate((*owner).to_owned())),
            (SharedUid::Refused, None) => outside.lacks(&Question::Uid(uid)),
        }
    }

    /// A gid that a request names and a group may be given, as far as other groups do not matter.
    pub fn usable_gid(&self, view: &View, outside: &Outside, gid: u32) -> Result<(), Problem> {
        if gid == 0 || never_an_id(gid) || is_dynamic(gid) {
            return Err(Problem::Reserved);
        }
        if self.is_service_gid(view, gid) {
            return Err(Problem::ServiceAccount);
        }
        outside.nobody_becomes_gid(gid)?;
        if view.was_gid(gid) {
            info!(gid, "a request names the gid of a group that is gone");
        }
        Ok(())
    }

    /// Group ids as a request gives them, as group names; none twice.
    pub fn known_groups(&self, view: &View, ids: &[AccountId]) -> Result<Vec<String>, Problem> {
        if ids.len() > MAX_GROUPS {
            return Err(Problem::TooMany { max: MAX_GROUPS, actual: ids.len() });
        }
        let mut names = Vec::new();
        for id in ids {
            let group = view.group(*id).ok_or_else(|| Problem::NoSuch(id.to_string()))?;
            if self.is_service_gid(view, group.gid.0) {
                return Err(Problem::ServiceAccount);
            }
            if !names.contains(&group.name) {
                names.push(group.name.clone());
            }
        }
        Ok(names)
    }
}

/// A login shell: one of shells(5), or a `nologin`, which keeps its user from a shell.
pub fn known_shell(shells: &[String], shell: &FieldPath) -> Result<(), Problem> {
    if shells.iter().any(|known| known == shell.as_str()) { Ok(()) } else { Err(Problem::NotAShell) }
}

/// A hash that can be verified here without stalling the agent.
pub fn usable_hash(hash: &Secret) -> Result<(), Problem> {
    let text = hash.reveal();
    if text.len() <= MAX_HASH_BYTES && is_hash(text) && affordable(text) { Ok(()) } else { Err(Problem::BadHash) }
}

/// A hash for accountd alone.
pub fn usable_own_hash(hash: &Secret) -> Result<(), Problem> {
    if own_hash::is_own(hash.reveal()) { Ok(()) } else { Err(Problem::BadHash) }
}

pub fn usable_password(policy: &PasswordPolicy, password: &Secret) -> Result<(), Problem> {
    let text = password.reveal();
    if text.is_empty() {
        return Err(Problem::Required);
    }
    if text.chars().count() < usize::from(policy.min_length) {
        return Err(Problem::TooShort(policy.min_length));
    }
    if classes(text) < usize::from(policy.min_classes) {
        return Err(Problem::TooFewClasses(policy.min_classes));
    }
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(Problem::TooLong { max: MAX_PASSWORD_BYTES, actual: text.len() });
    }
    // The others can be typed, and passwd(1) takes them.
    if text.contains(['\n', '\r', '\0']) { Err(Problem::ControlCharacters) } else { Ok(()) }
}

/// How many there are of lower case letters, upper case letters, digits and everything else.
fn classes(text: &str) -> usize {
    let lower = text.chars().any(char::is_lowercase);
    let upper = text.chars().any(char::is_uppercase);
    let digit = text.chars().any(|c| c.is_ascii_digit());
    let other = text.chars().any(|c| !c.is_lowercase() && !c.is_uppercase() && !c.is_ascii_digit());
    [lower, upper, digit, other].into_iter().filter(|present| *present).count()
}

/// Permission bits of a home that its owner can use; no setuid, setgid or sticky bit.
pub fn usable_mode(mode: u32) -> Result<u32, Problem> {
    if mode & !0o777 == 0 && mode & 0o500 == 0o500 { Ok(mode) } else { Err(Problem::BadMode) }
}

/// The key file as it is to be stored.
pub fn usable_keys(text: &str) -> Result<String, Problem> {
    authorized_keys::checked(text)
}
