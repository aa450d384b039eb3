//! What a request may hold, checked against the accounts as they are. Collects every fault, so
//! that one answer names them all.

use accountd_config::SharedUid;
use accountd_protocol::id::{AccountId, Uid, never_an_id};
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::secret::{MAX_PASSWORD_BYTES, Secret};
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::View;
use crate::identity::authorized_keys;

/// The most supplementary groups of an account (the limit of the FreeNAS dialect).
const MAX_GROUPS: usize = 64;

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

    pub fn none(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.0)) }
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
    /// A uid that an account may be given.
    pub fn usable_uid(&self, view: &View, uid: u32) -> Result<(), Problem> {
        if uid == 0 || never_an_id(uid) {
            return Err(Problem::Reserved);
        }
        if self.is_service(view, Uid(uid)) {
            return Err(Problem::ServiceAccount);
        }
        match (view.names_of_uid(uid).first(), self.shared_uid()) {
            (Some(owner), SharedUid::Refused) => Err(Problem::Duplicate(owner.clone())),
            (Some(_), SharedUid::Allowed) | (None, _) => Ok(()),
        }
    }

    /// A gid that a group may be given.
    pub fn usable_gid(&self, view: &View, gid: u32) -> Result<(), Problem> {
        if gid == 0 || never_an_id(gid) {
            return Err(Problem::Reserved);
        }
        if self.is_service_gid(view, gid) {
            return Err(Problem::ServiceAccount);
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

    /// A login shell: one of shells(5), or a `nologin`, which keeps its user from a shell.
    pub fn known_shell(&self, shell: &FieldPath) -> Result<(), Problem> {
        if self.shells().iter().any(|known| known == shell.as_str()) { Ok(()) } else { Err(Problem::NotAShell) }
    }
}

pub fn usable_password(password: &Secret) -> Result<(), Problem> {
    let text = password.reveal();
    if text.is_empty() {
        return Err(Problem::Required);
    }
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(Problem::TooLong { max: MAX_PASSWORD_BYTES, actual: text.len() });
    }
    // The others can be typed, and passwd(1) takes them.
    if text.contains(['\n', '\r', '\0']) { Err(Problem::ControlCharacters) } else { Ok(()) }
}

/// Permission bits of a home that its owner can use; no setuid, setgid or sticky bit.
pub fn usable_mode(mode: u32) -> Result<u32, Problem> {
    if mode & !0o777 == 0 && mode & 0o500 == 0o500 { Ok(mode) } else { Err(Problem::BadMode) }
}

/// The key file as it is to be stored.
pub fn usable_keys(text: &str) -> Result<String, Problem> {
    authorized_keys::checked(text)
}
