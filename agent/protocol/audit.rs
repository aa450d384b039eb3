//! The audit trail as it is shown: who did what, from where, what it changed, and what came of it.
//!
//! Records are numbered without gaps and chained by hashes; the agent keeps them and verifies them.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::api_key::ApiKeyId;
use crate::id::AccountId;

/// The most records that one answer holds.
pub const MOST_RECORDS: usize = 1_000;

/// A text that is known when the program is built, or was read.
pub type Word = Cow<'static, str>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub sequence: u64,
    pub time: Moment,
    #[serde(flatten)]
    pub event: AuditEvent,
}

/// A time in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Since 1970.
    pub seconds: u64,
    pub nanoseconds: u32,
}

/// A record but for its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub actor: Actor,
    pub action: AuditAction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    pub outcome: Outcome,
    /// Passwords and hashes are never among them, keys as fingerprints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// By what somebody showed who they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Word>,
    /// Where one record stands for several events that are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An account that has shown who it is; without a source, on this machine.
    Caller {
        account: AccountId,
        name: String,
        source: Option<IpAddr>,
        /// By which API key; `None`: by something else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ApiKeyId>,
    },
    /// Somebody who said to be this, and is not believed. Escaped and cut.
    Claimed { name: String, source: IpAddr },
    /// Several names and sources: too many to be told apart.
    Many,
    /// A program other than accountd.
    Outside,
    /// The agent by itself.
    Agent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    ListUsers,
    GetUser,
    CreateUser,
    UpdateUser,
    DeleteUser,
    RepairKeys,
    SetPassword,
    GetHome,
    ListMemberships,
    SetMemberships,
    ListGroups,
    GetGroup,
    CreateGroup,
    UpdateGroup,
    DeleteGroup,
    ListShells,
    ListAudit,
    VerifyAudit,
    ChangeOwnPassword,
    Check,
    RepairChecks,
    /// Many changes of users in one request; each account has its own record.
    Batch,
    /// All accounts were taken, with their hashes.
    Export,
    /// A backup was taken over; each account has its own record.
    Import,
    GetPolicy,
    SetPolicy,
    ListApiKeys,
    CreateApiKey,
    DeleteApiKey,
    /// A credential of the REST front.
    OpenHandle,
    /// A login over SSH.
    Login,
    /// A key that a client of SSH asked about before it signed with it.
    OfferKey,
    /// The old home of an account was removed after its content had been moved.
    RemoveMovedHome,
    /// A new account gave way: another program had taken its number before it was in place.
    TakeBack,
    /// So many accounts were changed by another program at once that they are only counted.
    ChangeMany,
    /// The state store was restored from its good copy: records since then may be lost.
    RestoreStore,
    /// The oldest records were removed, as it is configured.
    RemoveRecords,
    ListBans,
    ShowMetrics,
    ListConnections,
    /// A connection or a session was ended.
    CloseConnection,
    GetQuota,
    ScanQuota,
    /// Somebody is turned away for a while, because too many wrong passwords have come.
    BeginBan,
    /// Its time is over.
    EndBan,
    /// It was ended before its time.
    LiftBan,
    GetTwoFactor,
    BeginTwoFactor,
    ConfirmTwoFactor,
    CancelTwoFactor,
    /// A recovery code was used.
    UseRecoveryCode,
    CreateToken,
    RevokeToken,
    ListRepositories,
    GetRepository,
    CreateRepository,
    UpdateRepository,
    DeleteRepository,
    GrantRepository,
    PullRepository,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    pub kind: TargetKind,
    /// Its stable id, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AccountId>,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    User,
    Group,
    /// Named; its id is none of an account.
    Repository,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A change was made.
    Done,
    /// Somebody was let in.
    Granted,
    /// And why, where that is no secret.
    Refused(String),
}

/// `None` where there was or is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: Word,
    pub old: Option<Word>,
    pub new: Option<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    pub count: u64,
    pub first: Moment,
    pub last: Moment,
}

/// Which records are asked for. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// The name of whoever did it.
    pub user: Option<String>,
    /// The name of whom it was done to.
    pub target: Option<String>,
    pub action: Option<AuditAction>,
    pub outcome: Option<OutcomeKind>,
    /// Seconds since 1970, this one included.
    pub from: Option<u64>,
    /// This one not included.
    pub to: Option<u64>,
    /// Only records with a lower number: where the page before ended.
    pub before: Option<u64>,
    /// At most [`MOST_RECORDS`].
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    Done,
    Granted,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub records: Vec<AuditRecord>,
    /// [`AuditFilter::before`] of the next page; `None` at the end. A page may have fewer records
    /// than were asked for, or none, and still not be the last.
    pub next: Option<u64>,
}

