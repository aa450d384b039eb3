//! What an SSH front that was taken over can claim at login's socket, and what it can not.

use std::path::Path;

use serde_json::{Value, json};

use super::peer::{Connection, LOGIN, Peer, SSH};
use super::privilege::sessions_of;
use crate::freenas::{Nas, new_user, with_bash};
use crate::world::{World, wait_for};

const ANNA: u32 = 3001;
const BERT: u32 = 3002;

/// A sandbox with two users, whose passwords are their names.
fn nas_with_two() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&with_bash(&new_user("anna", ANNA, "anna")));
    nas.rest.create_user(&with_bash(&new_user("bert", BERT, "bert")));
    nas
}

fn hello() -> Value {
    json!({"hello": {"client": "192.0.2.1:1", "server": "192.0.2.2:22", "version": "x"}})
}

fn password(user: &str, password: &str) -> Value {
    json!({"authenticate": {"user": user, "proof": {"password": password}}})
}

fn sftp() -> Value {
    json!({"open": {"service": {"sftp": {"links": "target_first"}}, "terminal": null, "environment": []}})
}

/// A connection on which somebody has logged in.
#[track_caller]
fn logged_in(front: &mut Peer, user: &str) -> Connection {
    let on = front.connect().unwrap();
    assert_eq!(front.ask(on, &hello()), Some(json!("welcome")));
    let answer = front.ask(on, &password(user, user)).unwrap();
    assert!(answer["authenticated"]["granted"].is_object(), "{answer}");
    on
}

/// What becomes of a connection on which these are asked one after the other.
#[track_caller]
fn ask_all(front: &mut Peer, requests: &[Value]) -> Option<Value> {
    let on = front.connect().unwrap();
    let answers: Vec<Option<Value>> = requests.iter().map(|request| front.ask(on, request)).collect();
    front.close(on);
    answers.into_iter().next_back().unwrap()
}

#[test]
fn a_connection_of_the_front_signals_and_closes_no_session_of_another() {
    let nas = nas_with_two();
    let (mut front, mut second) = (Peer::of(&nas.world, SSH, LOGIN), Peer::of(&nas.world, SSH, LOGIN));
    let anna = logged_in(&mut front, "anna");
    assert_eq!(front.ask(anna, &sftp()).unwrap()["opened"]["session"], 1);
    let session = sessions_of(&nas.world, ANNA)[0];
    let others = [logged_in(&mut front, "bert"), logged_in(&mut front, "anna")];
    for number in [0, 1, 2, u64::MAX] {
        for on in others {
            let close = json!({"close": {"session": number}});
            assert_eq!(front.ask(on, &close), Some(json!("closed")));
            let signal = json!({"signal": {"session": number, "number": 9}});
            assert_eq!(front.ask(on, &signal), Some(json!("signalled")));
        }
    }
    let of_second = logged_in(&mut second, "bert");
    assert_eq!(second.ask(of_second, &json!({"close": {"session": 1}})), Some(json!("closed")));
    // A session of their own shows that what was asked for before has been done.
    for on in others {
        assert!(front.ask(on, &sftp()).unwrap()["opened"].is_object());
    }
    assert!(sessions_of(&nas.world, ANNA).contains(&session));
    front.send(anna, &super::peer::framed(json!({"close": {"session": 1}}).to_string().as_bytes()));
    wait_for("the end of the session", || !sessions_of(&nas.world, ANNA).contains(&session));
    // Those of the other front end with it, and only those.
    assert!(second.ask(of_second, &sftp()).unwrap()["opened"].is_object());
    let of_bert = sessions_of(&nas.world, BERT);
    assert_eq!(of_bert.len(), 2);
    drop(second);
    wait_for("the end of what the other front had", || sessions_of(&nas.world, BERT).len() == 1);
    assert_eq!(sessions_of(&nas.world, ANNA).len(), 1);
    others.into_iter().for_each(|on| front.close(on));
    wait_for("the end of all", || [ANNA, BERT].iter().all(|uid| sessions_of(&nas.world, *uid).is_empty()));
}

#[test]
fn a_connection_has_only_so_many_sessions_at_a_time() {
    let nas = nas_with_two();
    let mut front = Peer::of(&nas.world, SSH, LOGIN);
    let on = logged_in(&mut front, "anna");
    let opened = |front: &mut Peer| front.ask(on, &sftp()).unwrap();
    for number in 0..64 {
        assert!(opened(&mut front)["opened"].is_object(), "{number}");
    }
    assert_eq!(opened(&mut front), json!({"not_opened": "too many sessions on this connection"}));
    assert_eq!(sessions_of(&nas.world, ANNA).len(), 64);
}

#[test]
fn requests_out_of_their_turn_end_the_connection_and_start_nothing() {
    let nas = nas_with_two();
    let mut front = Peer::of(&nas.world, SSH, LOGIN);
    let (hello, right, wrong) = (hello(), password("anna", "anna"), password("anna", "no"));
    let numbers = json!({"report_numbers": accountd_protocol::metrics::SshNumbers::default()});
    let key = json!({"offer_key": {"user": "anna", "key": [1]}});
    for requests in [
        vec![right.clone()],
        vec![key],
        vec![sftp()],
        vec![hello.clone(), hello.clone()],
        vec![hello.clone(), sftp()],
        vec![hello.clone(), wrong, sftp()],
        vec![hello.clone(), numbers.clone()],
        vec![hello.clone(), right.clone(), hello.clone()],
        vec![hello.clone(), right.clone(), right.clone()],
        vec![hello.clone(), right.clone(), password("bert", "bert")],
        vec![hello, right, numbers],
    ] {
        assert_eq!(ask_all(&mut front, &requests), None, "{requests:?}");
    }
    assert!(sessions_of(&nas.world, ANNA).is_empty());
    assert!(nas.world.with_password("anna", "anna").logs_in());
}

