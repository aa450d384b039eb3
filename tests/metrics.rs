//! What is counted, through the real programs: each number moves with what it is about, and the page is
//! in the text format of Prometheus (version 0.0.4).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use accountd_protocol::frame::{self, LOGIN_CAP};
use accountd_protocol::login::{LoginEvent, LoginRequest};
use accountd_protocol::metrics::SshNumbers;
use serde_json::json;

use crate::openssh::run;
use crate::running::Running;
use crate::unauthenticated::Front;
use crate::v2::{Nas, problem};
use crate::world::{World, wait_for};

/// Bans come soon, delays never.
const SOON: &str = "[bans]\nfirst_delay_seconds = 0\nban_after = 4\n";
/// The sources of those who guess and of those who flood.
const ATTACKER: &str = "127.0.0.2";
const FLOOD: [u8; 4] = [127, 0, 0, 5];

/// `accountd_up{program="ssh"}` and the like, with their values.
type Page = BTreeMap<String, u64>;

/// Holds a page to the format: each name once, with help, type and its numbers behind; no series twice.
#[track_caller]
fn parsed(text: &str) -> Page {
    assert!(text.ends_with('\n'), "the last line has an end");
    let (mut page, mut names) = (Page::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(line);
        assert!(is_name(name) && !help.is_empty() && names.insert(name), "{line}");
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} "))).expect(line);
        assert_eq!(kind, if name.ends_with("_total") { "counter" } else { "gauge" }, "{name}");
        let before = page.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let rest = series.strip_prefix(name).expect(line);
            assert!(rest.is_empty() || are_labels(rest), "{line}");
            assert!(page.insert(series.to_owned(), value.parse().expect(line)).is_none(), "twice: {line}");
        }
        assert!(page.len() > before, "{name} has no number");
    }
    page
}

fn is_name(text: &str) -> bool {
    text.starts_with("accountd_") && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// `{label="value",…}` of our own small words.
fn are_labels(text: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let quoted = |text: &str| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).is_some_and(word);
    let pair = |pair: &str| pair.split_once('=').is_some_and(|(label, value)| word(label) && quoted(value));
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    inner.is_some_and(|inner| inner.split(',').all(pair))
}

fn page(nas: &Nas) -> Page {
    let answer = nas.rest.get("/metrics");
    answer.status_is(200);
    parsed(&answer.body)
}

/// Waits until the page has had all of these numbers.
#[track_caller]
fn shows(nas: &Nas, wanted: &[(&str, u64)]) {
    for (series, value) in wanted {
        wait_for(&format!("{series} {value}"), || {
            // They are told every few seconds.
            std::thread::sleep(Duration::from_millis(100));
            page(nas).get(*series) == Some(value)
        });
    }
}

/// A sandbox with `anna`, who has a shell, and `berta`, who has none; the password of both is `pw`.
fn nas() -> Nas {
    let nas = Nas::of(World::start_with(SOON));
    for (name, shell) in [("anna", "/bin/bash"), ("berta", "/usr/sbin/nologin")] {
        let user =
            json!({"username": name, "password": "pw", "home": format!("/mnt/tank/home/{name}"), "shell": shell});
        nas.post("/users", &user);
    }
    nas
}

