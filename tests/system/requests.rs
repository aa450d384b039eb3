//! Every request of the two sockets from every kind of peer: what is not its own ends its connection and
//! changes nothing.

use accountd_protocol::agent::AgentRequest;
use accountd_protocol::login::LoginRequest;
use serde_json::{Value, json};

use super::peer::{AGENT, API, LOGIN, Peer, SSH};
use crate::freenas::{Nas, new_user};

const NOBODY: u32 = 65534;
const ANNA: u32 = 3001;

/// A request for each variant, as it is on the wire. A new variant has no arm here, and does not compile.
macro_rules! every {
    ($name:ident: $type:ty { $($variant:pat => $json:tt,)* }) => {
        fn $name() -> Vec<Value> {
            fn _has_all(request: &$type) {
                match request { $($variant => {})* }
            }
            let all = vec![$(json!($json)),*];
            // What is not understood would be refused for that.
            let read = |one: &Value| -> $type {
                serde_json::from_value(one.clone()).unwrap_or_else(|error| panic!("{error}: {one}"))
            };
            $(assert!(all.iter().any(|one| matches!(read(one), $variant)));)*
            all
        }
    };
}

every! { agent_requests: AgentRequest {
    AgentRequest::OpenHandle { .. } => {"open_handle": {"user": "root", "password": "wrong", "source": "192.0.2.1"}},
    AgentRequest::OpenHandleByKey { .. } => {"open_handle_by_key": {"key": "00", "source": "192.0.2.1"}},
    AgentRequest::OpenHandleByStatic { .. } => {"open_handle_by_static": {"user": "root", "digest": "00", "source": "192.0.2.1"}},
    AgentRequest::OpenHandleByToken { .. } => {"open_handle_by_token": {"token": "a.b.c", "source": "192.0.2.1"}},
    AgentRequest::OpenGuestHandle { .. } => {"open_guest_handle": {"source": "192.0.2.1"}},
    AgentRequest::OpenLocalHandle => "open_local_handle",
    AgentRequest::Operate { .. } => {"operate": {"caller": "00", "operation": "get_system"}},
    AgentRequest::OfferKey { .. } => {"offer_key": {"user": "anna", "key": [1], "source": "192.0.2.1", "offer": "first"}},
    AgentRequest::Decide { .. } => {"decide": {"user": "anna", "proof": {"password": "pw"}, "source": "192.0.2.1"}},
    AgentRequest::Conclude(_) => {"conclude": {"account": 1, "name": "anna", "source": "192.0.2.1", "key": null, "outcome": "logged_in"}},
    AgentRequest::Ping => "ping",
    AgentRequest::Watch => "watch",
    AgentRequest::Resume(_) => {"resume": {"let_in": [], "held": []}},
    AgentRequest::AnswerQuestions => "answer_questions",
    AgentRequest::ReportNumbers(_) => {"report_numbers": accountd_protocol::metrics::LoginReport::default()},
    AgentRequest::Quota { .. } => {"quota": {"account": 1, "session": 1, "request": {"lease": {"bytes": 1, "files": 1}}}},
    AgentRequest::QuotaEnded { .. } => {"quota_ended": {"account": 1, "session": 1, "how": "lost"}},
    AgentRequest::GetDialects => "get_dialects",
    AgentRequest::TakePull(_) => {"take_pull": 1},
    AgentRequest::BeginPam { .. } => {"begin_pam": {"user": "anna", "source": "192.0.2.1"}},
    AgentRequest::DecideByPam { .. } => {"decide_by_pam": {"user": "anna", "verdict": "passed", "code": null, "source": "192.0.2.1"}},
}}

every! { login_requests: LoginRequest {
    LoginRequest::Hello { .. } => {"hello": {"client": "192.0.2.1:1", "server": "192.0.2.2:22", "version": "x"}},
    LoginRequest::OfferKey { .. } => {"offer_key": {"user": "anna", "key": [1]}},
    LoginRequest::Authenticate { .. } => {"authenticate": {"user": "anna", "proof": {"password": "pw"}}},
    LoginRequest::Open(_) => {"open": {"service": "shell", "terminal": null, "environment": []}},
    LoginRequest::Signal { .. } => {"signal": {"session": 1, "number": 9}},
    LoginRequest::Close { .. } => {"close": {"session": 1}},
    LoginRequest::ReportNumbers(_) => {"report_numbers": accountd_protocol::metrics::SshNumbers::default()},
    LoginRequest::Converse { .. } => {"converse": {"user": "anna"}},
    LoginRequest::Respond(_) => {"respond": ["pw"]},
}}

fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", ANNA, "pw"));
    nas
}

/// How often the agent has ended a connection for what was asked on it.
fn refused(nas: &Nas) -> usize {
    nas.world.log().matches("a peer asked for what it may not; its connection is ended").count()
}

