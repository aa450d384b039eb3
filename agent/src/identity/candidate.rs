//! Who may log in at all: the state of an account, whatever is shown for it.

use std::net::IpAddr;
use std::sync::Arc;

use accountd_protocol::agent::{Generation, Grant};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::limits::Limits;
use accountd_protocol::name::UserName;
use accountd_protocol::network::Network;
use accountd_protocol::quota::QuotaBackend;
use accountd_protocol::resume;
use accountd_protocol::session_policy::SessionPolicy;

use super::hash::is_hash;
use crate::database::entry::{Entry, number_of, passwd, shadow};
use crate::database::{FactorRow, FileKind, View};
use crate::pam::HERE;

const SECONDS_A_DAY: u64 = 86_400;

/// An account whose password is the one behind `hash`.
#[derive(Debug, PartialEq, Eq)]
pub struct PasswordAccount {
    pub id: AccountId,
    pub uid: Uid,
    pub hash: String,
    pub state: PasswordState,
    /// Then the password is not enough.
    pub factor: Option<Arc<FactorRow>>,
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
    Candidate::find(view, user, now)?.password_account()
}

/// The account of whoever shows nothing, unless it is locked or expired.
pub fn guest_account(view: &View, user: &str, now: u64) -> Option<(AccountId, Uid)> {
    Candidate::find(view, user, now).map(|candidate| (candidate.account, candidate.uid))
}

/// The uid of an account whose API keys count now: not with a password that is too old, but also with
/// none.
pub fn keyed_account(view: &View, user: &str, now: u64) -> Option<Uid> {
    let candidate = Candidate::find(view, user, now)?;
    (candidate.password == PasswordState::Current).then_some(candidate.uid)
}

/// What keeps an account from a session, whatever is shown for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none of this name, or nobody can tell what it is.
    Gone,
    Locked,
    Expired,
    /// Not from this source.
    NotFromThere,
    Good(PasswordState),
}

/// The same that decides logins, with a reason, for ways in that are not of accountd. Whom useradd(8) has made without
/// a password, which is `!`, has not been locked by anybody for these: machines are administered by such accounts.
pub fn standing(view: &View, user: &str, source: IpAddr, now: u64) -> Standing {
    let Some((candidate, bars)) = Candidate::read(view, user, now) else { return Standing::Gone };
    let had_none = || NEVER_HAD_ONE.contains(&candidate.shadow.bytes(shadow::PASSWORD)) && !bars.is_locked_in_passwd;
    if bars.is_locked && !had_none() {
        Standing::Locked
    } else if bars.is_expired {
        Standing::Expired
    } else if !candidate.may_come_from(source) {
        Standing::NotFromThere
    } else {
        Standing::Good(candidate.password)
    }
}

/// Fields of passwords that there never were; what is locked has something behind its mark.
const NEVER_HAD_ONE: [&[u8]; 2] = [b"!", b"!!"];

/// What keeps an account from everything.
struct Bars {
    is_locked: bool,
    /// By the field of passwd(5), which has an `x` as a rule.
    is_locked_in_passwd: bool,
    is_expired: bool,
}

impl Bars {
    fn of(entry: &Entry, shadow: &Entry, now: u64) -> Self {
        let today = now / SECONDS_A_DAY;
        let is_locked_in_passwd = entry.bytes(passwd::PASSWORD).starts_with(b"!");
        let is_locked = is_locked_in_passwd || shadow.bytes(shadow::PASSWORD).starts_with(b"!");
        let is_expired = is_past(shadow, shadow::EXPIRE, today) || inactive(shadow, today);
        Self { is_locked, is_locked_in_passwd, is_expired }
    }
}

