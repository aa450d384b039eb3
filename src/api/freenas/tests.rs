//! The dialect against a scripted agent: statuses, shapes, headers.

mod accounts;
mod refusals;
mod transport;

use std::net::SocketAddr;

use accountd_core::Core;
use accountd_protocol::ageing::Ageing;
use accountd_protocol::agent::{
    AgentRequest, Answer, Group, Membership, NewPassword, Operation, Page, PrimaryGroup, User,
};
use accountd_protocol::ended::Ended;
use accountd_protocol::home::HomeState;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use rocket::http::{Header, Method};
use rocket::local::blocking::{Client, LocalResponse};

use crate::scripted_agent::ScriptedAgent;

/// What the agent was asked to do, as text; and what it says to every operation but the first.
#[derive(Clone, Default)]
struct Script {
    asked: Vec<String>,
    refusal: Option<Refusal>,
}

fn user(id: u64) -> User {
    User {
        id: AccountId(id),
        name: "myuser".into(),
        uid: Uid(1111),
        gid: Gid(1112),
        primary_group: Some(AccountId(40)),
        full_name: "Jörg".into(),
        email: String::new(),
        home: "/mnt/tank/home/myuser".into(),
        shell: "/bin/csh".into(),
        builtin: false,
        locked: false,
        password_disabled: false,
        own_password: false,
        shares_uid: false,
        microsoft_account: false,
        sudo: None,
        unix_hash: "$6$s$h".into(),
        smb_hash: "*".into(),
        ssh_keys: String::new(),
        key_advice: vec![],
        roles: Vec::new(),
        ageing: Ageing::default(),
        limits: Default::default(),
        effective_limits: Default::default(),
        echoes: Default::default(),
        smb: false,
        groups: vec![],
        group_names: vec![],
        tag: None,
    }
}

fn group() -> Group {
    Group {
        id: AccountId(40),
        name: "mygroup".into(),
        gid: Gid(1200),
        builtin: false,
        sudo: None,
        members: vec![],
        limits: Default::default(),
        tag: None,
    }
}

fn scripted(script: &mut Script, request: &AgentRequest) -> Result<Answer, Refusal> {
    let operation = match request {
        AgentRequest::OpenHandle { user, password, .. } if user == "root" && password.reveal() == "a:b" => {
            return Ok(Answer::Handle(Secret::new("handle".into())));
        }
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
        | AgentRequest::ReportNumbers(_) => return Err(Refusal::BadCredentials),
        AgentRequest::Operate { operation, .. } => operation,
    };
    script.asked.push(format!("{operation:?}"));
    if let Some(refusal) = script.refusal.clone() {
        return Err(refusal);
    }
    match &**operation {
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
        | Operation::VerifyAudit => Err(Refusal::NotPermitted),
    }
}

struct World {
    agent: ScriptedAgent<Script>,
    client: Client,
}

/// Status, headers in lower case, body.
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn of(response: LocalResponse<'_>) -> Self {
        let status = response.status().code;
        let headers =
            response.headers().iter().map(|h| (h.name.as_str().to_lowercase(), h.value.to_string())).collect();
        Self { status, headers, body: response.into_string().unwrap_or_default() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }
}

const ROOT: &str = "Basic cm9vdDphOmI=";

impl World {
    fn new() -> Self {
        Self::refusing(None)
    }

    fn refusing(refusal: Option<Refusal>) -> Self {
        let agent = ScriptedAgent::start(Script { asked: vec![], refusal }, scripted);
        let core = Core::new(agent.socket()).unwrap();
        let client = Client::untracked(crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        Self { agent, client }
    }

    fn send(&self, method: Method, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Seen {
        let mut request = self.client.req(method, format!("/api/v1.0{path}")).body(body);
        for (name, value) in headers {
            request.add_header(Header::new(*name, (*value).to_owned()));
        }
        Seen::of(request.dispatch())
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
