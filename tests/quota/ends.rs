//! When what is leased comes back: a client that is silent, a session that is told to end.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Agent;
use crate::raw::*;
use crate::session::Place;

const QUOTA: [&str; 4] = ["--quota", "9", "--quota-backend", "ledger"];
/// Far more than any of this takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A session over a socket, as accountd-login gives it one.
struct Session {
    program: Child,
    client: UnixStream,
}

impl Session {
    fn start(agent: &Agent, place: &Place) -> Self {
        let (client, theirs) = UnixStream::pair().unwrap();
        let theirs = OwnedFd::from(theirs);
        let mut command = logged(&agent.socket, place.path("").as_path(), &[&["sftp"], &QUOTA[..]].concat());
        let program = command.stdin(theirs.try_clone().unwrap()).stdout(theirs).spawn().unwrap();
        let mut session = Self { program, client };
        session.ask(INIT, &Body::new().number(3));
        session
    }

    fn ask(&mut self, kind: u8, body: &Body) -> Vec<u8> {
        let length = u32::try_from(body.0.len() + 1).unwrap().to_be_bytes();
        self.client.write_all(&[&length[..], &[kind], &body.0].concat()).unwrap();
        let mut length = [0; 4];
        self.client.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.client.read_exact(&mut answer).unwrap();
        answer
    }

    /// Makes a file of a hundred bytes, which stays open.
    fn store(&mut self) {
        let open = Body::new().number(1).text("f").number(2 | 8).number(NO_ATTRIBUTES);
        let answer = self.ask(OPEN, &open);
        assert_eq!(answer[0], HANDLE);
        let write = Body::new().number(2).text(&answer[9..]).long(0).text([b'x'; 100]);
        assert_eq!(number(&self.ask(WRITE, &write)[5..]), OK);
    }
}

#[test]
fn what_a_silent_client_does_not_need_comes_back_and_it_may_go_on() {
    let place = Place::new();
    let agent = Agent::start((1 << 40, 1000), (0, 0));
    let mut session = Session::start(&agent, &place);
    session.store();
    assert_eq!(agent.returned.recv_timeout(PATIENCE).unwrap(), (100, 1));
    session.store();
    drop(session.client);
    assert!(session.program.wait().unwrap().success());
    assert_eq!(agent.end(), (100, 1));
}

#[test]
fn a_session_that_is_told_to_end_gives_back_what_it_does_not_need() {
    for signal in ["-TERM", "-HUP"] {
        let place = Place::new();
        let agent = Agent::start((1 << 40, 1000), (0, 0));
        let mut session = Session::start(&agent, &place);
        session.store();
        let told = Command::new("kill").args([signal, &session.program.id().to_string()]).status();
        assert!(told.unwrap().success());
        session.program.wait().unwrap();
        assert_eq!(agent.end(), (100, 1), "{signal}");
    }
}

#[test]
fn no_other_program_gets_the_way_to_the_quota() {
    let place = Place::new();
    let agent = Agent::start((1 << 40, 1000), (0, 0));
    let shell = ["command", "--services", "scp,shell", "--shell", "/bin/sh"];
    let line = "test -e /proc/self/fd/9 && echo open || echo closed";
    let options = [&shell[..], &QUOTA, &["--", line]].concat();
    let output = logged(&agent.socket, place.path("").as_path(), &options).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "closed\n");
}