fn name(request: &Value) -> &str {
    let object = request.as_object().and_then(|object| object.keys().next().map(String::as_str));
    object.or(request.as_str()).unwrap()
}

#[test]
fn the_rest_front_asks_the_agent_for_what_is_its_own_and_for_nothing_else() {
    const OWN: [&str; 8] = [
        "open_handle",
        "open_handle_by_key",
        "open_handle_by_static",
        "open_handle_by_token",
        "open_guest_handle",
        "operate",
        "ping",
        "get_dialects",
    ];
    let nas = nas_with_anna();
    let (agent, before) = (nas.world.process("agent"), nas.disk.everything("/etc"));
    let mut front = Peer::of(&nas.world, API, AGENT);
    for request in agent_requests() {
        let (name, was) = (name(&request), refused(&nas));
        let answer = front.ask_anew(&request);
        if OWN.contains(&name) {
            assert!(answer.is_some(), "{name} is not answered");
        } else {
            assert_eq!((answer, refused(&nas)), (None, was + 1), "{name}");
        }
    }
    assert!(nas.disk.everything("/etc") == before);
    assert_eq!(nas.world.process("agent"), agent);
    assert!(nas.world.with_password("anna", "pw").logs_in());
}

#[test]
fn what_was_asked_before_a_forbidden_request_gives_it_no_place() {
    let nas = nas_with_anna();
    let mut front = Peer::of(&nas.world, API, AGENT);
    let on = front.connect().unwrap();
    assert!(front.ask(on, &json!("ping")).is_some());
    assert_eq!(front.ask(on, &json!("watch")), None);
    // Both in one packet: the second is not answered for the first's sake.
    let on = front.connect().unwrap();
    let (watch, ping) = (super::peer::framed(b"\"watch\""), super::peer::framed(b"\"ping\""));
    front.send(on, &[watch, ping].concat());
    assert_eq!(front.hear(on), None);
}

#[test]
fn a_handle_that_the_agent_has_not_given_is_good_for_nothing() {
    let nas = nas_with_anna();
    let mut front = Peer::of(&nas.world, API, AGENT);
    let before = nas.disk.everything("/etc");
    for handle in ["", "0", &"0".repeat(64), &"f".repeat(64), &"x".repeat(100_000), "\0", "ünd"] {
        let operation = json!({"delete_user": {"id": 1, "home": "keep", "only_if": "none"}});
        let answer = front.ask_anew(&json!({"operate": {"caller": handle, "operation": operation}}));
        assert_eq!(answer, Some(json!({"Err": "stale_handle"})), "{handle:.80}");
    }
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn nobody_but_root_and_the_rest_front_is_answered_by_the_agent() {
    let nas = nas_with_anna();
    let before = nas.disk.everything("/etc");
    for uid in [SSH.0, ANNA, NOBODY, 12345] {
        assert!(Peer::of(&nas.world, (uid, uid), AGENT).connect().is_none(), "{uid}");
        // Who has got into the group by a way of its own is known by its uid still.
        let mut peer = Peer::of(&nas.world, (uid, API.1), AGENT);
        for request in agent_requests() {
            assert_eq!(peer.ask_anew(&request), None, "{uid}: {request}");
        }
    }
    assert!(nas.disk.everything("/etc") == before);
    assert_eq!(Peer::of(&nas.world, (0, 0), AGENT).ask_anew(&json!("ping")), Some(json!({"Ok": "done"})));
}

#[test]
fn nobody_but_root_and_the_ssh_front_is_answered_by_login() {
    let nas = nas_with_anna();
    for uid in [API.0, ANNA, NOBODY, 12345] {
        assert!(Peer::of(&nas.world, (uid, uid), LOGIN).connect().is_none(), "{uid}");
        let mut peer = Peer::of(&nas.world, (uid, SSH.1), LOGIN);
        for request in login_requests() {
            assert_eq!(peer.ask_anew(&request), None, "{uid}: {request}");
        }
    }
    let hello = &login_requests()[0];
    assert_eq!(Peer::of(&nas.world, SSH, LOGIN).ask_anew(hello), Some(json!("welcome")));
    assert_eq!(Peer::of(&nas.world, (0, 0), LOGIN).ask_anew(hello), Some(json!("welcome")));
}

#[test]
fn a_session_of_a_user_reaches_neither_socket() {
    let nas = Nas::start();
    nas.rest.create_user(&crate::freenas::with_bash(&new_user("anna", ANNA, "pw")));
    for socket in [AGENT, LOGIN] {
        let script = format!("import socket; socket.socket(socket.AF_UNIX).connect(\"{socket}\")");
        let mut ssh = nas.world.with_password("anna", "pw").prepare("ssh");
        let output = ssh.args(["127.0.0.1", &format!("python3 -c '{script}'")]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("PermissionError"), "{socket}: {said}");
    }
}
