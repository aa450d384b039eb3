//! The socket of `accountd-agent`: what the REST front, `accountd-login` and root may ask.
//!
//! A connection carries requests one after the other, each answered with an [`Answer`] or a
//! [`Refusal`]. After [`AgentRequest::Watch`] it carries [`Revocation`]s instead, as soon as there are
//! some, each acknowledged with a [`Revoked`] in their order.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::api_key::ApiKey;
use crate::audit::{AuditPage, AuditVerdict};
use crate::backup::Backup;
use crate::ban::Ban;
use crate::checks::{CheckReport, RepairReport};
use crate::conclusion::Conclusion;
pub use crate::decision::{Decision, Grant, USUAL_SHELL};
use crate::dialects::Dialects;
use crate::ended::Ended;
pub use crate::group::{Group, GroupChange, NewGroup, SharedGid};
use crate::home::HomeState;
use crate::id::AccountId;
use crate::job::Job;
pub use crate::key_file::{KeyFile, KeyLine, PublicKeyLine};
pub use crate::list::{Direction, Page, SortBy, SortKey, Window};
use crate::login::Proof;
use crate::metrics::{LoginReport, Metrics};
use crate::open_session::{ConnectionId, OpenConnection};
pub use crate::operation::Operation;
use crate::pam::{PamBeginning, PamVerdict};
use crate::policy::Policy;
use crate::quota::{QuotaAnswer, QuotaFileSystem, QuotaReport, QuotaRequest, QuotaScan};
use crate::refusal::Refusal;
use crate::repository::{Grantee, PullOrder, PullState, PullTicket, Repository};
use crate::resume::{Resumed, Resumption};
pub use crate::revocation::{Generation, Revocation, Revoked};
use crate::secret::Secret;
use crate::ssh_key::SshKey;
pub use crate::system::System;
use crate::two_factor::{Enrolment, TwoFactor};
pub use crate::user::{
    Dialect, Echoes, MAX_ECHO, Membership, NewPassword, NewUser, PrimaryGroup, RandomPassword, User, UserChange,
};

/// Stands for a caller who has shown a credential; 256 random bits in hexadecimal.
pub type Handle = Secret;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRequest {
    /// REST front: checks a credential once, for a handle.
    OpenHandle {
        user: String,
        password: Secret,
        /// Of an authenticator, or a recovery code; for an account without a second factor it says nothing.
        #[serde(default)]
        code: Option<Secret>,
        source: IpAddr,
    },
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
    /// Login: what has come of a decision that was granted. Only this is a login that is recorded.
    Conclude(Conclusion),
    /// REST front: are you there?
    Ping,
    /// Login: turns this connection into a stream of revocations.
    Watch,
    /// Login, once its `Watch` is answered: may those whom it has let in before go on?
    Resume(Resumption),
    /// Login: turns this connection into one on which the agent asks [`SessionQuestion`]s, each answered
    /// with a [`SessionReply`].
    AnswerQuestions,
    /// Login: what it and the SSH front have counted.
    ReportNumbers(Box<LoginReport>),
    /// Login: what a session asks about its account's quota. Sessions are told apart by their numbers.
    Quota { account: AccountId, session: u64, request: QuotaRequest },
    /// Login: a session that has asked for quota has ended.
    QuotaEnded { account: AccountId, session: u64, how: QuotaEnd },
    /// REST front: which dialects it speaks.
    GetDialects,
    /// REST front: a handle for whoever shows what a client of AList makes of the password: the SHA-256, in
    /// hexadecimal, of it and a fixed text behind it.
    OpenHandleByStatic {
        user: String,
        digest: Secret,
        #[serde(default)]
        code: Option<Secret>,
        source: IpAddr,
    },
    /// REST front: the same for a login token.
    OpenHandleByToken { token: Secret, source: IpAddr },
    /// REST front: the handle of whoever shows nothing, where guests are let in. It reads its own account and does
    /// nothing else.
    OpenGuestHandle { source: IpAddr },
    /// Login: what is to be run for this ticket.
    TakePull(PullTicket),
    /// Login: how does the login of somebody begin who has shown nothing yet?
    BeginPam { user: String, source: IpAddr },
    /// Login: the same as `Decide` with what PAM has said; the code where one was asked for.
    DecideByPam { user: String, verdict: PamVerdict, code: Option<Secret>, source: IpAddr },
}

/// What the agent asks login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionQuestion {
    /// Which connections of an account, or of all, are there?
    List(Option<AccountId>),
    CloseConnection(ConnectionId),
    CloseSession(u64),
    /// Take this and run it; it is asked about after that.
    BeginPull(PullTicket),
    LookAtPull(PullTicket),
    EndPull(PullTicket),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionReply {
    Connections(Vec<OpenConnection>),
    Closed,
    NotFound,
    PullBegun,
    Pull(PullState),
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
    Resumed(Resumed),
    Done,
    Dialects(Dialects),
    TwoFactor(TwoFactor),
    Enrolment(Enrolment),
    /// Said once.
    RecoveryCodes(Vec<Secret>),
    /// A login token.
    Token(Secret),
    Repositories(Vec<Repository>),
    Repository(Box<Repository>),
    PullOrder(Box<PullOrder>),
    Grantee(Grantee),
    SshKeys(Vec<SshKey>),
    SshKey(Box<SshKey>),
    PamBeginning(PamBeginning),
}
