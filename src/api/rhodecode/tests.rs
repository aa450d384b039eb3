//! The dialect against a scripted agent: what the agent is asked, and what is said.

mod groups;
mod hostile;
mod repositories;
mod transport;
mod users;

use accountd_protocol::agent::{AgentRequest, Answer, Group, Operation, Page, User};
use accountd_protocol::audit::Moment;
use accountd_protocol::dialects::{Dialects, RhodecodeWording};
use accountd_protocol::ended::Ended;
use accountd_protocol::id::{AccountId, AccountRef, Gid};
use accountd_protocol::job::{Job, JobId, JobKind, JobState};
use accountd_protocol::list::Filter;
use accountd_protocol::precondition::Tag;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{
    Access, Grantee, Repository, RepositoryFault, RepositoryGrant, RepositoryId, RepositoryKind, RepositoryRef,
};
use accountd_protocol::role::Role;
use accountd_protocol::secret::Secret;
use rocket::http::Method;
use serde_json::{Value, json};

use crate::scripted_agent;
use crate::scripted_front::{Front, Seen, operation};

/// Root's.
const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the agent has, what it was asked to change, as text, and what it says to that.
#[derive(Clone)]
struct Script {
    wording: Option<RhodecodeWording>,
    users: Vec<User>,
    groups: Vec<Group>,
    asked: Vec<String>,
    refusal: Option<Refusal>,
    repositories: Vec<Repository>,
    /// What a pull is at each look, the last one first.
    pulls: Vec<JobState>,
    /// How often a group turns out to have changed.
    changes: usize,
}

fn user(id: u64, name: &str) -> User {
    User { id: AccountId(id), full_name: "Ann Bea Cee".into(), ..scripted_agent::user(name, 3000 + id as u32) }
}

fn group(id: u64, name: &str, members: &[&str]) -> Group {
    let members = members.iter().map(|name| (*name).to_owned()).collect();
    let tag = Some(Tag("now".into()));
    Group { id: AccountId(id), members, tag, ..scripted_agent::group(name, 4000 + id as u32) }
}

impl Script {
    fn new() -> Self {
        let root = User {
            id: AccountId(1),
            builtin: true,
            roles: vec![Role::Administrator],
            ..scripted_agent::user("root", 0)
        };
        let daemon = User { id: AccountId(2), builtin: true, ..scripted_agent::user("daemon", 1) };
        let alice = User { email: "alice@example.org".into(), ..user(7, "alice") };
        let own = Group { gid: Gid(3007), ..group(40, "alice", &[]) };
        let wheel = Group { builtin: true, ..group(3, "wheel", &["root"]) };
        Self {
            wording: Some(RhodecodeWording::Seed),
            users: vec![root, daemon, alice, user(8, "berta")],
            groups: vec![wheel, own, group(41, "devs", &["berta"])],
            asked: vec![],
            refusal: None,
            repositories: vec![repository(5, "acme/web"), Repository { grants: vec![], ..repository(6, "private") }],
            pulls: vec![JobState::Done],
            changes: 0,
        }
    }

    fn answer(&mut self, request: &AgentRequest) -> Result<Answer, Refusal> {
        match request {
            AgentRequest::OpenHandleByKey { key, .. } if key.reveal() == KEY => {
                Ok(Answer::NamedHandle(Secret::new("handle".into()), "root".into()))
            }
            AgentRequest::OpenHandleByKey { key, .. } if key.reveal().starts_with("bad") => {
                Err(Refusal::TooManyFailures { seconds: 60 })
            }
            AgentRequest::GetDialects => Ok(Answer::Dialects(Dialects { alist: None, rhodecode: self.wording })),
            request => operation(request).map_or_else(|answer| answer, |operation| self.operate(operation)),
        }
    }

    fn operate(&mut self, operation: &Operation) -> Result<Answer, Refusal> {
        match operation {
            Operation::FindUser(who) => {
                self.users.iter().find(|user| is_called(user, who)).cloned().map(shown).ok_or(Refusal::NotFound)
            }
            Operation::FindGroup(which) => {
                let is_called = |group: &&Group| match which {
                    AccountRef::Id(id) => group.id == *id,
                    AccountRef::Name(name) => group.name == *name,
                    AccountRef::Number(_) | AccountRef::Caller => false,
                };
                let found = self.groups.iter().find(is_called).cloned();
                found.map(|group| Answer::Group(Box::new(group))).ok_or(Refusal::NotFound)
            }
            Operation::ListUsers(window) => {
                let users = self.users.iter().filter(|user| {
                    window.filters.iter().all(|filter| match filter {
                        Filter::Builtin(builtin) => user.builtin == *builtin,
                        Filter::Email(email) => user.email == *email,
                        Filter::Group(name) => self.groups.iter().any(|group| {
                            group.name == *name && (group.gid == user.gid || group.members.contains(&user.name))
                        }),
                        other => panic!("nobody asks for {other:?} here"),
                    })
                });
                let items: Vec<User> = users.cloned().collect();
                Ok(Answer::Users(Page { total: items.len(), items, next: None }))
            }
            Operation::ListGroups(_) => {
                let items: Vec<Group> = self.groups.iter().filter(|group| !group.builtin).cloned().collect();
                Ok(Answer::Groups(Page { total: items.len(), items, next: None }))
            }
            Operation::ListRepositories => {
                let without = |one: &Repository| Repository { grants: vec![], ..one.clone() };
                Ok(Answer::Repositories(self.repositories.iter().rev().map(without).collect()))
            }
            Operation::GetRepository(which) => {
                let is_called = |one: &&Repository| match which {
                    RepositoryRef::Id(id) => one.id == *id,
                    RepositoryRef::Name(name) => one.name == *name,
                };
                let found = self.repositories.iter().find(is_called).cloned();
                found.map(|one| Answer::Repository(Box::new(one))).ok_or(RepositoryFault::NotFound.into())
            }
            Operation::GetJob(..) => Ok(self.job()),
            change => {
                self.asked.push(format!("{change:?}"));
                self.refusal.clone().map_or_else(|| self.change(change), Err)
            }
        }
    }

