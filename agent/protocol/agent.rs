//! The socket of `accountd-agent`: what the REST front, `accountd-login` and root may ask.
//!
//! A connection carries requests one after the other, each answered with an [`Answer`] or a
//! [`Refusal`]. After [`AgentRequest::Watch`] it carries [`Revocation`]s instead, each
//! acknowledged with a [`Revoked`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ageing::{Ageing, AgeingChange};
use crate::api_key::{ApiKey, ApiKeyId, NewApiKey};
use crate::audit::{AuditFilter, AuditPage, AuditVerdict};
use crate::backup::Backup;
use crate::ban::{Ban, BanId};
use crate::batch::Batch;
use crate::checks::{CheckReport, CheckedHomes, RepairOrder, RepairReport};
use crate::ended::{Ended, OtherProcesses};
use crate::home::{HomeState, HomeTransfer};
use crate::id::{AccountId, AccountRef, Gid, Uid};
use crate::import::Import;
use crate::job::{Job, JobId, Passwords};
use crate::key_advice::KeyAdvice;
use crate::limits::{Limits, LimitsChange};
pub use crate::list::{Direction, Page, SortBy, SortKey, Window};
use crate::login::Proof;
use crate::metrics::{LoginReport, Metrics};
use crate::name::{NewGroupName, NewUserName, UserName};
use crate::open_session::{ConnectionId, OpenConnection};
use crate::policy::{Policy, PolicyChange};
use crate::precondition::{Precondition, Tag};
use crate::quota::{QuotaAnswer, QuotaBackend, QuotaFileSystem, QuotaReport, QuotaRequest, QuotaScan};
use crate::refusal::Refusal;
use crate::removal::DeletedHome;
use crate::role::Role;
use crate::secret::Secret;
use crate::session_policy::SessionPolicy;
use crate::sudo::{SudoChange, SudoCommands, SudoGrant};
use crate::text::{Email, FieldPath, FullName};

/// Stands for a caller who has shown a credential; 256 random bits in hexadecimal.
pub type Handle = Secret;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRequest {
    /// REST front: checks a credential once, for a handle.
    OpenHandle { user: String, password: Secret, source: IpAddr },
    /// REST front: the same for an API key.
    OpenHandleByKey { key: Secret, source: IpAddr },
    /// Root's own commands: a handle of root's account, without a credential.
    OpenLocalHandle,
    /// REST front: one operation in the name of a caller.
    Operate { caller: Handle, operation: Box<Operation> },
    /// Login: would this key let the user in?
    OfferKey { user: String, key: Vec<u8>, source: IpAddr, offer: KeyOffer },
    /// Login: who is it, and may they?
    Decide { user: String, proof: Proof, source: IpAddr },
    /// REST front: are you there?
    Ping,
    /// Login: turns this connection into a stream of revocations.
    Watch,
    /// Login: turns this connection into one on which the agent asks [`SessionQuestion`]s, each answered
    /// with a [`SessionReply`].
    AnswerQuestions,
    /// Login: what it and the SSH front have counted.
    ReportNumbers(Box<LoginReport>),
    /// Login: what a session asks about its account's quota. Sessions are told apart by their numbers.
    Quota { account: AccountId, session: u64, request: QuotaRequest },
    /// Login: a session that has asked for quota has ended.
    QuotaEnded { account: AccountId, session: u64, how: QuotaEnd },
}

/// What the agent asks login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionQuestion {
    /// Which connections of an account, or of all, are there?
    List(Option<AccountId>),
    CloseConnection(ConnectionId),
    CloseSession(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionReply {
    Connections(Vec<OpenConnection>),
    Closed,
    NotFound,
}

/// What may be believed of what an ended session has said about its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaEnd {
    /// It has returned what it did not need.
    Settled,
    /// It was killed: only a scan tells what it has written.
    Lost,
}

/// Which of its keys a client offers. All that let nobody in are one failure of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOffer {
    /// The first on a connection.
    First,
    Another,
}