/// A session of files that lasts until it is ended.
fn lasting(nas: &Nas) -> Running {
    let mut command: Command = nas.world.with_password("anna", "pw").prepare("ssh");
    command.args(["-s", "127.0.0.1", "sftp"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    Running::start(&mut command)
}

#[test]
fn logins_and_sessions_are_counted_by_what_they_are_and_come_to() {
    let nas = nas();
    shows(&nas, &[("accountd_up{program=\"ssh\"}", 1), ("accountd_ssh_connections_accepted_total", 0)]);
    let (key, public) = nas.world.make_key("key", "ed25519");
    let (other, _) = nas.world.make_key("other", "ed25519");
    nas.put("/users/anna/keys", &json!({"keys": [public]})).status_is(200);
    let anna = nas.world.with_password("anna", "pw");
    anna.sftp("pwd\n");
    assert_eq!(anna.ssh(&["exit 3"]).status.code(), Some(3));
    assert_eq!(anna.ssh(&["true"]).status.code(), Some(0));
    assert!(!nas.world.with_password("anna", "wrong").logs_in());
    nas.world.with_key("anna", &key).sftp("pwd\n");
    assert!(!nas.world.with_key("anna", &other).logs_in());
    assert!(!nas.world.with_password("berta", "pw").ssh(&[]).status.success());
    shows(
        &nas,
        &[
            ("accountd_ssh_connections_accepted_total", 7),
            ("accountd_ssh_connections", 0),
            ("accountd_ssh_authentications_total{method=\"password\",result=\"granted\"}", 4),
            ("accountd_ssh_authentications_total{method=\"password\",result=\"refused\"}", 1),
            ("accountd_ssh_authentications_total{method=\"publickey\",result=\"granted\"}", 1),
            ("accountd_ssh_authentications_total{method=\"publickey_offer\",result=\"granted\"}", 1),
            ("accountd_ssh_authentications_total{method=\"publickey_offer\",result=\"refused\"}", 1),
            ("accountd_login_logins_total{method=\"password\",result=\"granted\"}", 4),
            ("accountd_login_logins_total{method=\"password\",result=\"refused\"}", 1),
            ("accountd_login_logins_total{method=\"publickey\",result=\"granted\"}", 1),
            ("accountd_login_sessions_begun_total{service=\"sftp\"}", 2),
            ("accountd_login_sessions_begun_total{service=\"command\"}", 2),
            ("accountd_login_sessions_ended_total{how=\"exited_ok\"}", 3),
            ("accountd_login_sessions_ended_total{how=\"exited_error\"}", 1),
            ("accountd_login_sessions{service=\"sftp\"}", 0),
            ("accountd_login_sessions_not_opened_total{reason=\"not_allowed\"}", 1),
            ("accountd_agent_decisions_total{method=\"password\",result=\"granted\"}", 4),
            ("accountd_agent_decisions_total{method=\"password\",result=\"refused\"}", 1),
            ("accountd_agent_decisions_total{method=\"publickey\",result=\"granted\"}", 1),
            ("accountd_agent_key_offers_total{result=\"acceptable\"}", 1),
            ("accountd_agent_key_offers_total{result=\"refused\"}", 1),
        ],
    );
    let mut get = nas.world.with_password("anna", "pw").prepare("ssh");
    get.args(["127.0.0.1", "head -c 1000000; head -c 2000000 /dev/zero"]);
    let before = page(&nas);
    assert_eq!(run(get, &vec![b'x'; 1_000_000]).stdout.len(), 3_000_000);
    let moved = |page: &Page, direction: &str| {
        let series = format!("accountd_ssh_session_bytes_total{{direction=\"{direction}\"}}");
        page[&series] - before[&series]
    };
    wait_for("the bytes", || moved(&page(&nas), "from_sessions") == 3_000_000);
    assert_eq!(moved(&page(&nas), "to_sessions"), 1_000_000);
}

#[test]
fn a_session_runs_until_its_account_is_locked() {
    let nas = nas();
    let mut lasting = lasting(&nas);
    let open = [("accountd_ssh_connections", 1), ("accountd_login_sessions{service=\"sftp\"}", 1)];
    shows(&nas, &open);
    nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    lasting.wait().unwrap();
    shows(
        &nas,
        &[
            ("accountd_ssh_connections", 0),
            ("accountd_login_sessions{service=\"sftp\"}", 0),
            ("accountd_login_sessions_ended_total{how=\"revoked\"}", 1),
        ],
    );
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    let left = self::lasting(&nas);
    shows(&nas, &open);
    left.end();
    shows(&nas, &[("accountd_ssh_connections", 0), ("accountd_login_sessions{service=\"sftp\"}", 0)]);
}

#[test]
fn who_is_turned_away_cut_off_or_banned_is_counted() {
    let nas = nas();
    nas.world.hold("ssh");
    nas.world.kill("ssh");
    let front = Front::of(&nas.world, &["--unauthenticated-per-source", "3", "--login-grace", "15"]);
    let silent = [(); 3].map(|()| front.served(FLOOD));
    assert!(front.is_turned_away(FLOOD));
    let source_full = "accountd_ssh_connections_turned_away_total{reason=\"source_full\"}";
    shows(&nas, &[(source_full, 1), ("accountd_ssh_connections_unauthenticated", 3)]);
    for (password, status) in [("wrong", 401), ("wrong", 401), ("wrong", 401), ("wrong", 401), ("pw", 429)] {
        let asked = nas.rest.as_user("anna", password).curl("GET", "/users/~", &["--interface", ATTACKER], None);
        asked.status_is(status);
    }
    for _ in 0..4 {
        let made_up = nas.rest.as_user("made-up", "wrong");
        made_up.curl("GET", "/users/~", &["--interface", "127.0.0.3"], None).status_is(401);
    }
    shows(
        &nas,
        &[
            (source_full, 1),
            ("accountd_ssh_connections_accepted_total", 3),
            ("accountd_ssh_connections_unauthenticated", 0),
            ("accountd_ssh_connections_cut_off_total{reason=\"login_grace\"}", 3),
            ("accountd_agent_rest_authentications_total{method=\"password\",result=\"refused\"}", 8),
            ("accountd_agent_rest_authentications_total{method=\"password\",result=\"turned_away\"}", 1),
            ("accountd_agent_bans_begun_total{of=\"source\"}", 2),
            ("accountd_agent_bans_begun_total{of=\"account\"}", 1),
            ("accountd_agent_bans_begun_total{of=\"unknown_name\"}", 1),
            ("accountd_agent_bans{of=\"source\"}", 2),
        ],
    );
    drop(silent);
    let id = nas.rest.get("/bans").object(200)["items"][0]["id"].to_string();
    nas.done(&["ban", "lift", &id]);
    shows(&nas, &[("accountd_agent_bans{of=\"source\"}", 1), ("accountd_agent_bans_begun_total{of=\"source\"}", 2)]);
    let text = nas.rest.get("/metrics").body;
    assert!(!["anna", "berta", "made-up", "root", "127."].iter().any(|said| text.contains(said)), "{text}");
}

#[test]
fn a_program_that_is_started_again_begins_at_0_and_the_others_go_on() {
    let nas = nas();
    nas.world.with_password("anna", "pw").sftp("pwd\n");
    let (front, sessions) =
        ("accountd_ssh_connections_accepted_total", "accountd_login_sessions_begun_total{service=\"sftp\"}");
    shows(&nas, &[(front, 1), (sessions, 1)]);
    nas.world.kill("ssh");
    shows(&nas, &[(front, 0), (sessions, 1)]);
    nas.world.kill("agent");
    wait_for("the agent", || nas.rest.get("/metrics").status == 200);
    let up = ["login", "ssh"].map(|program| format!("accountd_up{{program=\"{program}\"}}"));
    shows(&nas, &[(&up[0], 1), (&up[1], 1), (front, 0), (sessions, 1)]);
}

#[test]
fn numbers_of_a_front_are_taken_where_no_client_is_and_nowhere_else() {
    let nas = nas();
    nas.world.hold("ssh");
    nas.world.kill("ssh");
    let connect = || UnixStream::connect(nas.world.root().join("run/accountd/login.sock")).unwrap();
    let ask = |stream: &mut UnixStream, request: &LoginRequest| -> Option<LoginEvent> {
        frame::write(stream, request, LOGIN_CAP).unwrap();
        frame::read(stream, LOGIN_CAP).unwrap_or(None)
    };
    let open = |number: u64| {
        LoginRequest::ReportNumbers(Box::new(SshNumbers { open: number.into(), ..SshNumbers::default() }))
    };
    let mut front = connect();
    assert!(matches!(ask(&mut front, &open(41)), Some(LoginEvent::NumbersTaken)));
    let here: SocketAddr = "192.0.2.1:22".parse().unwrap();
    let mut client = connect();
    let greeted = ask(&mut client, &LoginRequest::Hello { client: here, server: here, version: "SSH-2.0-Test".into() });
    assert!(matches!(greeted, Some(LoginEvent::Welcome)));
    assert!(ask(&mut client, &open(42)).is_none(), "its connection is ended");
    shows(&nas, &[("accountd_ssh_connections", 41)]);
    assert!(matches!(ask(&mut front, &open(43)), Some(LoginEvent::NumbersTaken)));
    shows(&nas, &[("accountd_ssh_connections", 43)]);
}

#[test]
fn the_page_is_for_whoever_has_a_role() {
    let nas = nas();
    let key = |name: &str| -> String {
        let made = nas.rest.as_user(name, "pw").post("/users/~/api-keys", r#"{"name": "scraper"}"#).object(201);
        made["key"].as_str().unwrap().to_owned()
    };
    nas.put("/users/berta/roles", &json!({"roles": ["auditor"]})).status_is(200);
    // It takes the place of the other credential.
    let bearer = |key: &str| format!("Authorization: Bearer {key}");
    let scrape = |key: &str| nas.rest.curl("GET", "/metrics", &["-H", &bearer(key)], None);
    let seen = nas.rest.as_user("berta", "pw").get("/metrics");
    seen.status_is(200);
    assert_eq!(seen.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    parsed(&seen.body);
    problem(&nas.rest.as_user("anna", "pw").get("/metrics"), 403, "not-permitted", &[]);
    problem(&nas.rest.as_user("anna", "wrong").get("/metrics"), 401, "unauthenticated", &[]);
    let by_key = scrape(&key("berta"));
    by_key.status_is(200);
    assert!(parsed(&by_key.body).contains_key("accountd_up{program=\"agent\"}"), "{}", by_key.body);
    assert!(parsed(&nas.done(&["metrics"])).contains_key("accountd_up{program=\"agent\"}"));
}