#[test]
fn a_front_can_claim_a_key_that_lets_somebody_in_and_nothing_that_lets_nobody_in() {
    // Also root's key lets nobody in, unless that is permitted.
    let nas = Nas::of(World::start_with("[accounts]\n"));
    nas.rest.create_user(&new_user("anna", ANNA, "anna"));
    nas.rest.create_user(&new_user("bert", BERT, "bert"));
    let (_, anna) = nas.world.make_key("anna_key", "ed25519");
    let (_, other) = nas.world.make_key("other_key", "ed25519");
    nas.world.run(&["sh", "-c", "install -d -o anna -g anna -m 700 /mnt/tank/home/anna/.ssh"]);
    for (path, user) in [("/mnt/tank/home/anna/.ssh/authorized_keys", "anna"), ("/root/.ssh/authorized_keys", "root")] {
        std::fs::create_dir_all(nas.disk.path(Path::new(path).parent().unwrap().to_str().unwrap())).unwrap();
        std::fs::write(nas.disk.path(path), format!("{anna}\n")).unwrap();
        nas.world.run(&["chown", user, path]);
    }
    let mut front = Peer::of(&nas.world, SSH, LOGIN);
    let key = |user: &str, line: &str| {
        let proof = json!({"public_key": blob(line)});
        json!({"authenticate": {"user": user, "proof": proof}})
    };
    let mut granted = |request: Value| {
        let answer = ask_all(&mut front, &[hello(), request]).unwrap();
        answer["authenticated"]["granted"].is_object()
    };
    // The one thing that has to be believed (docs/security.md).
    assert!(granted(key("anna", &anna)));
    for (user, line) in [("anna", &other), ("bert", &anna), ("root", &anna), ("accountd-ssh", &anna), ("nobody", &anna)]
    {
        assert!(!granted(key(user, line)), "{user}");
    }
    for (user, shown) in [("root", nas.world.admin_password()), ("accountd-api", String::new()), ("daemon", "*".into())]
    {
        assert!(!granted(password(user, &shown)), "{user}");
    }
    nas.world.run(&["usermod", "-L", "anna"]);
    assert!(!granted(key("anna", &anna)) && !granted(password("anna", "anna")));
}

/// The key itself (RFC 4253 §6.6), from its line.
fn blob(line: &str) -> Vec<u8> {
    use base64ct::{Base64, Encoding};
    Base64::decode_vec(line.split(' ').nth(1).unwrap()).unwrap()
}

#[test]
fn what_nobody_would_ask_a_session_for_starts_none_or_a_harmless_one() {
    let nas = nas_with_two();
    let login = nas.world.process("login");
    let mut front = Peer::of(&nas.world, SSH, LOGIN);
    let terminal = |kind: &str, modes: Value| {
        let size = json!({"columns": u16::MAX, "rows": 0, "width": u16::MAX, "height": 0});
        json!({"kind": kind, "size": size, "modes": modes})
    };
    let modes: Vec<(u8, u32)> = (0..=255).map(|opcode| (opcode, u32::MAX)).collect();
    let many: Vec<(String, String)> = (0..5000).map(|number| (format!("LC_{number}"), String::new())).collect();
    let shell = |terminal: Value, environment: Value| json!({"open": {"service": "shell", "terminal": terminal, "environment": environment}});
    let command = |line: &str| json!({"open": {"service": {"command": line}, "terminal": null, "environment": []}});
    let connect = |host: &str, port: u16| {
        let service = json!({"connect": {"host": host, "port": port}});
        json!({"open": {"service": service, "terminal": null, "environment": []}})
    };
    for request in [
        shell(terminal("\0", json!([])), json!([])),
        shell(terminal("a=b\nc", json!(modes)), json!([])),
        shell(terminal(&"x".repeat(100_000), json!([])), json!([])),
        shell(Value::Null, json!([["", ""], ["=", "="], ["A=B", "C"], ["LANG", "\0"], ["\0", ""], ["LC_X", "\0"]])),
        shell(Value::Null, json!([["LD_PRELOAD", "/x"], ["PATH", "/x"], ["BASH_ENV", "/x"], ["SHELL", "/x"]])),
        shell(Value::Null, json!(many)),
        command("\0"),
        command(""),
        command(&"x".repeat(200_000)),
        command("--log 1"),
        connect("\0", 0),
        connect("--help", 22),
        connect(&"x".repeat(100_000), 1),
    ] {
        let on = logged_in(&mut front, "anna");
        let answer = front.ask(on, &request).unwrap_or_else(|| panic!("no answer to {request:.200}"));
        assert!(answer["opened"].is_object() || answer["not_opened"].is_string(), "{answer:.200}");
        for number in [i32::MIN, -1, 0, 65, 255, 256, i32::MAX] {
            let signal = json!({"signal": {"session": 1, "number": number}}).to_string();
            front.send(on, &super::peer::framed(signal.as_bytes()));
        }
        front.close(on);
        wait_for("the end of the session", || sessions_of(&nas.world, ANNA).is_empty());
    }
    assert_eq!(nas.world.process("login"), login);
    assert!(nas.world.with_password("anna", "anna").logs_in());
}
