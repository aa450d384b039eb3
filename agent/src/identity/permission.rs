//! Which peer may send which request, and which caller may ask for which operation.
//!
//! The two tables of the agent. A new request or operation does not compile until it has its
//! line here.

use std::collections::BTreeSet;
use std::fmt;

use accountd_protocol::agent::{AgentRequest, Operation};
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::role::Role;
use accountd_protocol::socket::Peer;

use crate::database::UserRow;

/// Has to be opened: only `Granted` lets a request go on.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Granted,
    Denied,
}

/// What a process at the other end of the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRole {
    /// `accountd-login`, or root's own commands.
    Root,
    /// The REST front.
    Api,
    Stranger,
}

/// For the log.
impl fmt::Display for PeerRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            PeerRole::Root => "root",
            PeerRole::Api => "the REST front",
            PeerRole::Stranger => "a stranger",
        })
    }
}

impl PeerRole {
    pub fn of(peer: Peer, api: Option<Uid>) -> Self {
        if peer.uid == Uid::ROOT {
            PeerRole::Root
        } else if api == Some(peer.uid) {
            PeerRole::Api
        } else {
            PeerRole::Stranger
        }
    }

    pub fn may_send(self, request: &AgentRequest) -> Permission {
        let allowed = match request {
            AgentRequest::OpenHandle { .. }
            | AgentRequest::OpenHandleByKey { .. }
            | AgentRequest::OpenHandleByStatic { .. }
            | AgentRequest::OpenHandleByToken { .. }
            | AgentRequest::OpenGuestHandle { .. }
            | AgentRequest::Operate { .. }
            | AgentRequest::Ping
            | AgentRequest::GetDialects => matches!(self, PeerRole::Root | PeerRole::Api),
            AgentRequest::OpenLocalHandle
            | AgentRequest::OfferKey { .. }
            | AgentRequest::Decide { .. }
            | AgentRequest::Conclude(_)
            | AgentRequest::Watch
            | AgentRequest::Resume(_)
            | AgentRequest::AnswerQuestions
            | AgentRequest::Quota { .. }
            | AgentRequest::QuotaEnded { .. }
            | AgentRequest::TakePull(_)
            | AgentRequest::BeginPam { .. }
            | AgentRequest::DecideByPam { .. }
            | AgentRequest::ReportNumbers(_) => self == PeerRole::Root,
        };
        if allowed { Permission::Granted } else { Permission::Denied }
    }
}

/// What an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need<'a> {
    /// Anybody who has an account.
    Account,
    /// A role that reads; or it is about the caller.
    ReadUser(AccountId),
    Find(&'a AccountRef),
    Read,
    /// The caller itself may do it too.
    ChangeOwn(AccountId),
    Change,
    Administer,
    /// The caller itself and nobody else.
    Own(AccountId),
}

/// How far a caller may go with an operation.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Denied,
    /// It is about nobody, or the caller.
    Own,
    /// It reaches others, by a role. Whom an account administrator may not touch is another
    /// question (see `guarded`).
    Others,
}

/// What roles give for operations.
pub fn reach(roles: &BTreeSet<Role>, caller: &UserRow, operation: &Operation) -> Reach {
    let others = |allowed| if allowed { Reach::Others } else { Reach::Denied };
    let reads = !roles.is_empty();
    let changes = roles.contains(&Role::Administrator) || roles.contains(&Role::AccountAdministrator);
    match need(operation) {
        Need::Account => Reach::Own,
        Need::ReadUser(id) | Need::ChangeOwn(id) if id == caller.id => Reach::Own,
        Need::Find(who) if is_called(caller, who) => Reach::Own,
        Need::ReadUser(_) | Need::Find(_) | Need::Read => others(reads),
        Need::Own(id) if id == caller.id => Reach::Own,
        Need::Own(_) => Reach::Denied,
        Need::ChangeOwn(_) | Need::Change => others(changes),
        Need::Administer => others(roles.contains(&Role::Administrator)),
    }
}

fn is_called(caller: &UserRow, who: &AccountRef) -> bool {
    match who {
        AccountRef::Id(id) => *id == caller.id,
        AccountRef::Name(name) => *name == caller.name,
        AccountRef::Number(_) => false,
        AccountRef::Caller => true,
    }
}