pub type Reply = Result<Answer, Refusal>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Handle(Handle),
    /// With the name of the account that it is for.
    NamedHandle(Handle, String),
    User(Box<User>),
    /// With the password that was made for it; said once.
    UserWithPassword(Box<User>, Secret),
    Group(Box<Group>),
    Users(Page<User>),
    Groups(Page<Group>),
    Memberships(Vec<Membership>),
    Home(Box<HomeState>),
    Shells(Vec<String>),
    Checked(CheckReport),
    Repaired(RepairReport),
    Policy(Policy),
    Backup(Box<Backup>),
    Ended(Ended),
    ApiKeys(Vec<ApiKey>),
    /// With the key itself; said once.
    NewApiKey(Box<ApiKey>, Secret),
    Keys(KeyFile),
    /// In the order of the request; `None` for what is not there.
    Resolved(Vec<Option<AccountId>>),
    System(System),
    /// Ids in the order of the request.
    Created(Vec<AccountId>),
    KeyAcceptable(bool),
    Decision(Decision),
    Audit(AuditPage),
    AuditVerdict(AuditVerdict),
    Bans(Vec<Ban>),
    Job(Box<Job>),
    Jobs(Vec<Job>),
    Metrics(Box<Metrics>),
    Connections(Vec<OpenConnection>),
    QuotaReport(Box<QuotaReport>),
    QuotaReports(Page<QuotaReport>),
    QuotaFileSystems(Vec<QuotaFileSystem>),
    QuotaScans(Vec<QuotaScan>),
    Quota(QuotaAnswer),
    Watching,
    Done,
}

/// What the dialects can ask for. Each names its role in the agent's permission table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    ListUsers(Window),
    GetUser(AccountId),
    /// A user without the text of its key file.
    FindUser(AccountRef),
    CreateUser(NewUser),
    /// All of them in one commit, or none.
    CreateUsers(Vec<NewUser>),
    /// Becomes a job; the answer is the job, at its end where that does not take long.
    Batch(Batch),
    /// Everything about all accounts that are not built in, their hashes too.
    Export,
    /// Becomes a job, as a batch does.
    Import(Import),
    /// A job that the caller has begun.
    GetJob(JobId, Passwords),
    ListJobs,
    /// Ends a job that has not changed anything yet.
    CancelJob(JobId),
    UpdateUser {
        id: AccountId,
        change: UserChange,
        only_if: Precondition,
    },
    DeleteUser {
        id: AccountId,
        home: DeletedHome,
        #[serde(default)]
        processes: OtherProcesses,
        only_if: Precondition,
    },
    /// Locks a user and ends everything that runs for it.
    DisableUser {
        id: AccountId,
        processes: OtherProcesses,
        only_if: Precondition,
    },
    /// Sets owners and modes of home, `.ssh` and key file so that keys count.
    RepairKeys(AccountId),
    SetPassword {
        id: AccountId,
        password: Secret,
        only_if: Precondition,
    },
    /// The lines of a user's key file.
    ListKeys(AccountId),
    /// Replaces the key file. Writers of it through this program come one after the other; the
    /// tag is that of [`KeyFile`].
    SetKeys {
        id: AccountId,
        keys: String,
        only_if: Precondition,
    },
    /// Of the caller.
    ChangeOwnPassword {
        current: Secret,
        password: Secret,
    },
    /// The home of a user, and how far a transfer of it is.
    GetHome(AccountId),
    ListMemberships(AccountId),
    /// Replaces the supplementary groups by those of these names; unknown names are dropped.
    SetMemberships {
        id: AccountId,
        groups: Vec<String>,
    },
    /// Puts a user into the groups that give these roles, and out of those that give others. A group
    /// that is missing is made.
    SetRoles {
        id: AccountId,
        roles: BTreeSet<Role>,
        only_if: Precondition,
    },
    ListGroups(Window),
    GetGroup(AccountId),
    FindGroup(AccountRef),
    /// The ids of groups.
    ResolveGroups(Vec<AccountRef>),
    CreateGroup(NewGroup),
    UpdateGroup {
        id: AccountId,
        change: GroupChange,
        only_if: Precondition,
    },
    DeleteGroup {
        id: AccountId,
        only_if: Precondition,
    },
    /// Replaces the member list. Names that are in it may stay, whosever they are; others have to
    /// be those of users.
    SetMembers {
        id: AccountId,
        members: Vec<AccountRef>,
        only_if: Precondition,
    },
    ListShells,
    /// Looks for what is wrong with the accounts; changes nothing.
    Check {
        homes: CheckedHomes,
    },
    /// Repairs what a check has shown, as far as it was chosen.
    RepairChecks(RepairOrder),
    /// The rules for passwords.
    GetPolicy,
    SetPolicy {
        change: PolicyChange,
        only_if: Precondition,
    },
    /// The API keys of a user.
    ListApiKeys(AccountId),
    /// Of the caller.
    CreateApiKey {
        user: AccountId,
        new: NewApiKey,
    },
    DeleteApiKey {
        user: AccountId,
        id: ApiKeyId,
    },
    ListAudit(AuditFilter),
    /// Follows the whole chain of the audit trail.
    VerifyAudit,
    /// Who is turned away now.
    ListBans,
    /// Ends a ban before its time.
    LiftBan(BanId),
    GetSystem,
    /// What all programs have counted.
    ShowMetrics,
    /// The SSH connections of a user, or of all.
    ListConnections(Option<AccountId>),
    /// Ends a connection with everything that runs on it.
    CloseConnection(ConnectionId),
    /// Ends one session, by its number.
    CloseSession(u64),
    /// What a user stores and may store.
    GetQuota(AccountId),
    /// The same of all users that have a quota.
    ListQuotas(Window),
    ListQuotaFileSystems,
    /// Counts anew what a user stores.
    StartScan(AccountId),
    ListScans,
    CancelScan(AccountId),
}