    fn change(&mut self, operation: &Operation) -> Result<Answer, Refusal> {
        match operation {
            Operation::CreateUser(new) => {
                let made = user(9, new.name.as_str());
                let full_name = new.full_name.to_string();
                Ok(shown(User {
                    full_name,
                    locked: new.locked,
                    echoes: new.echoes.clone(),
                    email: new.email.to_string(),
                    ..made
                }))
            }
            Operation::UpdateUser { id, .. } => Ok(shown(user(id.0, "updated"))),
            Operation::SetRoles { id, roles, .. } => {
                Ok(shown(User { roles: roles.iter().copied().collect(), ..user(id.0, "anna") }))
            }
            Operation::DeleteUser { .. } => Ok(Answer::Ended(Ended::default())),
            Operation::CreateGroup(new) => Ok(Answer::Group(Box::new(group(42, new.name.as_str(), &[])))),
            Operation::SetMembers { .. } if self.changes > 0 => {
                self.changes -= 1;
                Err(Refusal::Changed)
            }
            Operation::SetMembers { .. } => Ok(Answer::Group(Box::new(group(41, "devs", &[])))),
            Operation::CreateRepository(new) => {
                let made = repository(9, new.name.as_str());
                Ok(Answer::Repository(Box::new(Repository { description: new.description.clone(), ..made })))
            }
            Operation::GrantRepository { .. } => Ok(Answer::Repository(Box::new(repository(5, "acme/web")))),
            Operation::DeleteRepository(_) => Ok(Answer::Done),
            Operation::PullRepository(_) => Ok(self.job()),
            other => panic!("nobody asks for {other:?} here"),
        }
    }

    fn job(&mut self) -> Answer {
        let state = if self.pulls.len() > 1 { self.pulls.pop() } else { self.pulls.last().copied() };
        let moment = Moment { seconds: 1, nanoseconds: 0 };
        let (id, kind, account) = (JobId(3), JobKind::Pull, AccountId(1));
        let job = Job {
            id,
            kind,
            account,
            state: state.unwrap(),
            done: 0,
            total: 1,
            begun: moment,
            ended: None,
            result: None,
            passwords: vec![],
        };
        Answer::Job(Box::new(job))
    }
}

/// Alice's, which berta and devs may write and others read.
fn repository(id: u64, name: &str) -> Repository {
    let grant = |grantee, name: &str, access| RepositoryGrant { grantee, name: name.into(), access };
    Repository {
        id: RepositoryId(id),
        name: name.into(),
        kind: RepositoryKind::Hg,
        description: "d".into(),
        owner: Some(AccountId(7)),
        owner_name: "alice".into(),
        private: false,
        clone_uri: None,
        created: 0,
        access: Access::Admin,
        grants: vec![
            grant(Grantee::Group(AccountId(41)), "devs", Access::Write),
            grant(Grantee::User(AccountId(8)), "berta", Access::Admin),
            grant(Grantee::Others, "", Access::Read),
        ],
    }
}

fn is_called(user: &User, who: &AccountRef) -> bool {
    match who {
        AccountRef::Id(id) => user.id == *id,
        AccountRef::Name(name) => user.name == *name,
        AccountRef::Number(uid) => user.uid.0 == *uid,
        AccountRef::Caller => user.name == "root",
    }
}

fn shown(user: User) -> Answer {
    Answer::User(Box::new(user))
}

type World = Front<Script>;

impl World {
    fn new() -> Self {
        Self::of(Script::new())
    }

    fn speaking(wording: RhodecodeWording) -> Self {
        Self::of(Script { wording: Some(wording), ..Script::new() })
    }

    fn refusing(refusal: Refusal) -> Self {
        Self::of(Script { refusal: Some(refusal), ..Script::new() })
    }

    fn of(script: Script) -> Self {
        Self::start("/_admin", script, Script::answer)
    }

    fn post(&self, body: &[u8]) -> Seen {
        self.send(Method::Post, "/api", &[("Content-Type", "text/plain")], body)
    }

    /// What a method says.
    #[track_caller]
    fn call(&self, method: &str, arguments: Value) -> (Value, Value) {
        let body = json!({"api_key": KEY, "method": method, "args": arguments});
        let seen = self.post(body.to_string().as_bytes());
        assert_eq!((seen.status, seen.header("content-type")), (200, Some("application/json")), "{}", seen.body);
        let mut answer: Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
        (answer["result"].take(), answer["error"].take())
    }

    #[track_caller]
    fn gives(&self, method: &str, arguments: Value, expected: Value) {
        assert_eq!(self.call(method, arguments.clone()), (expected, Value::Null), "{method} {arguments}");
    }

    #[track_caller]
    fn fails(&self, method: &str, arguments: Value, expected: &str) {
        assert_eq!(self.call(method, arguments.clone()), (Value::Null, json!(expected)), "{method} {arguments}");
    }

    #[track_caller]
    fn asked(&self) -> Vec<String> {
        self.agent.state().asked
    }
}
