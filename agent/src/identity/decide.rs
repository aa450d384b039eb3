//! The decision on a login: account state, then proof. Every way in comes through here.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use accountd_config::PermitRoot;
use accountd_protocol::agent::{Decision, Generation, Grant, KeyOffer};
use accountd_protocol::audit::Actor;
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::limits::Limits;
use accountd_protocol::login::Proof;
use accountd_protocol::name::UserName;
use accountd_protocol::network::Network;
use accountd_protocol::quota::QuotaBackend;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::session_policy::SessionPolicy;
use tracing::info;

use super::authorized_keys::{self, AuthorizedKey, Use};
use super::bans::{Attempt, Means, Weight, Whom};
use super::hash::Verdict;
use super::session_policy::{Allowed, Holder, LoginShell};
use crate::agent::Agent;
use crate::database::entry::{Entry, number_of, passwd, shadow};
use crate::database::{FileKind, View};
use crate::homes::{Strictness, read_authorized_keys};
use crate::sys::local_time;

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
    Some(PasswordAccount { id: candidate.account, uid: candidate.uid, hash, state })
}

/// The uid of an account whose API keys count now: not with a password that is too old, but also with
/// none.
pub fn keyed_account(view: &View, user: &str, now: u64) -> Option<Uid> {
    let candidate = Candidate::find(view, user, now)?;
    (candidate.password == PasswordState::Current).then_some(candidate.uid)
}

/// An account that is neither locked nor expired, and as what a session of it would run.
struct Candidate {
    account: AccountId,
    name: UserName,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    home: Vec<u8>,
    shell: Vec<u8>,
    generation: Generation,
    shadow: Entry,
    password: PasswordState,
    /// Whether the password is the one of shadow(5).
    in_shadow: bool,
    /// Counts while shadow(5) holds none.
    own_hash: Option<String>,
    limits: Limits,
    /// Of the account and of each of its groups that has some.
    networks: Vec<Vec<Network>>,
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
        let password = if password_expired(&shadow, today) { PasswordState::Expired } else { PasswordState::Current };
        let candidate = Self {
            account: row.id,
            name,
            uid: Uid(entry.number(passwd::UID)?),
            gid: Gid(entry.number(passwd::GID)?),
            groups: supplementary_groups(view, user),
            home: entry.bytes(passwd::HOME).to_vec(),
            shell: entry.bytes(passwd::SHELL).to_vec(),
            generation: view.generation(),
            shadow,
            password,
            // Only `x` says that the password is the one of shadow(5).
            in_shadow: entry.bytes(passwd::PASSWORD) == b"x",
            own_hash: row.extras().own_hash.clone(),
            limits: view.effective_limits(row),
            networks: view.limits_of(row).into_iter().map(|limits| limits.networks.clone()).collect(),
        };
        (candidate.uid == row.uid).then_some(candidate)
    }

    fn granted(self, policy: SessionPolicy, quota: Option<QuotaBackend>, fronts: Vec<Uid>) -> Decision {
        let Self { account, name, uid, gid, groups, home, shell, limits, generation, .. } = self;
        let grant = Grant { account, name, uid, gid, groups, home, shell, policy, limits, quota, fronts, generation };
        Decision::Granted(Box::new(grant))
    }

    /// Whether every list of networks that there is has this source.
    fn may_come_from(&self, source: IpAddr) -> bool {
        let lists = self.networks.iter().filter(|list| !list.is_empty());
        lists.into_iter().all(|list| list.iter().any(|network| network.contains(source)))
    }

    /// uid 0 logs in by key or not at all.
    fn may_show_password(&self) -> bool {
        self.uid != Uid::ROOT && self.any_password_hash().is_some()
    }

    fn any_password_hash(&self) -> Option<String> {
        let hash = String::from_utf8(self.shadow.bytes(shadow::PASSWORD).to_vec()).ok()?;
        match super::hash::is_hash(&hash) {
            true => Some(hash),
            false => self.own_hash.clone(),
        }
        .filter(|_| self.in_shadow)
    }

    fn identity(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }
}

