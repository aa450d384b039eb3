//! One method for each operation of the agent, in the name of one credential.

use std::collections::BTreeSet;
use std::sync::Arc;

use accountd_protocol::agent::{
    AgentRequest, Answer, Group, GroupChange, Handle, KeyFile, Membership, NewGroup, NewPassword, NewUser, Operation,
    Page, RandomPassword, System, User, UserChange, Window,
};
use accountd_protocol::api_key::{ApiKey, ApiKeyId, NewApiKey};
use accountd_protocol::audit::{AuditFilter, AuditPage, AuditVerdict};
use accountd_protocol::backup::Backup;
use accountd_protocol::ban::{Ban, BanId};
use accountd_protocol::batch::Batch;
use accountd_protocol::checks::{CheckReport, CheckedHomes, RepairOrder, RepairReport};
use accountd_protocol::ended::{Ended, OtherProcesses};
use accountd_protocol::home::HomeState;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::import::Import;
use accountd_protocol::job::{Job, JobId, Passwords};
use accountd_protocol::list::KeyTexts;
use accountd_protocol::metrics::Metrics;
use accountd_protocol::open_session::{ConnectionId, OpenConnection};
use accountd_protocol::policy::{Policy, PolicyChange};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::quota::{QuotaFileSystem, QuotaReport, QuotaScan};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::role::Role;
use accountd_protocol::secret::Secret;

use crate::credential::Credential;
use crate::error::Error;
use crate::handles::{Opened, Slot};
use crate::parts::Parts;
use crate::{Core, pool::Answered};

/// Somebody whose credential the agent has accepted. What they may is decided by the agent again
/// for each operation.
#[derive(Clone, Debug)]
pub struct Caller {
    core: Core,
    shown: Shown,
    handle: Handle,
}

/// How the caller has said who it is.
#[derive(Clone, Debug)]
enum Shown {
    /// By a credential, which can be shown again.
    Credential { credential: Credential, slot: Arc<Slot>, name: String },
    /// By a handle that the agent has given it itself. This is the name of its account.
    Handle { name: String },
}

/// Opens the one answer that fits an operation.
macro_rules! expect {
    ($answer:expr, $variant:ident) => {
        match $answer {
            Answer::$variant(content) => Ok(content),
            _ => Err(Error::UnexpectedAnswer),
        }
    };
}

impl Caller {
    pub(crate) fn new(
        core: Core,
        (credential, slot): (Credential, Arc<Slot>),
        Opened { handle, name }: Opened,
    ) -> Self {
        Self { core, shown: Shown::Credential { credential, slot, name }, handle }
    }

    pub(crate) async fn of_handle(core: Core, handle: Handle) -> Result<Self, Error> {
        let unnamed = Self { core, shown: Shown::Handle { name: String::new() }, handle };
        let name = unnamed.find_user(AccountRef::Caller).await?.name;
        Ok(Self { shown: Shown::Handle { name }, ..unnamed })
    }

    /// Got in parts, whatever the window's size.
    pub async fn users(&self, window: Window) -> Result<Page<User>, Error> {
        let mut parts = Parts::of(window);
        while let Some(part) = parts.missing() {
            let page = expect!(self.operate(Operation::ListUsers(part.clone())).await?, Users)?;
            parts.add(&part, page);
        }
        Ok(parts.into_page())
    }

    pub async fn user(&self, id: AccountId) -> Result<User, Error> {
        expect!(self.operate(Operation::GetUser(id)).await?, User).map(|user| *user)
    }

    /// A part of a list in one exchange: for users without their key files.
    pub async fn find_users(&self, window: Window) -> Result<Page<User>, Error> {
        let window = Window { keys: KeyTexts::LeftOut, ..window };
        expect!(self.operate(Operation::ListUsers(window)).await?, Users)
    }

    /// A user without its key file.
    pub async fn find_user(&self, who: AccountRef) -> Result<User, Error> {
        expect!(self.operate(Operation::FindUser(who)).await?, User).map(|user| *user)
    }

    pub async fn create_user(&self, new: NewUser) -> Result<User, Error> {
        expect!(self.operate(Operation::CreateUser(new)).await?, User).map(|user| *user)
    }

    /// All of them or none; gives their ids in the same order.
    pub async fn create_users(&self, new: Vec<NewUser>) -> Result<Vec<AccountId>, Error> {
        expect!(self.operate(Operation::CreateUsers(new)).await?, Created)
    }