fn need(operation: &Operation) -> Need<'_> {
    match operation {
        Operation::GetJob(..) | Operation::ListJobs | Operation::CancelJob(_) => Need::Account,
        Operation::ListShells | Operation::GetSystem | Operation::ChangeOwnPassword { .. } => Need::Account,
        // Whose it is, is asked when that is known.
        Operation::CloseConnection(_) | Operation::CloseSession(_) => Need::Account,
        // Whoever changes a password has to know what it has to be.
        Operation::GetPolicy => Need::Account,
        // What each may do with which is asked when it is known (see `repositories`).
        Operation::ListRepositories
        | Operation::GetRepository(_)
        | Operation::CreateRepository(_)
        | Operation::UpdateRepository { .. }
        | Operation::DeleteRepository(_)
        | Operation::GrantRepository { .. }
        | Operation::PullRepository(_)
        | Operation::FindGrantee { .. } => Need::Account,
        Operation::FindUser(who) => Need::Find(who),
        Operation::GetUser(id) | Operation::GetHome(id) | Operation::ListKeys(id) | Operation::ListMemberships(id) => {
            Need::ReadUser(*id)
        }
        Operation::ListApiKeys(id) | Operation::GetQuota(id) | Operation::ListConnections(Some(id)) => {
            Need::ReadUser(*id)
        }
        // Whoever made a key for somebody else would be them with it.
        Operation::CreateApiKey { user, .. } => Need::Own(*user),
        Operation::DeleteApiKey { user, .. } => Need::ChangeOwn(*user),
        Operation::GetTwoFactor(id) | Operation::ListSshKeys(id) => Need::ReadUser(*id),
        Operation::AddSshKey { user, .. } | Operation::DeleteSshKey { user, .. } => Need::ChangeOwn(*user),
        Operation::FindSshKey(_) => Need::Read,
        Operation::ChangeOwnProfile { .. } => Need::Account,
        // Whoever holds the secret is the account.
        Operation::BeginTwoFactor(user) | Operation::ConfirmTwoFactor { user, .. } => Need::Own(*user),
        Operation::CancelTwoFactor { user, .. } => Need::ChangeOwn(*user),
        // Of the caller.
        Operation::CreateToken { .. } | Operation::RevokeToken(_) => Need::Account,
        Operation::ListUsers(_)
        | Operation::ListGroups(_)
        | Operation::GetGroup(_)
        | Operation::FindGroup(_)
        | Operation::ResolveGroups(_)
        | Operation::Check { .. }
        | Operation::ListAudit(_)
        | Operation::ListBans
        | Operation::ShowMetrics
        | Operation::ListConnections(None)
        | Operation::ListQuotas(_)
        | Operation::ListQuotaFileSystems
        | Operation::ListScans
        | Operation::VerifyAudit => Need::Read,
        Operation::RepairChecks(_)
        | Operation::SetPolicy { .. }
        | Operation::SetRoles { .. }
        | Operation::Export
        | Operation::Import(_) => Need::Administer,
        Operation::RepairKeys(id) | Operation::SetKeys { id, .. } => Need::ChangeOwn(*id),
        Operation::UpdateUser { id, change, .. } if change.is_of_keys() => Need::ChangeOwn(*id),
        Operation::CreateUser(_)
        | Operation::CreateUsers(_)
        | Operation::Batch(_)
        | Operation::UpdateUser { .. }
        | Operation::DeleteUser { .. }
        | Operation::DisableUser { .. }
        | Operation::SetPassword { .. }
        | Operation::SetMemberships { .. }
        | Operation::CreateGroup(_)
        | Operation::UpdateGroup { .. }
        | Operation::SetMembers { .. }
        | Operation::LiftBan(_)
        | Operation::StartScan(_)
        | Operation::CancelScan(_)
        | Operation::DeleteGroup { .. } => Need::Change,
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::agent::{UserChange, Window};
    use accountd_protocol::api_key::{ApiKeyId, ApiKeyName, NewApiKey};
    use accountd_protocol::id::Gid;
    use accountd_protocol::precondition::Precondition;
    use accountd_protocol::secret::Secret;
    use accountd_protocol::sudo::SudoChange;

    use super::*;
    use crate::database::Origin;

    fn role(uid: u32) -> PeerRole {
        PeerRole::of(Peer { uid: Uid(uid), gid: Gid(uid), pid: 1 }, Some(Uid(990)))
    }

    #[test]
    fn the_rest_front_may_not_decide_logins_and_a_stranger_may_nothing() {
        let operate =
            AgentRequest::Operate { caller: Secret::new("x".into()), operation: Box::new(Operation::ListShells) };
        assert_eq!(role(990).may_send(&operate), Permission::Granted);
        assert_eq!(role(990).may_send(&AgentRequest::Watch), Permission::Denied);
        assert_eq!(role(0).may_send(&AgentRequest::Watch), Permission::Granted);
        assert_eq!(role(0).may_send(&AgentRequest::OpenLocalHandle), Permission::Granted);
        assert_eq!(role(990).may_send(&AgentRequest::OpenLocalHandle), Permission::Denied, "it is for root alone");
        assert_eq!(role(1000).may_send(&AgentRequest::OpenLocalHandle), Permission::Denied);
        assert_eq!(role(991).may_send(&operate), Permission::Denied);
        let numbers = AgentRequest::ReportNumbers(Box::default());
        assert_eq!(
            [0, 990, 1000].map(|uid| role(uid).may_send(&numbers)),
            [Permission::Granted, Permission::Denied, Permission::Denied]
        );
        assert_eq!(role(1000).may_send(&AgentRequest::Watch), Permission::Denied);
    }

    fn anna() -> UserRow {
        UserRow {
            id: AccountId(7),
            name: "anna".into(),
            uid: Uid(3001),
            origin: Origin::Added,
            email: String::new(),
            microsoft_account: false,
            kept_hash: None,
            extras: None,
        }
    }

    #[test]
    fn without_a_role_a_caller_has_only_itself() {
        let (nobody, own, other) = (BTreeSet::new(), AccountId(7), AccountId(8));
        let anna = anna();
        let reach = |operation| reach(&nobody, &anna, &operation);
        let keys = |id| Operation::UpdateUser {
            id,
            change: UserChange { ssh_keys: Some(String::new()), ..UserChange::default() },
            only_if: Precondition::None,
        };
        assert_eq!(reach(Operation::GetUser(own)), Reach::Own);
        assert_eq!(reach(Operation::GetUser(other)), Reach::Denied);
        assert_eq!(reach(Operation::FindUser(AccountRef::Name("anna".into()))), Reach::Own);
        assert_eq!(reach(Operation::FindUser(AccountRef::Caller)), Reach::Own);
        assert_eq!(reach(Operation::FindUser(AccountRef::Name("berta".into()))), Reach::Denied);
        assert_eq!(reach(keys(own)), Reach::Own);
        assert_eq!(reach(keys(other)), Reach::Denied);
        let more =
            UserChange { ssh_keys: Some(String::new()), sudo: Some(SudoChange::All(true)), ..UserChange::default() };
        assert_eq!(reach(Operation::UpdateUser { id: own, change: more, only_if: Precondition::None }), Reach::Denied);
        assert_eq!(reach(Operation::ListUsers(Window::all())), Reach::Denied);
        assert_eq!(
            reach(Operation::SetPassword { id: own, password: Secret::new("x".into()), only_if: Precondition::None }),
            Reach::Denied
        );
    }

    #[test]
    fn nobody_makes_an_api_key_for_somebody_else() {
        let all = BTreeSet::from([Role::Administrator, Role::AccountAdministrator, Role::Auditor]);
        let new = || NewApiKey { name: ApiKeyName::new("backup").unwrap(), expires: None };
        let create = |user| reach(&all, &anna(), &Operation::CreateApiKey { user, new: new() });
        assert_eq!((create(AccountId(7)), create(AccountId(8))), (Reach::Own, Reach::Denied));
        let delete = |roles: &[Role], user| {
            let roles = roles.iter().copied().collect();
            reach(&roles, &anna(), &Operation::DeleteApiKey { user, id: ApiKeyId(1) })
        };
        assert_eq!(delete(&[], AccountId(7)), Reach::Own);
        assert_eq!(delete(&[Role::Auditor], AccountId(8)), Reach::Denied);
        assert_eq!(delete(&[Role::AccountAdministrator], AccountId(8)), Reach::Others);
    }

    #[test]
    fn an_auditor_reads_and_changes_nothing() {
        let roles = BTreeSet::from([Role::Auditor]);
        assert_eq!(reach(&roles, &anna(), &Operation::GetUser(AccountId(8))), Reach::Others);
        assert_eq!(
            reach(&roles, &anna(), &Operation::DeleteGroup { id: AccountId(8), only_if: Precondition::None }),
            Reach::Denied
        );
    }
}
