//! The decision on a login: account state, then proof. Every way in comes through here.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use accountd_config::PermitRoot;
use accountd_protocol::agent::{Decision, Grant};
use accountd_protocol::audit::Actor;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::login::Proof;
use accountd_protocol::name::UserName;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::session_policy::{Forwarding, Leftovers, ServiceKind, SessionPolicy, TerminalUse, Uploads};

use super::authorized_keys::{self, Use};
use super::hash::Verdict;
use crate::agent::Agent;
use crate::database::entry::{Entry, number_of, passwd, shadow};
use crate::database::{FileKind, View};
use crate::homes::{Strictness, read_authorized_keys};

const SECONDS_A_DAY: u64 = 86_400;

/// An account whose password is the one behind `hash`.
#[derive(Debug, PartialEq, Eq)]
pub struct PasswordAccount {
    pub id: AccountId,
    pub uid: Uid,
    pub hash: String,
    pub state: PasswordState,
}

/// How far a right password lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordState {
    Current,
    /// Too old, or to be changed first: for nothing but being changed.
    Expired,
}

/// The account, if its state allows that a password is shown for it now.
pub fn password_account(view: &View, user: &str, now: u64) -> Option<PasswordAccount> {
    let candidate = Candidate::find(view, user, now)?;
    let (hash, state) = (candidate.any_password_hash()?, candidate.password);
    Some(PasswordAccount { id: candidate.grant.account, uid: candidate.grant.uid, hash, state })
}

/// The uid of an account whose API keys count now: not with a password that is too old, but also with
/// none.
pub fn keyed_account(view: &View, user: &str, now: u64) -> Option<Uid> {
    let candidate = Candidate::find(view, user, now)?;
    (candidate.password == PasswordState::Current).then_some(candidate.grant.uid)
}

/// An account that is neither locked nor expired, and what a session of it would be.
struct Candidate {
    grant: Grant,
    shadow: Entry,
    password: PasswordState,
    /// Whether the password is the one of shadow(5).
    in_shadow: bool,
}

impl Candidate {
    /// `None` for an account that may not log in by any means: no such name, no shadow line,
    /// locked, expired, no id in the store, ids that are not numbers.
    fn find(view: &View, user: &str, now: u64) -> Option<Self> {
        let name = UserName::new(user).ok()?;
        let row = view.user_named(user)?;
        let entry = view.entry(FileKind::Passwd, user)?;
        let shadow = view.entry(FileKind::Shadow, user)?;
        let today = now / SECONDS_A_DAY;
        let locked =
            [shadow.bytes(shadow::PASSWORD), entry.bytes(passwd::PASSWORD)].iter().any(|f| f.starts_with(b"!"));
        let expired = is_past(&shadow, shadow::EXPIRE, today) || inactive(&shadow, today);
        if locked || expired || entry.bytes(passwd::NAME) != user.as_bytes() {
            return None;
        }
        let grant = Grant {
            account: row.id,
            name,
            uid: Uid(entry.number(passwd::UID)?),
            gid: Gid(entry.number(passwd::GID)?),
            groups: supplementary_groups(view, user),
            home: entry.bytes(passwd::HOME).to_vec(),
            shell: entry.bytes(passwd::SHELL).to_vec(),
            policy: everything(),
            generation: view.generation(),
        };
        // Only `x` says that the password is the one of shadow(5).
        let in_shadow = entry.bytes(passwd::PASSWORD) == b"x";
        let password = if password_expired(&shadow, today) { PasswordState::Expired } else { PasswordState::Current };
        (grant.uid == row.uid).then_some(Self { grant, shadow, password, in_shadow })
    }

    /// uid 0 logs in by key or not at all.
    fn may_show_password(&self) -> bool {
        self.grant.uid != Uid::ROOT && self.any_password_hash().is_some()
    }

    fn any_password_hash(&self) -> Option<String> {
        let hash = String::from_utf8(self.shadow.bytes(shadow::PASSWORD).to_vec()).ok()?;
        (self.in_shadow && super::hash::is_hash(&hash)).then_some(hash)
    }

    fn identity(&self) -> Identity {
        Identity { uid: self.grant.uid, gid: self.grant.gid, groups: self.grant.groups.clone() }
    }
}

impl Agent {
    /// Who is it, and may they? Unknown, locked and mistaken users cost the same time.
    pub fn decide(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let candidate = self.candidate(user, now);
        match proof {
            Proof::Password(password) => self.decide_password(candidate, password),
            Proof::PasswordChange { current, password } => {
                match self.change_on_the_way(candidate, (current, password), source) {
                    // The account as it is now, and the new password, decide.
                    Ok(()) => self.decide_password(self.candidate(user, now), password),
                    Err(decision) => decision,
                }
            }
            Proof::PublicKey(blob) => match candidate {
                Some(candidate) if self.key_admits(&candidate, blob, source, now) => granted(candidate),
                Some(_) | None => Decision::Refused,
            },
        }
    }

    /// Whether a signature by this key would let the user in.
    pub fn key_acceptable(&self, user: &str, blob: &[u8], source: IpAddr, now: u64) -> bool {
        self.candidate(user, now).is_some_and(|candidate| self.key_admits(&candidate, blob, source, now))
    }

    /// An account that may have sessions: not a service's, and uid 0 only where it is permitted.
    fn candidate(&self, user: &str, now: u64) -> Option<Candidate> {
        // When it can't be told what the accounts are now, nobody gets in.
        let view = self.database.certain_view().ok()?;
        let candidate = Candidate::find(&view, user, now)?;
        let uid = candidate.grant.uid;
        let refused = self.is_service(&view, uid) || (uid == Uid::ROOT && self.permit_root() == PermitRoot::No);
        (!refused).then_some(candidate)
    }

