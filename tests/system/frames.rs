//! Frames that are none, on both sockets: whoever sends them loses its connection, and nobody else notices.

use std::fs;

use serde_json::{Value, json};

use super::peer::{AGENT, API, Connection, LOGIN, Peer, SSH, framed};
use crate::freenas::{Nas, new_user};
use crate::world::wait_for;

/// The longest that either socket takes.
const AGENT_CAP: u32 = 65 * 1024 * 1024;
const LOGIN_CAP: u32 = 256 * 1024;
/// More than a front has, and more than either socket takes.
const VERY_MANY: usize = 1100;
/// What so many may cost, in KiB: a thread and its stack each.
const MOST_KIB: u64 = 64 * 1024;

/// A socket with whoever has taken over its front.
struct Attacked {
    nas: Nas,
    program: &'static str,
    front: Peer,
    cap: u32,
    /// A request that is always answered, and how.
    good: (Value, Value),
}

impl Attacked {
    fn agent() -> Self {
        let nas = nas_with_anna();
        let front = Peer::of(&nas.world, API, AGENT);
        Self { nas, program: "agent", front, cap: AGENT_CAP, good: (json!("ping"), json!({"Ok": "done"})) }
    }

    fn login() -> Self {
        let nas = nas_with_anna();
        let front = Peer::of(&nas.world, SSH, LOGIN);
        let hello = json!({"hello": {"client": "192.0.2.1:1", "server": "192.0.2.2:22", "version": "x"}});
        Self { nas, program: "login", front, cap: LOGIN_CAP, good: (hello, json!("welcome")) }
    }

    fn both() -> [Self; 2] {
        [Self::agent(), Self::login()]
    }

    #[track_caller]
    fn connect(&mut self) -> Connection {
        self.front.connect().expect("a connection")
    }

    #[track_caller]
    fn serves(&mut self, after: &str) {
        assert_eq!(self.front.ask_anew(&self.good.0), Some(self.good.1.clone()), "{} after {after}", self.program);
    }

    fn process(&self) -> String {
        format!("/proc/{}", self.nas.world.process(self.program))
    }

    fn open_descriptors(&self) -> usize {
        fs::read_dir(format!("{}/fd", self.process())).unwrap().count()
    }

    /// What it has in memory, in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas
}