/// What came of following the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerdict {
    /// The oldest record that is kept.
    pub first: u64,
    /// The last one up to which everything is whole; `first - 1` where nothing is.
    pub whole_to: u64,
    /// Of record `whole_to`, in hexadecimal: what can be noted elsewhere.
    pub hash: String,
    pub flaw: Option<AuditFlaw>,
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFlaw {
    /// The record that should be there.
    pub sequence: u64,
    /// The state store, or the name of a file of older records.
    pub place: String,
    pub what: String,
}

impl FieldChange {
    pub fn new(field: &'static str, old: Option<Word>, new: Option<Word>) -> Self {
        Self { field: Word::Borrowed(field), old, new }
    }
}

impl Outcome {
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Outcome::Done => OutcomeKind::Done,
            Outcome::Granted => OutcomeKind::Granted,
            Outcome::Refused(_) => OutcomeKind::Refused,
        }
    }
}

impl Actor {
    /// The name of whoever it was, believed or not.
    pub fn name(&self) -> Option<&str> {
        match self {
            Actor::Caller { name, .. } | Actor::Claimed { name, .. } => Some(name),
            Actor::Many | Actor::Outside | Actor::Agent => None,
        }
    }
}

impl AuditEvent {
    /// Something that was done, with what it changed.
    pub fn done(actor: Actor, action: AuditAction, target: Option<Target>, changes: Vec<FieldChange>) -> Self {
        Self { actor, action, target, outcome: Outcome::Done, changes, methods: Vec::new(), repeated: None }
    }
}

impl AuditFilter {
    /// Whether a record is one of those that are asked for, wherever it stands.
    pub fn admits(&self, record: &AuditRecord) -> bool {
        let AuditEvent { actor, action, target, outcome, .. } = &record.event;
        let target = target.as_ref().map(|target| target.name.as_str());
        self.user.as_deref().is_none_or(|user| actor.name() == Some(user))
            && self.target.as_deref().is_none_or(|wanted| target == Some(wanted))
            && self.action.is_none_or(|wanted| *action == wanted)
            && self.outcome.is_none_or(|wanted| outcome.kind() == wanted)
            && self.from.is_none_or(|from| record.time.seconds >= from)
            && self.to.is_none_or(|to| record.time.seconds < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AuditRecord {
        let actor = Actor::Claimed { name: "anna".into(), source: "::1".parse().unwrap() };
        let target = Target { kind: TargetKind::User, id: Some(AccountId(7)), name: "berta".into() };
        let event = AuditEvent {
            outcome: Outcome::Refused("not permitted".into()),
            ..AuditEvent::done(actor, AuditAction::UpdateUser, Some(target), Vec::new())
        };
        AuditRecord { sequence: 9, time: Moment { seconds: 100, nanoseconds: 5 }, event }
    }

    #[test]
    fn a_record_is_flat_begins_with_its_number_and_comes_back() {
        let text = serde_json::to_string(&record()).unwrap();
        assert_eq!(
            text,
            "{\"sequence\":9,\"time\":{\"seconds\":100,\"nanoseconds\":5},\"actor\":{\"claimed\":{\"name\":\"anna\",\
             \"source\":\"::1\"}},\"action\":\"update_user\",\"target\":{\"kind\":\"user\",\"id\":7,\"name\":\"berta\"},\
             \"outcome\":{\"refused\":\"not permitted\"}}"
        );
        assert_eq!(serde_json::from_str::<AuditRecord>(&text).unwrap(), record());
    }

    #[test]
    fn a_filter_admits_what_fits_all_of_it() {
        let all = AuditFilter::default();
        assert!(all.admits(&record()));
        let fits = AuditFilter {
            user: Some("anna".into()),
            target: Some("berta".into()),
            action: Some(AuditAction::UpdateUser),
            outcome: Some(OutcomeKind::Refused),
            from: Some(100),
            to: Some(101),
            ..AuditFilter::default()
        };
        assert!(fits.admits(&record()));
        let misses = [
            AuditFilter { user: Some("berta".into()), ..all.clone() },
            AuditFilter { target: Some("anna".into()), ..all.clone() },
            AuditFilter { action: Some(AuditAction::Login), ..all.clone() },
            AuditFilter { outcome: Some(OutcomeKind::Done), ..all.clone() },
            AuditFilter { from: Some(101), ..all.clone() },
            AuditFilter { to: Some(100), ..all },
        ];
        for filter in misses {
            assert!(!filter.admits(&record()), "{filter:?}");
        }
    }
}
