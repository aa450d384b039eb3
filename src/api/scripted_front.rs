//! What the tests of dialects have in common: a client, and an agent whose answers are known.

use std::net::SocketAddr;

use accountd_core::Core;
use accountd_protocol::agent::{AgentRequest, Answer, Operation};
use accountd_protocol::dialects::{Dialects, RhodecodeWording};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use rocket::http::{Header, Method};
use rocket::local::blocking::{Client, LocalResponse};

use crate::ProgramBuild;
use crate::scripted_agent::ScriptedAgent;

/// What the agent knows root by.
pub const ROOT: &str = "Basic cm9vdDphOmI=";

/// What the agent is asked to do by whoever has shown that; to everybody else this is the answer.
pub fn operation(request: &AgentRequest) -> Result<&Operation, Result<Answer, Refusal>> {
    match request {
        AgentRequest::OpenHandle { user, password, .. } if user == "root" && password.reveal() == "a:b" => {
            Err(Ok(Answer::Handle(Secret::new("handle".into()))))
        }
        AgentRequest::OpenHandle { user, .. } if user == "banned" => Err(Err(Refusal::TooManyFailures { seconds: 60 })),
        AgentRequest::OpenHandle { .. }
        | AgentRequest::OpenHandleByKey { .. }
        | AgentRequest::OpenHandleByStatic { .. }
        | AgentRequest::OpenHandleByToken { .. }
        | AgentRequest::OpenGuestHandle { .. }
        | AgentRequest::OpenLocalHandle
        | AgentRequest::OfferKey { .. }
        | AgentRequest::Decide { .. }
        | AgentRequest::Conclude(_)
        | AgentRequest::Ping
        | AgentRequest::Watch
        | AgentRequest::Resume(_)
        | AgentRequest::AnswerQuestions
        | AgentRequest::Quota { .. }
        | AgentRequest::QuotaEnded { .. }
        | AgentRequest::ReportNumbers(_)
        | AgentRequest::TakePull(_)
        | AgentRequest::BeginPam { .. }
        | AgentRequest::DecideByPam { .. } => Err(Err(Refusal::BadCredentials)),
        AgentRequest::GetDialects => {
            Err(Ok(Answer::Dialects(Dialects { alist: None, rhodecode: Some(RhodecodeWording::Seed) })))
        }
        AgentRequest::Operate { operation, .. } => Ok(operation),
    }
}

/// A dialect, and the agent behind it with what it remembers.
pub struct Front<S> {
    pub agent: ScriptedAgent<S>,
    pub client: Client,
    base: &'static str,
}

impl<S: Clone + Send + 'static> Front<S> {
    pub fn start(base: &'static str, state: S, script: fn(&mut S, &AgentRequest) -> Result<Answer, Refusal>) -> Self {
        let agent = ScriptedAgent::start(state, script);
        let core = Core::new(agent.socket()).unwrap();
        let build =
            ProgramBuild { version: "0.1.0".into(), date: "2026-11-27T02:26:14Z".into(), commit: "2995aa0".into() };
        let rocket = crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0))).manage(build);
        Self { agent, client: Client::untracked(rocket).unwrap(), base }
    }

    pub fn send(&self, method: Method, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Seen {
        let mut request = self.client.req(method, format!("{}{path}", self.base)).body(body);
        for (name, value) in headers {
            request.add_header(Header::new(*name, (*value).to_owned()));
        }
        Seen::of(request.dispatch())
    }
}

/// Status, headers in lower case, body.
pub struct Seen {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn of(response: LocalResponse<'_>) -> Self {
        let status = response.status().code;
        let headers =
            response.headers().iter().map(|h| (h.name.as_str().to_lowercase(), h.value.to_string())).collect();
        Self { status, headers, body: response.into_string().unwrap_or_default() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }
}
