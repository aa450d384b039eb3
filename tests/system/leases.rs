//! A session that says on its way to the quota what its program never would: it gains no room, and nobody else
//! notices.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use super::peer::{Connection, Peer, framed};
use super::privilege::sessions_of;
use crate::running::Running;
use crate::v2::Nas;
use crate::world::wait_for;

const MIB: u64 = 1 << 20;

fn nas_with(limits: &Value) -> Nas {
    let nas = Nas::start();
    let home = "/mnt/tank/home/anna";
    nas.post("/users", &json!({"username": "anna", "uid": 3001, "password": "pw", "home": home, "limits": limits}));
    nas
}

/// A session of a client that does nothing, and somebody who has got at its end of the way.
struct Taken {
    client: Running,
    peer: Peer,
    on: Connection,
}

impl Taken {
    fn start(nas: &Nas) -> Self {
        let before = sessions_of(&nas.world, 3001);
        let mut command = nas.world.with_password("anna", "pw").prepare("ssh");
        command.args(["-s", "127.0.0.1", "sftp"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = Running::start(&mut command);
        client.stdin.as_mut().unwrap().write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).unwrap();
        // When it answers, everything is where it stays.
        client.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
        let new = |one: &u32| !before.contains(one);
        let session = sessions_of(&nas.world, 3001).into_iter().find(new).unwrap();
        let descriptor = quota_of(session).expect("a way to the quota");
        let mut peer = Peer::at(session, descriptor);
        let on = peer.connect().unwrap();
        Self { client, peer, on }
    }

    fn ask(&mut self, request: &Value) -> Option<Value> {
        self.peer.ask(self.on, request)
    }
}

/// Under which number a session has it: the socket that is not the client's.
fn quota_of(session: u32) -> Option<u32> {
    let place = |number: u32| fs::read_link(format!("/proc/{session}/fd/{number}")).ok();
    let client = place(0)?;
    let is_way =
        |number: &u32| place(*number).is_some_and(|it| it != client && it.to_string_lossy().starts_with("socket:"));
    (3..20).find(is_way)
}

fn used(nas: &Nas) -> u64 {
    nas.rest.get("/users/anna/quota").object(200)["used_bytes"].as_u64().unwrap()
}

fn lease(bytes: u64, files: u64) -> Value {
    json!({"lease": {"bytes": bytes, "files": files}})
}

fn give_back(bytes: u64) -> Value {
    let all = json!({"bytes": bytes, "files": bytes});
    json!({"return": {"unused": all, "freed": all}})
}

#[test]
fn what_is_no_question_about_a_quota_ends_the_sessions_way_and_nothing_else() {
    let nas = nas_with(&json!({"quota_bytes": 3 * MIB}));
    let before = (used(&nas), nas.world.process("agent"), nas.world.process("login"));
    for bytes in [
        framed(b""),
        framed(b"null"),
        framed(b"\"grant\""),
        framed(b"[[[[[[[["),
        framed(&[b'['; 1024]),
        framed(br#"{"lease":{"bytes":-1,"files":0}}"#),
        framed(br#"{"lease":{"bytes":18446744073709551616,"files":0}}"#),
        framed(br#"{"lease":{"bytes":1e30,"files":0}}"#),
        framed(br#"{"return":{"unused":{"bytes":-1,"files":0},"freed":{"bytes":0,"files":0}}}"#),
        // Of another account, or another session: there is no word for that.
        framed(br#"{"quota":{"account":1,"session":1,"request":{"lease":{"bytes":1,"files":0}}}}"#),
        1025_u32.to_be_bytes().to_vec(),
        u32::MAX.to_be_bytes().to_vec(),
    ] {
        let mut taken = Taken::start(&nas);
        taken.peer.send(taken.on, &bytes);
        assert_eq!(taken.peer.hear(taken.on), None, "{bytes:?}");
        assert!(taken.client.is_there(), "{bytes:?}");
    }
    wait_for("the end of the sessions", || sessions_of(&nas.world, 3001).is_empty());
    assert_eq!((used(&nas), nas.world.process("agent"), nas.world.process("login")), before);
}

#[test]
fn a_session_has_no_more_room_for_what_it_says() {
    let nas = nas_with(&json!({"quota_bytes": 3 * MIB}));
    let begun = used(&nas);
    let mut taken = Taken::start(&nas);
    let exceeded = Some(json!({"exceeded": {"bytes": 3 * MIB}}));
    assert_eq!(taken.ask(&lease(3 * MIB, 0)), exceeded);
    for _ in 0..3 {
        assert_eq!(taken.ask(&give_back(u64::MAX)), Some(json!("taken")));
        assert_eq!(taken.ask(&lease(3 * MIB - begun + 1, 0)), exceeded);
        let too_many = taken.ask(&lease(u64::MAX, u64::MAX)).unwrap();
        assert!(too_many["exceeded"].is_object(), "{too_many}");
    }
    assert!(taken.ask(&lease(3 * MIB - begun, 0)).unwrap()["leased"].is_object());
    assert_eq!(taken.ask(&lease(1, 0)), exceeded);
    assert_eq!(used(&nas), 3 * MIB);
}

#[test]
fn huge_leases_before_there_is_a_limit_make_no_room_under_the_next_one() {
    let nas = nas_with(&json!({"quota_files": 1000}));
    let stored = used(&nas);
    assert!(stored > 10, "{stored}");
    let mut taken = Taken::start(&nas);
    assert!(taken.ask(&lease(1, 0)).unwrap()["leased"].is_object());
    for _ in 0..3 {
        assert!(taken.ask(&lease(u64::MAX, 0)).unwrap()["exceeded"].is_object());
        taken.ask(&give_back(u64::MAX)).unwrap();
    }
    drop(taken);
    wait_for("the end of the session", || sessions_of(&nas.world, 3001).is_empty());
    nas.patch("/users/anna", &json!({"limits": {"quota_bytes": stored + 10}})).status_is(200);
    let mut taken = Taken::start(&nas);
    assert!(taken.ask(&lease(11, 0)).unwrap()["exceeded"].is_object());
    assert!(taken.ask(&lease(10, 0)).unwrap()["leased"].is_object());
}

#[test]
fn whoever_keeps_the_way_of_a_session_that_has_ended_leases_nothing_and_holds_nobody_up() {
    let nas = nas_with(&json!({"quota_bytes": 3 * MIB}));
    let begun = used(&nas);
    let mut taken = Taken::start(&nas);
    assert!(taken.ask(&lease(MIB, 0)).unwrap()["leased"].is_object());
    assert_eq!(used(&nas), begun + MIB);
    let Taken { client, mut peer, on } = taken;
    client.end();
    // What is leased comes back with a scan, though the way is open still.
    wait_for("the lease of an ended session", || used(&nas) == begun);
    peer.send(on, &framed(lease(MIB, 0).to_string().as_bytes()));
    assert_eq!(peer.hear(on), None);
    assert_eq!(used(&nas), begun);
}