    /// Many changes at once; a job that may not be at its end yet.
    pub async fn batch(&self, batch: Batch) -> Result<Job, Error> {
        expect!(self.operate(Operation::Batch(batch)).await?, Job).map(|job| *job)
    }

    /// Everything about all accounts that are not built in.
    pub async fn export(&self) -> Result<Box<Backup>, Error> {
        expect!(self.operate(Operation::Export).await?, Backup)
    }

    /// A backup is taken over; a job that may not be at its end yet.
    pub async fn import(&self, import: Import) -> Result<Job, Error> {
        expect!(self.operate(Operation::Import(import)).await?, Job).map(|job| *job)
    }

    /// A job of the caller's, with passwords that were made if they are taken.
    pub async fn job(&self, id: JobId, passwords: Passwords) -> Result<Job, Error> {
        expect!(self.operate(Operation::GetJob(id, passwords)).await?, Job).map(|job| *job)
    }

    /// The newest first, without what came of them.
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        expect!(self.operate(Operation::ListJobs).await?, Jobs)
    }

    pub async fn cancel_job(&self, id: JobId) -> Result<Job, Error> {
        expect!(self.operate(Operation::CancelJob(id)).await?, Job).map(|job| *job)
    }

    pub async fn update_user(&self, id: AccountId, change: UserChange, only_if: Precondition) -> Result<User, Error> {
        expect!(self.operate(Operation::UpdateUser { id, change, only_if }).await?, User).map(|user| *user)
    }

    /// With a password that the agent makes, which is said here and never again.
    pub async fn create_user_with_password(&self, new: NewUser) -> Result<(User, Secret), Error> {
        let new = NewUser { password: NewPassword::Random, ..new };
        with_password(self.operate(Operation::CreateUser(new)).await?)
    }

    /// The same for a user that is there.
    pub async fn update_user_with_password(
        &self,
        id: AccountId,
        change: UserChange,
        only_if: Precondition,
    ) -> Result<(User, Secret), Error> {
        let change = UserChange { random_password: RandomPassword::Made, ..change };
        with_password(self.operate(Operation::UpdateUser { id, change, only_if }).await?)
    }

    /// Gives what was ended of it.
    pub async fn delete_user(
        &self,
        id: AccountId,
        (home, processes): (DeletedHome, OtherProcesses),
        only_if: Precondition,
    ) -> Result<Ended, Error> {
        expect!(self.operate(Operation::DeleteUser { id, home, processes, only_if }).await?, Ended)
    }

    /// Locks a user and ends what runs for it.
    pub async fn disable_user(
        &self,
        id: AccountId,
        processes: OtherProcesses,
        only_if: Precondition,
    ) -> Result<Ended, Error> {
        expect!(self.operate(Operation::DisableUser { id, processes, only_if }).await?, Ended)
    }

    /// Sets owners and modes so that the keys of a user count.
    pub async fn repair_keys(&self, id: AccountId) -> Result<User, Error> {
        expect!(self.operate(Operation::RepairKeys(id)).await?, User).map(|user| *user)
    }

    pub async fn set_password(&self, id: AccountId, password: Secret, only_if: Precondition) -> Result<User, Error> {
        expect!(self.operate(Operation::SetPassword { id, password, only_if }).await?, User).map(|user| *user)
    }

    pub async fn keys(&self, id: AccountId) -> Result<KeyFile, Error> {
        expect!(self.operate(Operation::ListKeys(id)).await?, Keys)
    }

    /// Replaces the text of the key file.
    pub async fn set_keys(&self, id: AccountId, keys: String, only_if: Precondition) -> Result<KeyFile, Error> {
        expect!(self.operate(Operation::SetKeys { id, keys, only_if }).await?, Keys)
    }

    /// The caller's own.
    pub async fn change_own_password(&self, current: Secret, password: Secret) -> Result<(), Error> {
        self.operate(Operation::ChangeOwnPassword { current, password }).await.and_then(done)
    }

    /// The home of a user, and how far a transfer of it is.
    pub async fn home(&self, id: AccountId) -> Result<HomeState, Error> {
        expect!(self.operate(Operation::GetHome(id)).await?, Home).map(|home| *home)
    }

    /// The supplementary groups of a user.
    pub async fn memberships(&self, id: AccountId) -> Result<Vec<Membership>, Error> {
        expect!(self.operate(Operation::ListMemberships(id)).await?, Memberships)
    }

    /// Replaces the supplementary groups of a user by those of these names that exist.
    pub async fn set_memberships(&self, id: AccountId, groups: Vec<String>) -> Result<Vec<Membership>, Error> {
        expect!(self.operate(Operation::SetMemberships { id, groups }).await?, Memberships)
    }

    /// Puts a user into the groups that give these roles, and out of those that give others.
    pub async fn set_roles(&self, id: AccountId, roles: BTreeSet<Role>, only_if: Precondition) -> Result<User, Error> {
        expect!(self.operate(Operation::SetRoles { id, roles, only_if }).await?, User).map(|user| *user)
    }

    /// Got in parts, whatever the window's size.
    pub async fn groups(&self, window: Window) -> Result<Page<Group>, Error> {
        let mut parts = Parts::of(window);
        while let Some(part) = parts.missing() {
            let page = expect!(self.operate(Operation::ListGroups(part.clone())).await?, Groups)?;
            parts.add(&part, page);
        }
        Ok(parts.into_page())
    }

    pub async fn group(&self, id: AccountId) -> Result<Group, Error> {
        expect!(self.operate(Operation::GetGroup(id)).await?, Group).map(|group| *group)
    }

    pub async fn find_groups(&self, window: Window) -> Result<Page<Group>, Error> {
        expect!(self.operate(Operation::ListGroups(window)).await?, Groups)
    }

    pub async fn find_group(&self, which: AccountRef) -> Result<Group, Error> {
        expect!(self.operate(Operation::FindGroup(which)).await?, Group).map(|group| *group)
    }

    /// The ids of groups, in the same order.
    pub async fn resolve_groups(&self, which: Vec<AccountRef>) -> Result<Vec<Option<AccountId>>, Error> {
        expect!(self.operate(Operation::ResolveGroups(which)).await?, Resolved)
    }

    /// Replaces the member list of a group.
    pub async fn set_members(
        &self,
        id: AccountId,
        members: Vec<AccountRef>,
        only_if: Precondition,
    ) -> Result<Group, Error> {
        expect!(self.operate(Operation::SetMembers { id, members, only_if }).await?, Group).map(|group| *group)
    }

    pub async fn create_group(&self, new: NewGroup) -> Result<Group, Error> {
        expect!(self.operate(Operation::CreateGroup(new)).await?, Group).map(|group| *group)
    }

    pub async fn update_group(
        &self,
        id: AccountId,
        change: GroupChange,
        only_if: Precondition,
    ) -> Result<Group, Error> {
        expect!(self.operate(Operation::UpdateGroup { id, change, only_if }).await?, Group).map(|group| *group)
    }

    pub async fn delete_group(&self, id: AccountId, only_if: Precondition) -> Result<(), Error> {
        self.operate(Operation::DeleteGroup { id, only_if }).await.and_then(done)
    }

    /// The login shells that an account may have.
    pub async fn shells(&self) -> Result<Vec<String>, Error> {
        expect!(self.operate(Operation::ListShells).await?, Shells)
    }

    /// What is wrong with the accounts; changes nothing.
    pub async fn check(&self, homes: CheckedHomes) -> Result<CheckReport, Error> {
        expect!(self.operate(Operation::Check { homes }).await?, Checked)
    }

    /// Repairs what a check has shown, as far as it was chosen.
    pub async fn repair_checks(&self, order: RepairOrder) -> Result<RepairReport, Error> {
        expect!(self.operate(Operation::RepairChecks(order)).await?, Repaired)
    }

    /// One page of the audit trail, newest first.
    pub async fn audit(&self, filter: AuditFilter) -> Result<AuditPage, Error> {
        expect!(self.operate(Operation::ListAudit(filter)).await?, Audit)
    }

    /// Follows the whole chain of the audit trail.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, Error> {
        expect!(self.operate(Operation::VerifyAudit).await?, AuditVerdict)
    }

    /// Who is turned away now.
    pub async fn bans(&self) -> Result<Vec<Ban>, Error> {
        expect!(self.operate(Operation::ListBans).await?, Bans)
    }

    /// What all programs have counted.
    pub async fn metrics(&self) -> Result<Metrics, Error> {
        expect!(self.operate(Operation::ShowMetrics).await?, Metrics).map(|metrics| *metrics)
    }

    /// The SSH connections of a user, or of all.
    pub async fn connections(&self, of: Option<AccountId>) -> Result<Vec<OpenConnection>, Error> {
        expect!(self.operate(Operation::ListConnections(of)).await?, Connections)
    }

    pub async fn close_connection(&self, id: ConnectionId) -> Result<(), Error> {
        self.operate(Operation::CloseConnection(id)).await.map(drop)
    }

    pub async fn close_session(&self, number: u64) -> Result<(), Error> {
        self.operate(Operation::CloseSession(number)).await.map(drop)
    }

    pub async fn quota(&self, id: AccountId) -> Result<QuotaReport, Error> {
        expect!(self.operate(Operation::GetQuota(id)).await?, QuotaReport).map(|report| *report)
    }

    /// Of all users that have one.
    pub async fn quotas(&self, window: Window) -> Result<Page<QuotaReport>, Error> {
        expect!(self.operate(Operation::ListQuotas(window)).await?, QuotaReports)
    }

    pub async fn quota_file_systems(&self) -> Result<Vec<QuotaFileSystem>, Error> {
        expect!(self.operate(Operation::ListQuotaFileSystems).await?, QuotaFileSystems)
    }

    pub async fn start_scan(&self, id: AccountId) -> Result<(), Error> {
        self.operate(Operation::StartScan(id)).await.map(drop)
    }

    pub async fn scans(&self) -> Result<Vec<QuotaScan>, Error> {
        expect!(self.operate(Operation::ListScans).await?, QuotaScans)
    }

    pub async fn cancel_scan(&self, id: AccountId) -> Result<(), Error> {
        self.operate(Operation::CancelScan(id)).await.map(drop)
    }

    pub async fn lift_ban(&self, id: BanId) -> Result<(), Error> {
        self.operate(Operation::LiftBan(id)).await.map(drop)
    }

    /// The rules for passwords.
    pub async fn policy(&self) -> Result<Policy, Error> {
        expect!(self.operate(Operation::GetPolicy).await?, Policy)
    }

    pub async fn set_policy(&self, change: PolicyChange, only_if: Precondition) -> Result<Policy, Error> {
        expect!(self.operate(Operation::SetPolicy { change, only_if }).await?, Policy)
    }

    pub async fn api_keys(&self, user: AccountId) -> Result<Vec<ApiKey>, Error> {
        expect!(self.operate(Operation::ListApiKeys(user)).await?, ApiKeys)
    }

    /// With the key itself, which is said here and never again.
    pub async fn create_api_key(&self, user: AccountId, new: NewApiKey) -> Result<(ApiKey, Secret), Error> {
        match self.operate(Operation::CreateApiKey { user, new }).await? {
            Answer::NewApiKey(key, secret) => Ok((*key, secret)),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    pub async fn delete_api_key(&self, user: AccountId, id: ApiKeyId) -> Result<(), Error> {
        self.operate(Operation::DeleteApiKey { user, id }).await.and_then(done)
    }

    pub async fn system(&self) -> Result<System, Error> {
        expect!(self.operate(Operation::GetSystem).await?, System)
    }

    /// The name that the credential was shown with, or that the account of a key or a handle has.
    pub fn name(&self) -> &str {
        match &self.shown {
            Shown::Credential { name, .. } | Shown::Handle { name } => name,
        }
    }

    /// A handle that the agent no longer knows costs one more try with the credential itself, where
    /// there is one.
    async fn operate(&self, operation: Operation) -> Result<Answer, Error> {
        let request = AgentRequest::Operate { caller: self.handle.clone(), operation: Box::new(operation) };
        let Answered { mut request, reply } = self.core.inner.pool.call(request).await?;
        if !matches!(reply, Err(Refusal::StaleHandle)) {
            return Ok(reply?);
        }
        let Shown::Credential { credential, slot, name: _ } = &self.shown else { return Ok(reply?) };
        let fresh = self.core.reopen(credential, slot).await?;
        if let AgentRequest::Operate { caller, .. } = &mut request {
            *caller = fresh;
        }
        Ok(self.core.inner.pool.call(request).await?.reply?)
    }
}

fn with_password(answer: Answer) -> Result<(User, Secret), Error> {
    match answer {
        Answer::UserWithPassword(user, password) => Ok((*user, password)),
        _ => Err(Error::UnexpectedAnswer),
    }
}

fn done(answer: Answer) -> Result<(), Error> {
    match answer {
        Answer::Done => Ok(()),
        _ => Err(Error::UnexpectedAnswer),
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::agent::AgentRequest;

    use super::*;
    use crate::parts::PART;
    use crate::scripted_agent::ScriptedAgent;

    const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    /// Accepts `root` with `pw`, gives a new handle for each showing, and knows only the last.
    fn strict(handles: &mut u32, request: &AgentRequest) -> Result<Answer, Refusal> {
        match request {
            AgentRequest::OpenHandle { user, password, .. } if user == "root" && password.reveal() == "pw" => {
                *handles += 1;
                Ok(Answer::Handle(Secret::new(handles.to_string())))
            }
            AgentRequest::Operate { caller, .. } if caller.reveal() == handles.to_string() => {
                Ok(Answer::Shells(vec!["/bin/sh".into()]))
            }
            AgentRequest::Operate { .. } => Err(Refusal::StaleHandle),
            AgentRequest::OpenHandle { .. }
            | AgentRequest::OpenHandleByKey { .. }
            | AgentRequest::OpenLocalHandle
            | AgentRequest::OfferKey { .. }
            | AgentRequest::Decide { .. }
            | AgentRequest::Conclude(_)
            | AgentRequest::Ping
            | AgentRequest::Watch
            | AgentRequest::AnswerQuestions
            | AgentRequest::Quota { .. }
            | AgentRequest::QuotaEnded { .. }
            | AgentRequest::ReportNumbers(_) => Err(Refusal::BadCredentials),
        }
    }

    #[tokio::test]
    async fn a_credential_is_shown_once_for_many_requests() {
        let agent = ScriptedAgent::start(0, strict);
        let core = Core::new(agent.socket()).unwrap();
        for _ in 0..50 {
            let caller = core.caller("root", secret("pw"), HERE).await.unwrap();
            assert_eq!(caller.shells().await.unwrap(), ["/bin/sh"]);
        }
        assert_eq!(agent.state(), 1);
    }

    #[tokio::test]
    async fn parallel_first_requests_show_it_once_too() {
        let agent = ScriptedAgent::start(0, strict);
        let core = Core::new(agent.socket()).unwrap();
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let core = core.clone();
                tokio::spawn(async move { core.caller("root", secret("pw"), HERE).await.map(drop) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(agent.state(), 1);
    }

    #[tokio::test]
    async fn a_wrong_password_is_refused_each_time_and_never_taken_for_the_right_one() {
        let agent = ScriptedAgent::start(0, strict);
        let core = Core::new(agent.socket()).unwrap();
        core.caller("root", secret("pw"), HERE).await.unwrap();
        for _ in 0..2 {
            let refused = core.caller("root", secret("pw "), HERE).await;
            assert!(matches!(refused, Err(Error::Refused(Refusal::BadCredentials))), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_stale_handle_is_replaced_without_the_caller_noticing() {
        let agent = ScriptedAgent::start(0, strict);
        let core = Core::new(agent.socket()).unwrap();
        let caller = core.caller("root", secret("pw"), HERE).await.unwrap();
        agent.set_state(7);
        assert_eq!(caller.shells().await.unwrap(), ["/bin/sh"]);
        assert_eq!(agent.state(), 8);
    }

    /// Knows one API key, of `anna`.
    fn keyed(handles: &mut u32, request: &AgentRequest) -> Result<Answer, Refusal> {
        match request {
            AgentRequest::OpenHandleByKey { key, .. } if key.reveal() == "k" => {
                *handles += 1;
                Ok(Answer::NamedHandle(Secret::new(handles.to_string()), "anna".into()))
            }
            request => strict(handles, request),
        }
    }

    #[tokio::test]
    async fn an_api_key_is_shown_once_too_and_is_no_password() {
        let agent = ScriptedAgent::start(0, keyed);
        let core = Core::new(agent.socket()).unwrap();
        for _ in 0..5 {
            let caller = core.caller_of_key(secret("k"), HERE).await.unwrap();
            assert_eq!((caller.name(), caller.shells().await.unwrap().len()), ("anna", 1));
        }
        assert_eq!(agent.state(), 1);
        agent.set_state(4);
        core.caller_of_key(secret("k"), HERE).await.unwrap().shells().await.unwrap();
        assert_eq!(agent.state(), 5, "a stale handle costs one more showing");
        for (user, password) in [("", "k"), ("anna", "k")] {
            let refused = core.caller(user, secret(password), HERE).await;
            assert!(matches!(refused, Err(Error::Refused(Refusal::BadCredentials))), "{refused:?}");
        }
    }

    /// Knows one handle, of `anna`.
    fn of_anna(known: &mut bool, request: &AgentRequest) -> Result<Answer, Refusal> {
        match request {
            AgentRequest::Operate { caller, operation } if *known && caller.reveal() == "anna's" => match **operation {
                Operation::FindUser(AccountRef::Caller) => Ok(Answer::User(Box::new(User {
                    id: AccountId(7),
                    name: "anna".into(),
                    uid: accountd_protocol::id::Uid(3001),
                    gid: accountd_protocol::id::Gid(3001),
                    primary_group: None,
                    full_name: String::new(),
                    email: String::new(),
                    home: "/nonexistent".into(),
                    shell: "/bin/sh".into(),
                    builtin: false,
                    locked: false,
                    password_disabled: false,
                    own_password: false,
                    shares_uid: false,
                    microsoft_account: false,
                    sudo: None,
                    unix_hash: "*".into(),
                    smb_hash: "*".into(),
                    ssh_keys: String::new(),
                    key_advice: Vec::new(),
                    smb: false,
                    groups: Vec::new(),
                    roles: Vec::new(),
                    ageing: accountd_protocol::ageing::Ageing::default(),
                    limits: Default::default(),
                    effective_limits: Default::default(),
                    echoes: Default::default(),
                    group_names: Vec::new(),
                    tag: None,
                }))),
                _ => Ok(Answer::Shells(vec!["/bin/sh".into()])),
            },
            _ => Err(Refusal::StaleHandle),
        }
    }

    #[tokio::test]
    async fn a_handle_of_the_callers_own_is_good_until_the_agent_forgets_it() {
        let agent = ScriptedAgent::start(true, of_anna);
        let core = Core::new(agent.socket()).unwrap();
        let guessed = core.caller_of_handle(secret("guess")).await;
        assert!(matches!(guessed, Err(Error::Refused(Refusal::StaleHandle))), "{guessed:?}");
        let caller = core.caller_of_handle(secret("anna's")).await.unwrap();
        assert_eq!((caller.name(), caller.shells().await.unwrap().len()), ("anna", 1));
        agent.set_state(false);
        let late = caller.shells().await;
        assert!(matches!(late, Err(Error::Refused(Refusal::StaleHandle))), "{late:?}");
    }

    /// Lists 250 groups and leaves out one; remembers the largest part that it was asked for.
    fn listing(largest: &mut usize, request: &AgentRequest) -> Result<Answer, Refusal> {
        let AgentRequest::Operate { operation, .. } = request else {
            return Ok(Answer::Handle(Secret::new("handle".into())));
        };
        let Operation::ListGroups(window) = &**operation else { return Err(Refusal::NotPermitted) };
        *largest = window.limit.max(*largest);
        let group = |id| Group {
            id: AccountId(id),
            name: format!("g{id}"),
            gid: accountd_protocol::id::Gid(4000),
            builtin: false,
            sudo: None,
            members: vec![],
            limits: Default::default(),
            tag: None,
        };
        let items = (0..250).skip(window.offset).take(window.limit).filter(|id| *id != 42).map(group).collect();
        Ok(Answer::Groups(Page { items, total: 250, next: None }))
    }

    #[tokio::test]
    async fn a_long_list_is_got_in_parts_and_is_whole() {
        let agent = ScriptedAgent::start(0, listing);
        let core = Core::new(agent.socket()).unwrap();
        let caller = core.caller("root", secret("pw"), HERE).await.unwrap();
        let rows = [
            (Window::all(), 0..250),
            (Window::part(0, 1000, vec![]), 0..250),
            (Window::part(30, 150, vec![]), 30..180),
            (Window::part(240, 20, vec![]), 240..250),
            (Window::part(250, 20, vec![]), 0..0),
            (Window::part(usize::MAX, 20, vec![]), 0..0),
        ];
        for (window, expected) in rows {
            let page = caller.groups(window.clone()).await.unwrap();
            let ids: Vec<u64> = page.items.iter().map(|group| group.id.0).collect();
            assert_eq!(ids, expected.filter(|id| *id != 42).collect::<Vec<_>>(), "{window:?}");
            assert_eq!(page.total, 250);
        }
        assert!(agent.state() <= PART, "{}", agent.state());
    }

    #[tokio::test]
    async fn a_restarted_agent_is_found_again() {
        let mut agent = ScriptedAgent::start(0, strict);
        let core = Core::new(agent.socket()).unwrap();
        let caller = core.caller("root", secret("pw"), HERE).await.unwrap();
        caller.shells().await.unwrap();
        agent.restart();
        caller.shells().await.unwrap();
    }

    #[tokio::test]
    async fn an_agent_that_is_not_there_is_an_error_of_its_own() {
        let core = Core::new("/nonexistent/agent.sock").unwrap();
        let refused = core.caller("root", secret("pw"), HERE).await;
        assert!(matches!(refused, Err(Error::AgentDown(_))), "{refused:?}");
    }
}