/// An account that is neither locked nor expired, and as what a session of it would run.
pub(super) struct Candidate {
    pub(super) account: AccountId,
    pub(super) name: UserName,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    pub(super) home: Vec<u8>,
    pub(super) shell: Vec<u8>,
    pub(super) generation: Generation,
    pub(super) standing: resume::Standing,
    pub(super) shadow: Entry,
    pub(super) password: PasswordState,
    pub(super) factor: Option<Arc<FactorRow>>,
    /// Whether the password is the one of shadow(5).
    pub(super) in_shadow: bool,
    /// Counts while shadow(5) holds none.
    pub(super) own_hash: Option<String>,
    pub(super) limits: Limits,
    /// Of the account and of each of its groups that has some.
    pub(super) networks: Vec<Vec<Network>>,
}

impl Candidate {
    /// `None` for an account that may not log in by any means: no such name, no shadow line,
    /// locked, expired, no id in the store, ids that are not numbers.
    pub(super) fn find(view: &View, user: &str, now: u64) -> Option<Self> {
        let (candidate, bars) = Self::read(view, user, now)?;
        (!bars.is_locked && !bars.is_expired).then_some(candidate)
    }

    /// The same also of one that is locked or expired.
    fn read(view: &View, user: &str, now: u64) -> Option<(Self, Bars)> {
        let name = UserName::new(user).ok()?;
        let row = view.user_named(user)?;
        let entry = view.entry(FileKind::Passwd, user)?;
        let shadow = view.entry(FileKind::Shadow, user)?;
        if entry.bytes(passwd::NAME) != user.as_bytes() {
            return None;
        }
        let bars = Bars::of(&entry, &shadow, now);
        let password = if password_expired(&shadow, now / SECONDS_A_DAY) {
            PasswordState::Expired
        } else {
            PasswordState::Current
        };
        let candidate = Self {
            account: row.id,
            name,
            uid: Uid(entry.number(passwd::UID)?),
            gid: Gid(entry.number(passwd::GID)?),
            groups: supplementary_groups(view, user),
            home: entry.bytes(passwd::HOME).to_vec(),
            shell: entry.bytes(passwd::SHELL).to_vec(),
            generation: view.generation(),
            standing: view.standing(row),
            shadow,
            password,
            factor: view.second_factors().of(row.id).cloned(),
            // Only `x` says that the password is the one of shadow(5).
            in_shadow: entry.bytes(passwd::PASSWORD) == b"x",
            own_hash: row.extras().own_hash.clone(),
            limits: view.effective_limits(row),
            networks: view.limits_of(row).into_iter().map(|limits| limits.networks.clone()).collect(),
        };
        (candidate.uid == row.uid).then_some((candidate, bars))
    }

    pub(super) fn granted(self, policy: SessionPolicy, quota: Option<QuotaBackend>, fronts: Vec<Uid>) -> Grant {
        let Self { account, name, uid, gid, groups, home, shell, limits, generation, standing, .. } = self;
        let pam = None;
        Grant { account, name, uid, gid, groups, home, shell, policy, limits, quota, fronts, generation, standing, pam }
    }

    /// Whether every list of networks that there is has this source. Whoever is on this machine itself comes
    /// from no network.
    pub(super) fn may_come_from(&self, source: IpAddr) -> bool {
        if source == HERE {
            return true;
        }
        let lists = self.networks.iter().filter(|list| !list.is_empty());
        lists.into_iter().all(|list| list.iter().any(|network| network.contains(source)))
    }

    /// uid 0 logs in by key or not at all.
    pub(super) fn may_show_password(&self) -> bool {
        self.uid != Uid::ROOT && self.any_password_hash().is_some()
    }

    pub(super) fn any_password_hash(&self) -> Option<String> {
        let hash = String::from_utf8(self.shadow.bytes(shadow::PASSWORD).to_vec()).ok()?;
        match is_hash(&hash) {
            true => Some(hash),
            false => self.own_hash.clone(),
        }
        .filter(|_| self.in_shadow)
    }

    pub(super) fn password_account(&self) -> Option<PasswordAccount> {
        let (hash, state) = (self.any_password_hash()?, self.password);
        Some(PasswordAccount { id: self.account, uid: self.uid, hash, state, factor: self.factor.clone() })
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }
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