impl Agent {
    /// Who is it, and may they? Unknown, locked and mistaken users cost the same time. Whoever is turned
    /// away costs no hash, and gets the answer of a wrong password.
    pub fn decide(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let attempt = self.attempt(user, source);
        let (means, weight) = match proof {
            Proof::Password(_) | Proof::PasswordChange { .. } => (Means::Password, Weight::Password),
            Proof::PublicKey(_) => (Means::Key, Weight::Key),
        };
        if self.bans.check(attempt, means, Instant::now()).is_err() {
            return refused(self.bans.longest_delay());
        }
        let decision = self.weigh(user, proof, source, now);
        match &decision {
            // While nobody can tell what the accounts are, nobody has failed.
            Decision::Refused { .. } if self.database.certain_view().is_err() => decision,
            Decision::Refused { .. } => refused(self.bans.failed(attempt, weight, Instant::now())),
            // A ban may have begun meanwhile: no more are tried at once than one after the other.
            Decision::Granted(_) | Decision::PasswordExpired | Decision::NotChanged(_) => {
                match self.bans.check(attempt, means, Instant::now()) {
                    Ok(()) => decision,
                    Err(_) => refused(self.bans.longest_delay()),
                }
            }
        }
    }

    /// What has come of a decision that was granted: who is logged in has failed nothing.
    pub fn conclude(&self, conclusion: &Conclusion, now: Instant) {
        self.record_conclusion(conclusion);
        if conclusion.outcome == Concluded::LoggedIn {
            let means = if conclusion.key.is_some() { Means::Key } else { Means::Password };
            let attempt = Attempt { source: conclusion.source, whom: Whom::Account(conclusion.account) };
            // A ban that has begun meanwhile goes on.
            let _ = self.bans.succeeded(attempt, means, now);
        }
    }

    /// Who gives this name, as failures are counted.
    pub(crate) fn attempt(&self, user: &str, source: IpAddr) -> Attempt {
        let account = self.database.known_view().user_named(user).map(|row| row.id);
        Attempt { source, whom: account.map_or_else(|| self.bans.nobody(user), Whom::Account) }
    }

    fn weigh(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let candidate = self.candidate(user, (source, now));
        match proof {
            Proof::Password(password) => self.decide_password(candidate, password),
            Proof::PasswordChange { current, password } => {
                match self.change_on_the_way(candidate, (current, password), source) {
                    // The account as it is now, and the new password, decide.
                    Ok(()) => self.decide_password(self.candidate(user, (source, now)), password),
                    Err(decision) => decision,
                }
            }
            Proof::PublicKey(blob) => {
                match candidate.and_then(|candidate| self.admitted(candidate, blob, (source, now))) {
                    Some((candidate, policy)) => self.grant(candidate, policy),
                    None => refused(Duration::ZERO),
                }
            }
        }
    }

    /// Whether a signature by this key would let the user in. A client may offer all that it has: the
    /// first of a connection counts for all.
    pub fn key_acceptable(&self, user: &str, blob: &[u8], (source, offer): (IpAddr, KeyOffer), now: u64) -> bool {
        let attempt = self.attempt(user, source);
        if self.bans.check(attempt, Means::Key, Instant::now()).is_err() {
            return false;
        }
        let candidate = self.candidate(user, (source, now));
        let acceptable = candidate.is_some_and(|candidate| self.admitted(candidate, blob, (source, now)).is_some());
        if !acceptable && offer == KeyOffer::First {
            self.bans.failed(attempt, Weight::Key, Instant::now());
        }
        acceptable
    }

    /// An account that may have sessions: not a service's, and uid 0 only where it is permitted.
    fn candidate(&self, user: &str, (source, now): (IpAddr, u64)) -> Option<Candidate> {
        // When it can't be told what the accounts are now, nobody gets in.
        let view = self.database.certain_view().ok()?;
        let candidate = Candidate::find(&view, user, now)?;
        let uid = candidate.uid;
        let refused = self.is_service(&view, uid) || (uid == Uid::ROOT && self.permit_root() == PermitRoot::No);
        (!refused && candidate.may_come_from(source)).then_some(candidate)
    }

    fn grant(&self, candidate: Candidate, policy: SessionPolicy) -> Decision {
        let home = Path::new(OsStr::from_bytes(&candidate.home));
        let quota = (!candidate.limits.quota.is_none()).then(|| self.quotas.backend_of(home));
        candidate.granted(policy, quota, self.service_uids())
    }

