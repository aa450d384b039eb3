//! The dialect against a scripted agent: statuses, shapes, headers.

mod accounts;
mod refusals;
mod transport;

use accountd_protocol::agent::{
    AgentRequest, Answer, Group, Membership, NewPassword, Operation, Page, PrimaryGroup, User,
};
use accountd_protocol::ended::Ended;
use accountd_protocol::home::HomeState;
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::refusal::Refusal;
use rocket::http::Method;

use crate::scripted_agent;
use crate::scripted_front::{Front, ROOT, Seen, operation};

/// What the agent was asked to do, as text; and what it says to every operation but the first.
#[derive(Clone, Default)]
struct Script {
    asked: Vec<String>,
    refusal: Option<Refusal>,
}

fn user(id: u64) -> User {
    User {
        id: AccountId(id),
        gid: Gid(1112),
        full_name: "Jörg".into(),
        home: "/mnt/tank/home/myuser".into(),
        shell: "/bin/csh".into(),
        unix_hash: "$6$s$h".into(),
        ..scripted_agent::user("myuser", 1111)
    }
}

fn group() -> Group {
    scripted_agent::group("mygroup", 1200)
}

fn scripted(script: &mut Script, request: &AgentRequest) -> Result<Answer, Refusal> {
    let operation = match operation(request) {
        Ok(operation) => operation,
        Err(answer) => return answer,
    };
    script.asked.push(format!("{operation:?}"));
    if let Some(refusal) = script.refusal.clone() {
        return Err(refusal);
    }
    answer(operation)
}

fn answer(operation: &Operation) -> Result<Answer, Refusal> {
    match operation {
        Operation::ListUsers(window) => {
            let items = (0..31).skip(window.offset).take(window.limit).map(user).collect();
            Ok(Answer::Users(Page { items, total: 31, next: None }))
        }
        Operation::GetUser(_)
        | Operation::FindUser(_)
        | Operation::UpdateUser { .. }
        | Operation::SetPassword { .. }
        | Operation::RepairKeys(_) => Ok(Answer::User(Box::new(user(7)))),
        Operation::CreateUser(new) => {
            assert!(matches!(new.password, NewPassword::Clear(_) | NewPassword::Disabled));
            assert!(matches!(new.primary_group, PrimaryGroup::Private | PrimaryGroup::Existing(_)));
            Ok(Answer::User(Box::new(user(7))))
        }
        Operation::CreateUsers(new) => Ok(Answer::Created((1..).zip(new).map(|(id, _)| AccountId(id)).collect())),
        Operation::DeleteUser { .. } | Operation::DisableUser { .. } => Ok(Answer::Ended(Ended::default())),
        Operation::DeleteGroup { .. } => Ok(Answer::Done),
        Operation::ListMemberships(_) | Operation::SetMemberships { .. } => {
            Ok(Answer::Memberships(vec![Membership { id: AccountId(1), name: "ftp".into() }]))
        }
        Operation::ListGroups(_) => Ok(Answer::Groups(Page { items: vec![group()], total: 1, next: None })),
        Operation::GetGroup(_)
        | Operation::FindGroup(_)
        | Operation::CreateGroup(_)
        | Operation::UpdateGroup { .. }
        | Operation::SetMembers { .. } => Ok(Answer::Group(Box::new(group()))),
        Operation::GetHome(_) => {
            Ok(Answer::Home(Box::new(HomeState { home: "/mnt/tank/home/myuser".into(), exists: true, transfer: None })))
        }
        Operation::ListShells => Ok(Answer::Shells(vec![])),
        // The dialect has no use for these.
        Operation::ListKeys(_)
        | Operation::SetKeys { .. }
        | Operation::ResolveGroups(_)
        | Operation::SetRoles { .. }
        | Operation::GetSystem
        | Operation::ChangeOwnPassword { .. }
        | Operation::Check { .. }
        | Operation::RepairChecks(_)
        | Operation::GetPolicy
        | Operation::Batch(_)
        | Operation::Export
        | Operation::Import(_)
        | Operation::GetJob(..)
        | Operation::ListJobs
        | Operation::CancelJob(_)
        | Operation::SetPolicy { .. }
        | Operation::ListApiKeys(_)
        | Operation::CreateApiKey { .. }
        | Operation::DeleteApiKey { .. }
        | Operation::ListAudit(_)
        | Operation::ListBans
        | Operation::ShowMetrics
        | Operation::ListConnections(_)
        | Operation::CloseConnection(_)
        | Operation::CloseSession(_)
        | Operation::GetQuota(_)
        | Operation::ListQuotas(_)
        | Operation::ListQuotaFileSystems
        | Operation::StartScan(_)
        | Operation::ListScans
        | Operation::CancelScan(_)
        | Operation::LiftBan(_)
        | Operation::GetTwoFactor(_)
        | Operation::BeginTwoFactor(_)
        | Operation::ConfirmTwoFactor { .. }
        | Operation::CancelTwoFactor { .. }
        | Operation::CreateToken { .. }
        | Operation::ListSshKeys(_)
        | Operation::AddSshKey { .. }
        | Operation::DeleteSshKey { .. }
        | Operation::FindSshKey(_)
        | Operation::ChangeOwnProfile { .. }
        | Operation::RevokeToken(_)
        | Operation::ListRepositories
        | Operation::GetRepository(_)
        | Operation::CreateRepository(_)
        | Operation::UpdateRepository { .. }
        | Operation::DeleteRepository(_)
        | Operation::GrantRepository { .. }
        | Operation::PullRepository(_)
        | Operation::FindGrantee { .. }
        | Operation::VerifyAudit => Err(Refusal::NotPermitted),
    }
}

type World = Front<Script>;

impl World {
    fn new() -> Self {
        Self::refusing(None)
    }

    fn refusing(refusal: Option<Refusal>) -> Self {
        Self::start("/api/v1.0", Script { asked: vec![], refusal }, scripted)
    }

    fn json(&self, method: Method, path: &str, body: &str) -> Seen {
        self.send(method, path, &[("Authorization", ROOT), ("Content-Type", "application/json")], body.as_bytes())
    }

    fn get(&self, path: &str) -> Seen {
        self.send(Method::Get, path, &[("Authorization", ROOT)], b"")
    }

    fn asked(&self) -> Vec<String> {
        self.agent.state().asked
    }
}

const NEW: &str = r#"{"bsdusr_username":"myuser","bsdusr_creategroup":true,"bsdusr_full_name":"My User",
    "bsdusr_password":" p?w ","bsdusr_uid":"1111","bsdusr_home":"/mnt/tank/home","unknown":1}"#;

const MYUSER: &str = concat!(
    r#"{"bsdusr_attributes": {}, "bsdusr_builtin": false, "bsdusr_email": "", "bsdusr_full_name": "Jörg", "#,
    r#""bsdusr_group": 1112, "bsdusr_home": "/mnt/tank/home/myuser", "bsdusr_locked": false, "#,
    r#""bsdusr_microsoft_account": false, "bsdusr_password_disabled": false, "bsdusr_shell": "/bin/csh", "#,
    r#""bsdusr_smbhash": "*", "bsdusr_sshpubkey": "", "bsdusr_sudo": false, "bsdusr_uid": 1111, "#,
    r#""bsdusr_unixhash": "$6$s$h", "bsdusr_username": "myuser", "id": 7}"#
);