/// A user as the files and the state store have it. Fields that others wrote into passwd(5) in
/// another encoding are shown with U+FFFD; they stay as they are on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: AccountId,
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
    /// The stable id of the primary group; `None` when no group has that gid.
    pub primary_group: Option<AccountId>,
    pub full_name: String,
    pub email: String,
    pub home: String,
    pub shell: String,
    pub builtin: bool,
    pub locked: bool,
    pub password_disabled: bool,
    /// The password's hash is one that only accountd knows.
    #[serde(default)]
    pub own_password: bool,
    /// Another account has the same uid.
    #[serde(default)]
    pub shares_uid: bool,
    pub microsoft_account: bool,
    /// What a drop-in of ours lets the user do.
    #[serde(default)]
    pub sudo: Option<SudoGrant>,
    /// The hash of shadow(5), without the marks for locked; `*` when there is none.
    pub unix_hash: String,
    /// The line of smbpasswd(5), or `*`.
    pub smb_hash: String,
    /// The text of `~/.ssh/authorized_keys`, empty when it can't be read.
    pub ssh_keys: String,
    /// What keeps the keys from counting. Not looked for in lists.
    #[serde(default)]
    pub key_advice: Vec<KeyAdvice>,
    /// Whether smbpasswd(5) has a hash for it.
    pub smb: bool,
    /// Supplementary groups, by stable id, and their names in the same order.
    pub groups: Vec<AccountId>,
    /// What the user may do over REST for others.
    #[serde(default)]
    pub roles: Vec<Role>,
    #[serde(default)]
    pub ageing: Ageing,
    pub group_names: Vec<String>,
    /// The user's own.
    #[serde(default)]
    pub limits: Limits,
    /// Those that count: with those of the user's groups.
    #[serde(default)]
    pub effective_limits: Limits,
    /// What dialects have been told in words of their own, and say again.
    #[serde(default)]
    pub echoes: Echoes,
    /// Not in lists.
    #[serde(default)]
    pub tag: Option<Tag>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: AccountId,
    pub name: String,
    pub gid: Gid,
    pub builtin: bool,
    /// What a drop-in of ours lets its members do.
    #[serde(default)]
    pub sudo: Option<SudoGrant>,
    /// The member list of group(5).
    pub members: Vec<String>,
    /// Of each of its members.
    #[serde(default)]
    pub limits: Limits,
    /// Not in lists.
    #[serde(default)]
    pub tag: Option<Tag>,
}