/// Bodies that no request has.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let hello = |rest: &str| format!("{{\"hello\":{{{rest}}}}}").into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("no JSON", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("bytes of zero", vec![0; 100]),
        ("no UTF-8", b"{\"hello\":{\"version\":\"\xff\xfe\"}}".to_vec()),
        ("half a surrogate", br#"{"hello":{"version":"\ud800"}}"#.to_vec()),
        ("an end that is missing", b"{\"hello\":{".to_vec()),
        ("something behind the end", b"\"ping\" \"ping\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999999999".to_vec()),
        ("a list", b"[]".to_vec()),
        ("an unknown request", b"\"shutdown\"".to_vec()),
        ("no request", b"{}".to_vec()),
        ("two requests in one", br#"{"close":{"session":1},"open_handle":{}}"#.to_vec()),
        ("a request without its fields", br#"{"hello":{}}"#.to_vec()),
        ("a request with null fields", hello(r#""client":null,"server":null,"version":null"#)),
        ("a field twice", hello(r#""version":"a","version":"b""#)),
        ("an address that is none", hello(r#""client":"1.2.3.4:99999","server":"[::1]:1","version":"""#)),
        ("a number that is too large", br#"{"close":{"session":18446744073709551616}}"#.to_vec()),
        ("a number below zero", br#"{"close":{"session":-1}}"#.to_vec()),
        ("a number that is none", br#"{"close":{"session":1.5}}"#.to_vec()),
        ("lists in lists", nested("[", "]").into_bytes()),
        ("objects in objects", nested("{\"hello\":", "}").into_bytes()),
        ("lists without an end", b"[".repeat(100_000)),
    ]
}

#[test]
fn whatever_is_no_request_ends_its_connection_and_no_other() {
    for mut attacked in Attacked::both() {
        let (process, bystander) = (attacked.process(), attacked.connect());
        for (name, body) in bodies() {
            let on = attacked.connect();
            attacked.front.send(on, &framed(&body));
            assert_eq!(attacked.front.hear(on), None, "{}: {name}", attacked.program);
            attacked.serves(name);
        }
        let (request, answer) = attacked.good.clone();
        assert_eq!(attacked.front.ask(bystander, &request), Some(answer));
        assert_eq!(attacked.process(), process);
        assert!(attacked.nas.world.with_password("anna", "pw").logs_in());
    }
}

#[test]
fn a_length_over_the_cap_is_refused_before_anything_is_held_for_it() {
    for mut attacked in Attacked::both() {
        for length in [attacked.cap + 1, 1 << 31, u32::MAX] {
            let before = attacked.resident();
            let on = attacked.connect();
            attacked.front.send(on, &length.to_be_bytes());
            assert_eq!(attacked.front.hear(on), None, "{}: {length}", attacked.program);
            assert!(attacked.resident() < before + 1024, "{}: {length}", attacked.program);
            attacked.serves("a length over the cap");
        }
    }
}

#[test]
fn what_ends_or_stops_within_a_frame_holds_nobody_up() {
    for mut attacked in Attacked::both() {
        let cap = attacked.cap.to_be_bytes();
        for start in [&[0][..], &[0, 0, 0], &[0, 0, 0, 9, b'"'], &cap] {
            let (left, stalled) = (attacked.connect(), attacked.connect());
            attacked.front.send(left, start);
            attacked.front.send(stalled, start);
            attacked.front.close(left);
            attacked.serves("half a frame");
        }
        assert!(attacked.nas.world.with_password("anna", "pw").logs_in());
    }
}

#[test]
fn descriptors_that_nobody_has_asked_for_stay_nowhere() {
    for mut attacked in Attacked::both() {
        let request = attacked.good.0.to_string();
        attacked.serves("nothing");
        let before = attacked.open_descriptors();
        for number in [1, 8, 9, 253] {
            let on = attacked.connect();
            attacked.front.send_with(on, &framed(request.as_bytes()), 0, number);
            assert!(attacked.front.hear(on).is_some(), "{}: {number}", attacked.program);
            // Its connection, and what is asked of others for it.
            assert!(attacked.open_descriptors() <= before + 6, "{}: {number}", attacked.program);
            attacked.front.close(on);
            // The next is not to be counted beside this one.
            wait_for("descriptors that are closed", || attacked.open_descriptors() <= before);
        }
    }
}

#[test]
fn a_thousand_connections_that_are_left_open_cost_little_and_keep_nobody_else_out() {
    for mut attacked in Attacked::both() {
        let (program, before) = (attacked.program, attacked.resident());
        let half = [&[0, 0, 0, 9][..], b"\"p"].concat();
        let all: Vec<Connection> = (0..VERY_MANY).map(|_| attacked.connect()).collect();
        all.iter().for_each(|on| attacked.front.send(*on, &half));
        assert!(attacked.resident() < before + MOST_KIB, "{program}: {} KiB", attacked.resident());
        if program == "agent" {
            // The SSH front's logins have nothing to do with the REST front, and root's commands neither.
            assert!(attacked.nas.world.with_password("anna", "pw").logs_in());
            let mut root = Peer::of(&attacked.nas.world, (0, 0), AGENT);
            assert_eq!(root.ask_anew(&json!("ping")), Some(json!({"Ok": "done"})));
        } else {
            attacked.nas.rest.get("/account/users/").status_is(200);
        }
        all.into_iter().for_each(|on| attacked.front.close(on));
        wait_for("places that are free again", || attacked.front.ask_anew(&attacked.good.0).is_some());
        assert!(attacked.nas.world.with_password("anna", "pw").logs_in());
    }
}

#[test]
fn large_requests_of_the_rest_front_are_held_four_at_a_time() {
    const LENGTH: u32 = 20 * 1024 * 1024;
    let mut attacked = Attacked::agent();
    let all: Vec<Connection> = (0..5).map(|_| attacked.connect()).collect();
    let all_but_one = usize::try_from(LENGTH).unwrap() - 1;
    let taken: Vec<usize> = all.iter().map(|on| attacked.front.pour(*on, &LENGTH.to_be_bytes(), all_but_one)).collect();
    assert_eq!(taken[..4], [all_but_one + 4; 4]);
    // What the kernel keeps for a socket is far less.
    assert!(taken[4] < all_but_one / 10, "{taken:?}");
    attacked.serves("large requests");
    assert!(attacked.nas.world.with_password("anna", "pw").logs_in());
    attacked.front.close(all[0]);
    let rest = all_but_one + 4 - taken[4];
    assert_eq!(attacked.front.pour(all[4], &[], rest), rest);
}

#[test]
fn a_name_of_a_megabyte_is_cut_in_the_log() {
    let long = "\u{1}".repeat(100_000);
    let mut attacked = Attacked::agent();
    let before = attacked.nas.world.log().len();
    let request = json!({"open_handle": {"user": long.repeat(10), "password": long, "source": "192.0.2.1"}});
    assert_eq!(attacked.front.ask_anew(&request), Some(json!({"Err": "bad_credentials"})));
    assert!(attacked.nas.world.log().len() < before + 10_000);

    let mut attacked = Attacked::login();
    let before = attacked.nas.world.log().len();
    let on = attacked.connect();
    let name = "\u{1}".repeat(20_000);
    assert!(attacked.front.ask(on, &attacked.good.0.clone()).is_some());
    let request = json!({"authenticate": {"user": name, "proof": {"password": name}}});
    assert_eq!(attacked.front.ask(on, &request), Some(json!({"authenticated": "refused"})));
    assert!(attacked.nas.world.log().len() < before + 10_000);
}