    /// As what something runs for an account that nobody has logged in to. Neither a locked account nor
    /// root has anything run so.
    pub(crate) fn grant_without_login(&self, account: AccountId, now: u64) -> Result<Grant, &'static str> {
        let view = self.database.certain_view().map_err(|_| "the account files can not be read")?;
        let name = view.user(account).map(|row| row.name.clone()).ok_or("its owner is gone")?;
        let candidate = Candidate::find(&view, &name, now).ok_or("its owner's account is locked or expired")?;
        if candidate.uid == Uid::ROOT || self.is_service(&view, candidate.uid) {
            return Err("its owner is root or a service of this system");
        }
        let policy = self.sessions_of(&candidate).policy;
        match self.grant(candidate, policy) {
            Decision::Granted(grant) => Ok(*grant),
            Decision::Refused { .. } | Decision::PasswordExpired | Decision::NotChanged(_) => Err("it is not granted"),
        }
    }

    fn decide_password(&self, candidate: Option<Candidate>, password: &Secret) -> Decision {
        let candidate = candidate.filter(Candidate::may_show_password);
        let hash = candidate.as_ref().and_then(Candidate::any_password_hash);
        match (self.hashes.verify(password, hash.as_deref().unwrap_or_default()), candidate) {
            (Verdict::Right, Some(candidate)) => match candidate.password {
                PasswordState::Current => {
                    let policy = self.sessions_of(&candidate).policy;
                    self.grant(candidate, policy)
                }
                PasswordState::Expired => Decision::PasswordExpired,
            },
            (Verdict::Right | Verdict::Wrong, _) => refused(Duration::ZERO),
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
            return Err(refused(Duration::ZERO));
        };
        let Candidate { account, name, .. } = candidate;
        let by = Actor::Caller { account, name: name.as_str().to_owned(), source: Some(source), key: None };
        self.exchange_password(&by, account, current, password.clone()).map_err(|refusal| match refusal {
            Refusal::NotFound => refused(Duration::ZERO),
            refusal if refusal == Refusal::invalid(Field::CurrentPassword, Problem::Wrong) => refused(Duration::ZERO),
            refusal => Decision::NotChanged(refusal),
        })
    }

    /// The candidate whom this key lets in, and what a session of theirs may be. The line that counts
    /// is the first that admits the key; what it asks for and can't be had is asked of no other.
    fn admitted(
        &self,
        candidate: Candidate,
        blob: &[u8],
        (source, now): (IpAddr, u64),
    ) -> Option<(Candidate, SessionPolicy)> {
        let user = candidate.name.as_str();
        if authorized_keys::is_security_key(blob) || authorized_keys::is_certificate(blob) {
            info!(user, %source, "security keys and certificates are not taken");
            return None;
        }
        let _place = self.key_readers.enter(candidate.uid)?;
        let home = Path::new(OsStr::from_bytes(&candidate.home));
        let text = read_authorized_keys(self.homes.root(), home, &candidate.identity(), Strictness::Login);
        let allowed = self.sessions_of(&candidate);
        self.key_notices.tell((user, candidate.uid), &text, allowed.environment);
        let keys: Vec<AuthorizedKey> = authorized_keys::parse(&text).collect();
        let line = authorized_keys::line_of(&keys, blob, Use { source, now, zone: local_time::seconds })?;
        let Some(policy) = allowed.narrowed(&line.options) else {
            info!(user, %source, "the command of the key can not be run in a session of this account");
            return None;
        };
        Some((candidate, policy))
    }

    /// What sessions of somebody may be, by the settings.
    fn sessions_of(&self, candidate: &Candidate) -> Allowed {
        let view = self.database.known_view();
        let name = candidate.name.as_str();
        let supplementary = view.groups_of_member(name).iter().map(|group| &**group);
        let groups = view.names_of_gid(candidate.gid.0).into_iter().chain(supplementary).collect();
        let shell = LoginShell::of(&candidate.shell, self.root());
        let holder = Holder { name, groups, home: &candidate.home, shell, limits: &candidate.limits };
        Allowed::of(&self.config.sessions, &holder, self.config.repositories.root.as_str())
    }
}

fn refused(wait: Duration) -> Decision {
    Decision::Refused { wait_milliseconds: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) }
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