/// The lines of `~/.ssh/authorized_keys` that are no comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    pub keys: Vec<KeyLine>,
    /// What keeps them from counting.
    pub advice: Vec<KeyAdvice>,
    /// Of the whole text.
    pub tag: Tag,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    pub line: String,
    /// `None` for a line that is not understood, and so lets nobody in.
    pub key: Option<PublicKeyLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyLine {
    /// `ssh-ed25519` and the like.
    pub kind: String,
    /// `SHA256:` and the digest in base64, as ssh-keygen(1) shows it.
    pub fingerprint: String,
    /// Empty where there are none.
    pub options: String,
    pub comment: String,
}

/// The machine as far as accounts go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Of the agent.
    pub version: String,
    /// The login shells that an account may have.
    pub shells: Vec<String>,
    /// Directories whose children are pools, in which homes lie.
    pub home_roots: Vec<String>,
    /// Permission bits of a new home where a request has none.
    pub home_mode: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub id: AccountId,
    pub name: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NewUser {
    pub name: NewUserName,
    /// `None`: the first free one of the configured range.
    pub uid: Option<u32>,
    pub full_name: FullName,
    pub email: Email,
    pub home: FieldPath,
    /// Permission bits of a home that is made; `None`: the configured ones.
    pub home_mode: Option<u32>,
    pub shell: FieldPath,
    pub password: NewPassword,
    pub primary_group: PrimaryGroup,
    /// Supplementary groups by stable id.
    pub groups: Vec<AccountId>,
    /// The text of `authorized_keys`; empty for none.
    pub ssh_keys: String,
    pub locked: bool,
    pub microsoft_account: bool,
    /// Empty: no sudo.
    #[serde(default)]
    pub sudo: SudoCommands,
    #[serde(default)]
    pub ageing: AgeingChange,
    #[serde(default)]
    pub limits: LimitsChange,
    #[serde(default)]
    pub echoes: Echoes,
}

/// A dialect's own words for an account, as text that the dialect reads again; the core reads none of
/// it. At most [`MAX_ECHO`] bytes each.
pub type Echoes = BTreeMap<Dialect, String>;

pub const MAX_ECHO: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    Sftpgo,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewPassword {
    Clear(Secret),
    /// A hash of crypt(5) as it is. Samba needs the clear text, so it does not let the account in.
    Hashed(Secret),
    /// A hash that crypt(5) does not know (argon2id, PBKDF2): it is kept for accountd's own server, and
    /// no other program lets the account in by it.
    Kept(Secret),
    /// The agent makes one, and says it in its answer.
    Random,
    /// No password login; keys work.
    Disabled,
}

/// Whether the agent makes a password, and says it in its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RandomPassword {
    #[default]
    No,
    Made,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrimaryGroup {
    Existing(AccountId),
    /// A group with the user's name: the existing one, or else a new one with the uid as its
    /// gid where that is free.
    Private,
}

/// What to change; `None` leaves a field as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct UserChange {
    pub name: Option<NewUserName>,
    pub uid: Option<u32>,
    pub full_name: Option<FullName>,
    pub email: Option<Email>,
    /// The home that the account has already starts a transfer anew that has failed.
    pub home: Option<FieldPath>,
    /// What happens to what is in the old home.
    #[serde(default)]
    pub home_transfer: HomeTransfer,
    pub home_mode: Option<u32>,
    pub shell: Option<FieldPath>,
    pub password: Option<Secret>,
    /// Instead of one that is given.
    #[serde(default)]
    pub random_password: RandomPassword,
    pub password_disabled: Option<bool>,
    pub locked: Option<bool>,
    pub primary_group: Option<AccountId>,
    pub groups: Option<Vec<AccountId>>,
    pub ssh_keys: Option<String>,
    pub microsoft_account: Option<bool>,
    pub sudo: Option<SudoChange>,
    #[serde(default)]
    pub ageing: AgeingChange,
    /// In place of `password`: as [`NewPassword::Hashed`] or, in a form that crypt(5) does not know, as
    /// [`NewPassword::Kept`].
    #[serde(default)]
    pub password_hash: Option<Secret>,
    #[serde(default)]
    pub limits: LimitsChange,
    /// Takes the place of what a dialect has said before; the others stay.
    #[serde(default)]
    pub echoes: Echoes,
}

