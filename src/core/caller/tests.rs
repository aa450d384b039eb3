//! Callers with an agent whose answers are known.

use accountd_protocol::agent::{AgentRequest, Group, Page, Window};
use accountd_protocol::id::AccountId;
use accountd_protocol::secret::Secret;

use super::*;
use crate::parts::PART;
use crate::scripted_agent::{ScriptedAgent, group, user};

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
        | AgentRequest::GetDialects
        | AgentRequest::TakePull(_)
        | AgentRequest::BeginPam { .. }
        | AgentRequest::DecideByPam { .. }
        | AgentRequest::ReportNumbers(_) => Err(Refusal::BadCredentials),
    }
}

#[tokio::test]
async fn a_credential_is_shown_once_for_many_requests() {
    let agent = ScriptedAgent::start(0, strict);
    let core = Core::new(agent.socket()).unwrap();
    for _ in 0..50 {
        let caller = core.caller("root", secret("pw"), None, HERE).await.unwrap();
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
            tokio::spawn(async move { core.caller("root", secret("pw"), None, HERE).await.map(drop) })
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
    core.caller("root", secret("pw"), None, HERE).await.unwrap();
    for _ in 0..2 {
        let refused = core.caller("root", secret("pw "), None, HERE).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::BadCredentials))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_stale_handle_is_replaced_without_the_caller_noticing() {
    let agent = ScriptedAgent::start(0, strict);
    let core = Core::new(agent.socket()).unwrap();
    let caller = core.caller("root", secret("pw"), None, HERE).await.unwrap();
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
        let refused = core.caller(user, secret(password), None, HERE).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::BadCredentials))), "{refused:?}");
    }
}

/// Knows one handle, of `anna`.
fn of_anna(known: &mut bool, request: &AgentRequest) -> Result<Answer, Refusal> {
    match request {
        AgentRequest::Operate { caller, operation } if *known && caller.reveal() == "anna's" => match **operation {
            Operation::FindUser(AccountRef::Caller) => Ok(Answer::User(Box::new(user("anna", 3001)))),
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
    let group = |id| Group { id: AccountId(id), ..group(&format!("g{id}"), 4000) };
    let items = (0..250).skip(window.offset).take(window.limit).filter(|id| *id != 42).map(group).collect();
    Ok(Answer::Groups(Page { items, total: 250, next: None }))
}

#[tokio::test]
async fn a_long_list_is_got_in_parts_and_is_whole() {
    let agent = ScriptedAgent::start(0, listing);
    let core = Core::new(agent.socket()).unwrap();
    let caller = core.caller("root", secret("pw"), None, HERE).await.unwrap();
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
async fn a_code_is_shown_each_time_and_what_it_has_opened_is_not_remembered() {
    let agent = ScriptedAgent::start(0, strict);
    let core = Core::new(agent.socket()).unwrap();
    let shown = || core.caller("root", secret("pw"), Some(secret("123456")), HERE);
    let first = shown().await.unwrap();
    first.shells().await.unwrap();
    first.shells().await.unwrap();
    assert_eq!(agent.state(), 1, "a request may ask for several things");
    shown().await.unwrap().shells().await.unwrap();
    core.caller("root", secret("pw"), None, HERE).await.unwrap();
    assert_eq!(agent.state(), 3);
    // The code can't be shown again by itself.
    assert!(matches!(first.shells().await, Err(Error::Refused(Refusal::StaleHandle))));
    assert_eq!(agent.state(), 3);
}

#[tokio::test]
async fn a_restarted_agent_is_found_again() {
    let mut agent = ScriptedAgent::start(0, strict);
    let core = Core::new(agent.socket()).unwrap();
    let caller = core.caller("root", secret("pw"), None, HERE).await.unwrap();
    caller.shells().await.unwrap();
    agent.restart();
    caller.shells().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_an_error_of_its_own() {
    let core = Core::new("/nonexistent/agent.sock").unwrap();
    let refused = core.caller("root", secret("pw"), None, HERE).await;
    assert!(matches!(refused, Err(Error::AgentDown(_))), "{refused:?}");
}