    fn decide_password(&self, candidate: Option<Candidate>, password: &Secret) -> Decision {
        let candidate = candidate.filter(Candidate::may_show_password);
        let hash = candidate.as_ref().and_then(Candidate::any_password_hash);
        match (self.hashes.verify(password, hash.as_deref().unwrap_or_default()), candidate) {
            (Verdict::Right, Some(candidate)) => match candidate.password {
                PasswordState::Current => granted(candidate),
                PasswordState::Expired => Decision::PasswordExpired,
            },
            (Verdict::Right | Verdict::Wrong, _) => Decision::Refused,
        }
    }

    /// Puts a new password in the place of the present one, or says what is decided instead. Who has
    /// none to change costs the same time as a wrong one.
    fn change_on_the_way(
        &self,
        candidate: Option<Candidate>,
        (current, password): (&Secret, &Secret),
        source: IpAddr,
    ) -> Result<(), Decision> {
        let Some(candidate) = candidate.filter(Candidate::may_show_password) else {
            let _ = self.hashes.verify(current, "");
            return Err(Decision::Refused);
        };
        let Grant { account, name, .. } = candidate.grant;
        let by = Actor::Caller { account, name: name.as_str().to_owned(), source: Some(source), key: None };
        self.change_own_password(&by, account, current, password.clone()).map_err(|refusal| match refusal {
            Refusal::NotFound => Decision::Refused,
            refusal if refusal == Refusal::invalid(Field::CurrentPassword, Problem::Wrong) => Decision::Refused,
            refusal => Decision::NotChanged(refusal),
        })
    }

    fn key_admits(&self, candidate: &Candidate, blob: &[u8], source: IpAddr, now: u64) -> bool {
        let Some(_place) = self.key_readers.enter(candidate.grant.uid) else { return false };
        let home = Path::new(OsStr::from_bytes(&candidate.grant.home));
        let text = read_authorized_keys(self.homes.root(), home, &candidate.identity(), Strictness::Login);
        let circumstances = Use { source, now };
        authorized_keys::parse(&text).any(|key| key.blob == blob && key.admits(circumstances))
    }
}

/// What a session may be where nothing says otherwise.
fn everything() -> SessionPolicy {
    SessionPolicy {
        services: BTreeSet::from(ServiceKind::ALL),
        forced_command: None,
        terminal: TerminalUse::Allowed,
        forwarding: Forwarding::None,
        accept_environment: vec!["LANG".to_owned(), "LC_*".to_owned()],
        environment: Vec::new(),
        leftovers: Leftovers::End,
        uploads: Uploads::InPlace,
        root: None,
        umask: 0o022,
    }
}

fn granted(candidate: Candidate) -> Decision {
    Decision::Granted(Box::new(candidate.grant))
}

/// The gids of the groups whose member list names the user.
pub fn supplementary_groups(view: &View, user: &str) -> Vec<Gid> {
    let gid = |name: &Arc<str>| number_of(view.line(FileKind::Group, name)?).map(Gid);
    let mut gids: Vec<Gid> = view.groups_of_member(user).iter().filter_map(gid).collect();
    gids.sort_unstable();
    gids.dedup();
    gids
}

/// Whether the day in a shadow(5) field has come. An empty field means never; a field that is
/// not a number means that nobody knows, and counts as come.
fn is_past(entry: &Entry, field: usize, today: u64) -> bool {
    !entry.bytes(field).is_empty() && entry.number::<u64>(field).is_none_or(|day| day <= today)
}

/// Whether the password is too old, or has to be changed first (last change on day 0).
fn password_expired(entry: &Entry, today: u64) -> bool {
    match (entry.number::<u64>(shadow::LAST_CHANGE), entry.number::<u64>(shadow::MAX)) {
        (Some(0), _) => true,
        (Some(changed), Some(max)) => today > changed.saturating_add(max),
        (None, _) | (_, None) => false,
    }
}

/// Whether the password has been too old for so long that the account is disabled.
fn inactive(entry: &Entry, today: u64) -> bool {
    let days = |field| entry.number::<u64>(field);
    match (days(shadow::LAST_CHANGE), days(shadow::MAX), days(shadow::INACTIVE)) {
        (Some(changed), Some(max), Some(inactive)) => today > changed.saturating_add(max).saturating_add(inactive),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Entry {
        Entry::parse(line.as_bytes())
    }

    #[test]
    fn an_account_is_expired_from_its_day_on() {
        let line = entry("a:x:1::99999:7::20000:");
        assert!(!is_past(&line, shadow::EXPIRE, 19_999));
        assert!(is_past(&line, shadow::EXPIRE, 20_000));
        assert!(!is_past(&entry("a:x:1::99999:7:::"), shadow::EXPIRE, 99_999));
        assert!(is_past(&entry("a:x:1::99999:7::soon:"), shadow::EXPIRE, 0));
    }

    #[test]
    fn a_password_is_expired_after_its_last_day_or_when_it_must_be_changed() {
        assert!(!password_expired(&entry("a:x:20000:0:30:7:::"), 20_030));
        assert!(password_expired(&entry("a:x:20000:0:30:7:::"), 20_031));
        assert!(password_expired(&entry("a:x:0:0:99999:7:::"), 1));
        assert!(!password_expired(&entry("a:x::::::"), 99_999));
        assert!(!password_expired(&entry("a:x"), 99_999));
    }
}