const NO_AGEING: AgeingChange = AgeingChange {
    min_days: None,
    max_days: None,
    warn_days: None,
    inactive_days: None,
    expires: None,
    must_change: None,
};

impl UserChange {
    /// Whether it is about the keys and nothing else.
    pub fn is_of_keys(&self) -> bool {
        let Self {
            name: None,
            uid: None,
            full_name: None,
            email: None,
            home: None,
            home_transfer: _,
            home_mode: None,
            shell: None,
            password: None,
            random_password: RandomPassword::No,
            password_disabled: None,
            locked: None,
            primary_group: None,
            groups: None,
            ssh_keys: Some(_),
            microsoft_account: None,
            sudo: None,
            ageing: NO_AGEING,
            password_hash: None,
            limits,
            echoes,
        } = self
        else {
            return false;
        };
        *limits == LimitsChange::default() && echoes.is_empty()
    }
}

impl User {
    /// For whoever may not see hashes.
    pub fn without_hashes(self) -> Self {
        Self { unix_hash: "*".into(), smb_hash: "*".into(), ..self }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NewGroup {
    pub name: NewGroupName,
    /// `None`: the first free one of the configured range.
    pub gid: Option<u32>,
    pub shared_gid: SharedGid,
    /// Empty: no sudo.
    #[serde(default)]
    pub sudo: SudoCommands,
    #[serde(default)]
    pub limits: LimitsChange,
}

/// Whether a group may have a gid that another group has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedGid {
    #[default]
    Refused,
    Allowed,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct GroupChange {
    pub name: Option<NewGroupName>,
    pub gid: Option<u32>,
    #[serde(default)]
    pub shared_gid: SharedGid,
    pub sudo: Option<SudoChange>,
    #[serde(default)]
    pub limits: LimitsChange,
}

/// The agent's word on a login. To start anything, it has to be opened.
#[must_use]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Granted(Box<Grant>),
    /// The answer to it is to take so long, or until the client goes.
    Refused {
        wait_milliseconds: u64,
    },
    /// The password is right, and too old for anything but being changed.
    PasswordExpired,
    /// The present password is right, and the new one did not take its place.
    NotChanged(Refusal),
}

/// Who has logged in, and as what a session of theirs runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub account: AccountId,
    pub name: UserName,
    pub uid: Uid,
    pub gid: Gid,
    /// Supplementary groups, computed from the files.
    pub groups: Vec<Gid>,
    /// Bytes of the passwd(5) fields, which need not be UTF-8.
    pub home: Vec<u8>,
    pub shell: Vec<u8>,
    pub policy: SessionPolicy,
    pub limits: Limits,
    /// Who counts what sessions write, where that has a limit.
    pub quota: Option<QuotaBackend>,
    /// The users of the fronts, whose listeners are no place to forward to.
    pub fronts: Vec<Uid>,
    pub generation: Generation,
}

/// What runs where the shell field of passwd(5) is empty.
pub const USUAL_SHELL: &str = "/bin/sh";

impl Grant {
    /// The program that is the user's shell.
    pub fn shell_program(&self) -> &[u8] {
        if self.shell.is_empty() { USUAL_SHELL.as_bytes() } else { &self.shell }
    }
}

/// Counts the changes that the agent has seen since it started; a decision is good for a session
/// as long as no revocation of its account has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// Decisions of this account before `generation` are void, and its sessions are to be ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub account: AccountId,
    pub uid: Uid,
    pub name: String,
    pub generation: Generation,
}

/// Acknowledges a [`Revocation`]: no session of that account is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    pub generation: Generation,
    /// How many there were.
    #[serde(default)]
    pub ended: u64,
}
