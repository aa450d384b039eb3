//! An accountd-login that answers as a test says.

use std::thread::JoinHandle;

use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::repository::PullTicket;

use super::*;
use crate::identity::candidate::PasswordState;
use crate::identity::handles::Way;
use crate::scratch;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n";

/// Hears that it may answer, and gives these answers, one for each question.
fn login(replies: Vec<SessionReply>) -> (UnixStream, JoinHandle<()>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let kept: Option<Reply> = frame::read(&mut theirs, AGENT_ANSWER_CAP).unwrap();
        assert!(matches!(kept, Some(Ok(Answer::Watching))));
        for reply in replies {
            frame::read::<SessionQuestion>(&mut theirs, AGENT_ANSWER_CAP).unwrap().unwrap();
            frame::write(&mut theirs, &reply, AGENT_REQUEST_CAP).unwrap();
        }
    });
    (ours, thread)
}

fn connection() -> OpenConnection {
    OpenConnection {
        id: ConnectionId("0".repeat(64)),
        account: AccountId(1),
        user: "root".into(),
        client_version: "SSH-2.0-test".into(),
        source: "192.0.2.1:5000".parse().unwrap(),
        connected: 0,
        last_activity: 0,
        sessions: Vec::new(),
    }
}

#[test]
fn whoever_does_not_answer_is_forgotten_and_is_not_waited_for_again() {
    let sessions = OpenSessions::default();
    let (stream, thread) = login(Vec::new());
    sessions.keep(stream).unwrap();
    thread.join().unwrap();
    assert!(matches!(sessions.ask(&SessionQuestion::List(None)), Err(Refusal::NoSessions)));
    assert!(sessions.lock().idle.is_empty());
    let begun = Instant::now();
    assert!(matches!(sessions.ask(&SessionQuestion::List(None)), Err(Refusal::NoSessions)));
    assert!(begun.elapsed() >= START_PATIENCE, "one that is being started is waited for");
}

#[test]
fn a_question_waits_for_a_login_that_is_being_started() {
    let sessions = OpenSessions::default();
    let (stream, thread) = login(vec![SessionReply::Closed]);
    let answers = std::thread::scope(|scope| {
        let asking = scope.spawn(|| sessions.ask(&SessionQuestion::List(None)));
        sessions.keep(stream).unwrap();
        asking.join().unwrap()
    });
    assert!(matches!(&answers.unwrap()[..], [SessionReply::Closed]));
    thread.join().unwrap();
}

#[test]
fn whoever_has_taken_something_up_is_asked_about_it_on_the_same_connection() {
    let sessions = OpenSessions::default();
    let (stream, thread) = login(vec![SessionReply::PullBegun, SessionReply::Closed]);
    sessions.keep(stream).unwrap();
    let begun = sessions.ask_one(&SessionQuestion::BeginPull(PullTicket(1)));
    assert!(matches!(begun, Ok(SessionReply::PullBegun)));
    let answers = sessions.ask(&SessionQuestion::EndPull(PullTicket(1))).unwrap();
    assert!(matches!(&answers[..], [SessionReply::Closed]));
    thread.join().unwrap();
}

#[test]
fn a_question_waits_until_another_is_answered() {
    let sessions = OpenSessions::default();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    sessions.keep(ours).unwrap();
    frame::read::<Reply>(&mut theirs, AGENT_ANSWER_CAP).unwrap();
    let both = std::thread::scope(|scope| {
        let first = scope.spawn(|| sessions.ask(&SessionQuestion::List(None)));
        frame::read::<SessionQuestion>(&mut theirs, AGENT_ANSWER_CAP).unwrap();
        // The only stream is out.
        let second = scope.spawn(|| sessions.ask(&SessionQuestion::List(None)));
        frame::write(&mut theirs, &SessionReply::Closed, AGENT_REQUEST_CAP).unwrap();
        frame::read::<SessionQuestion>(&mut theirs, AGENT_ANSWER_CAP).unwrap();
        frame::write(&mut theirs, &SessionReply::NotFound, AGENT_REQUEST_CAP).unwrap();
        [first.join().unwrap().unwrap(), second.join().unwrap().unwrap()].concat()
    });
    assert_eq!(both.len(), 2);
    assert!(both.contains(&SessionReply::Closed) && both.contains(&SessionReply::NotFound));
}

#[test]
fn a_connection_that_ends_by_itself_while_it_is_to_be_closed_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    scratch::write_etc(directory.path(), &[("passwd", PASSWD), ("group", "root:x:0:\n"), ("accountd.toml", "")]);
    let agent = scratch::agent(directory.path());
    let account = agent.database.view().user_named("root").unwrap().id;
    let caller = Caller { account, uid: Uid::ROOT, password: PasswordState::Current, source: None, way: Way::Local };
    let open = OpenConnection { account, ..connection() };
    let replies = vec![SessionReply::NotFound, SessionReply::Connections(vec![open.clone()]), SessionReply::NotFound];
    let (stream, thread) = login(replies);
    agent.open_sessions.keep(stream).unwrap();
    assert_eq!(agent.list_connections(None), Ok(Vec::new()), "what is no list has none in it");
    assert_eq!(agent.close_connection(&Actor::Agent, caller, &open.id), Err(Refusal::NotFound));
    thread.join().unwrap();
}
