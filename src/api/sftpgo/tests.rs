//! The dialect against a scripted agent: what the agent is asked, statuses, texts, headers.

mod accounts;
mod changes;
mod connections;
mod json;
mod refusals;
mod transport;

use accountd_protocol::agent::{AgentRequest, Answer, Dialect, Echoes, Group, Operation, Page, User};
use accountd_protocol::ended::Ended;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::open_session::OpenConnection;
use accountd_protocol::quota::{QuotaReport, QuotaScan, QuotaUse, ScanState};
use accountd_protocol::refusal::Refusal;
use rocket::http::Method;

use crate::scripted_agent;
use crate::scripted_front::{Front, ROOT, Seen, operation};

/// What the agent has, what it was asked to change, as text, and what it says to that.
#[derive(Clone)]
struct Script {
    user: User,
    quota: Option<QuotaReport>,
    /// How many accounts have the user's uid.
    connections: Vec<OpenConnection>,
    asked: Vec<String>,
    refusal: Option<Refusal>,
}

fn user() -> User {
    scripted_agent::user("alice", 3001)
}

fn report() -> QuotaReport {
    let report = serde_json::json!({"account": 7, "name": "alice", "backend": "ledger", "limits": {},
        "used": {"bytes": 123, "files": 4}, "scanned": 1_795_351_640_010_u64});
    serde_json::from_value(report).unwrap()
}

impl Script {
    fn of(user: User) -> Self {
        Self { user, quota: None, connections: vec![], asked: vec![], refusal: None }
    }

    fn operate(&mut self, operation: &Operation) -> Result<Answer, Refusal> {
        let user = || Ok(Answer::User(Box::new(self.user.clone())));
        match operation {
            Operation::FindUser(AccountRef::Name(name)) if *name != self.user.name => return Err(Refusal::NotFound),
            Operation::FindUser(AccountRef::Id(id)) | Operation::GetUser(id) if *id != self.user.id => {
                return Err(Refusal::NotFound);
            }
            Operation::FindUser(_) | Operation::GetUser(_) => return user(),
            Operation::GetQuota(_) => {
                return self.quota.clone().map(|quota| Answer::QuotaReport(Box::new(quota))).ok_or(Refusal::NotFound);
            }
            Operation::ListConnections(None) => return Ok(Answer::Connections(self.connections.clone())),
            Operation::FindGroup(AccountRef::Number(gid)) if *gid != 1000 => return Err(Refusal::NotFound),
            Operation::FindGroup(_) => return Ok(Answer::Group(Box::new(group()))),
            _ => {}
        }
        self.asked.push(format!("{operation:?}"));
        if let Some(refusal) = self.refusal.clone() {
            return Err(refusal);
        }
        match operation {
            Operation::ListUsers(_) => Ok(Answer::Users(Page { items: vec![self.user.clone()], total: 1, next: None })),
            Operation::CreateUser(new) => {
                let user = User { echoes: new.echoes.clone(), ..self.user.clone() };
                Ok(Answer::User(Box::new(user)))
            }
            Operation::UpdateUser { .. } => user(),
            Operation::DeleteUser { .. } => Ok(Answer::Ended(Ended::default())),
            Operation::ListScans => Ok(Answer::QuotaScans(vec![QuotaScan {
                account: AccountId(7),
                name: "alice".into(),
                started: 1_795_351_640_010,
                found: QuotaUse::default(),
                entries: 0,
                state: ScanState::Running,
            }])),
            Operation::StartScan(_) | Operation::CloseConnection(_) => Ok(Answer::Done),
            other => panic!("nobody asks for {other:?} here"),
        }
    }
}

fn group() -> Group {
    scripted_agent::group("staff", 1000)
}

fn scripted(script: &mut Script, request: &AgentRequest) -> Result<Answer, Refusal> {
    operation(request).map_or_else(|answer| answer, |operation| script.operate(operation))
}

type World = Front<Script>;

impl Seen {
    /// Every answer is JSON with a newline behind it.
    #[track_caller]
    fn is_json(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, format!("{body}\n").as_str()));
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
    }

    #[track_caller]
    fn is_error(&self, status: u16, error: &str) {
        self.is_json(status, &format!(r#"{{"error":{},"message":"","status":{status}}}"#, serde_json::json!(error)));
    }

    #[track_caller]
    fn is_message(&self, status: u16, message: &str) {
        self.is_json(status, &format!(r#"{{"error":"","message":"{message}","status":{status}}}"#));
    }
}

impl World {
    fn new() -> Self {
        Self::of(Script::of(user()))
    }

    fn of_user(user: User) -> Self {
        Self::of(Script::of(user))
    }

    fn refusing(refusal: Refusal) -> Self {
        Self::of(Script { refusal: Some(refusal), ..Script::of(user()) })
    }

    fn of(script: Script) -> Self {
        Self::start("/api/v1", script, scripted)
    }

    /// As root, with no word on what the body is.
    fn root(&self, method: Method, path: &str, body: &str) -> Seen {
        self.send(method, path, &[("Authorization", ROOT)], body.as_bytes())
    }

    fn get(&self, path: &str) -> Seen {
        self.root(Method::Get, path, "")
    }

    /// The only thing that the agent was asked to do.
    #[track_caller]
    fn asked(&self) -> String {
        let asked = self.agent.state().asked;
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    #[track_caller]
    fn nothing_was_asked(&self) {
        assert_eq!(self.agent.state().asked, [""; 0]);
    }
}

/// A user who has been made over this API with these words.
fn echoing(user: User, echo: &str) -> User {
    User { echoes: Echoes::from([(Dialect::Sftpgo, echo.to_owned())]), ..user }
}
