//! The socket that everybody may connect to: whom each may speak for, how often, and what comes of nonsense.

use std::fs;
use std::process::Stdio;

use super::Stage;
use crate::running::Running;
use crate::world::{World, wait_for};

/// Sends one question as a user and prints the answer, or that there was none.
const ASK: &str = r#"
import json, socket, struct, sys
def ask(user, question, service="test"):
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect("/run/accountd/pam.sock")
    body = json.dumps({"user": user, "service": service, "question": question}).encode()
    return send(s, struct.pack(">I", len(body)) + body)
def send(s, data):
    try:
        s.sendall(data)
        head = s.recv(4, socket.MSG_WAITALL)
        if len(head) < 4: return "closed"
        return json.loads(s.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL))
    except (BrokenPipeError, ConnectionResetError):
        return "closed"
def raw(data):
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect("/run/accountd/pam.sock")
    return send(s, data)
"#;

fn python(stage: &Stage, uid: u32, script: &str) -> String {
    let said = stage.says_as(uid, &["python3", "-c", &format!("{ASK}{script}")], "");
    assert!(said.ok, "{said:?}");
    said.text.trim().to_owned()
}

#[test]
fn everybody_may_connect_and_speaks_for_nobody_else() {
    let stage = Stage::start();
    assert_eq!(stage.nas.disk.owner_and_mode("/run/accountd/pam.sock"), (0, 0, 0o666));
    stage.add("anna", 3001);
    stage.add("berta", 3002);
    let questions = r#"
password = {"password": "Pass-word1"}
for user in "anna", "berta":
    print(user, ask(user, {"authenticate": password}), ask(user, "check_account"), ask(user, "begin_password"),
          ask(user, {"follow_password": password}), ask(user, "open_session"), ask(user, "close_session"))
print(ask("root", {"authenticate": password}), ask("nobody-here", "check_account"))
"#;
    let before = stage.nas.disk.text("/etc/samba/smbpasswd");
    let said = python(&stage, 3002, questions);
    let no = "not_permitted";
    let expected =
        format!("anna {no} {no} {no} {no} {no} {no}\nberta granted granted done done {no} {no}\nnot_managed too_often");
    let said = said.replace("{'too_often': {'seconds': 3}}", "too_often");
    // Ten are answered at once; how many are too many depends on how long they have taken.
    let (said, expected) = (said.lines().next().unwrap(), expected.lines().next().unwrap());
    assert_eq!(said, expected);
    let line = |text: &str| text.lines().find(|line| line.starts_with("anna:")).map(str::to_owned);
    assert_eq!(line(&stage.nas.disk.text("/etc/samba/smbpasswd")), line(&before));
    // From where somebody comes is not believed: here that is nowhere.
    let own = r#"print(ask("anna", "check_account"), ask("anna", {"follow_password": {"password": "Pass-word1"}}),
        ask("anna", {"follow_password": {"password": "wrong"}}), ask("anna", "open_session"))"#;
    assert_eq!(python(&stage, 3001, own), "granted done another_password not_permitted");
}

#[test]
fn a_screen_locker_of_the_users_own_gets_its_answer() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.service("locker", "auth required /var/lib/pam_accountd.so\naccount required /var/lib/pam_accountd.so\n");
    let locker =
        |uid, input: &str| stage.says_as(uid, &["pamtester", "locker", "anna", "authenticate", "acct_mgmt"], input);
    locker(3001, "Pass-word1\n").yes();
    locker(3001, "Pass-word2\n").no("Authentication failure");
    locker(3002, "Pass-word1\n").no("Authentication failure");
}

#[test]
fn who_asks_too_often_is_told_so_and_nobody_else_is() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.add("berta", 3002);
    let many = r#"print([ask("anna", "check_account") for _ in range(60)][-1])"#;
    assert!(python(&stage, 3001, many).starts_with("{'too_often': {'seconds': "));
    assert_eq!(python(&stage, 3002, r#"print(ask("berta", "check_account"))"#), "granted");
    stage.test("anna", "Pass-word1\n", &["authenticate"]).yes();
    let said = stage.says_as(3001, &["pamtester", "test", "anna", "acct_mgmt"], "");
    assert!(!said.ok, "{said:?}");
}

#[test]
fn nonsense_ends_a_connection_and_nothing_else() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    let script = r#"
body = b'{"user":"anna"}'
print(raw(b"\xff\xff\xff\xff"), raw(struct.pack(">I", 16385)), raw(struct.pack(">I", len(body)) + body),
      raw(struct.pack(">I", 4) + b"\xff\x00{["), raw(struct.pack(">I", 16000) + b"[" * 16000),
      raw(b"\x00\x00\x00\x00"))
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect("/run/accountd/pam.sock")
print(send(s, b"\x00\x00"))
print(ask("anna", "check_account"))
"#;
    assert_eq!(python(&stage, 3001, script), "closed closed closed closed closed closed\nclosed\ngranted");
    let agent = stage.nas.world.process("agent");
    stage.test("anna", "Pass-word1\n", &["authenticate", "acct_mgmt"]).yes();
    assert_eq!(stage.nas.world.process("agent"), agent);
}

#[test]
fn who_takes_all_the_places_that_one_may_have_keeps_nobody_out() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.add("berta", 3002);
    let hold = format!(
        r#"{ASK}
import time
held = []
open("/tmp/held", "w").close()
while True:
    s = socket.socket(socket.AF_UNIX); s.connect("/run/accountd/pam.sock"); s.send(b"\x00")
    held = held[-300:] + [s]
    time.sleep(0.001)
"#
    );
    fs::write(stage.path("/tmp/hold.py"), hold).unwrap();
    let as_anna = ["setpriv", "--reuid", "3001", "--regid", "3001", "--clear-groups", "python3", "/tmp/hold.py"];
    let mut command = stage.nas.world.inside(&as_anna);
    let _holding = Running::start(command.stdin(Stdio::null()).stderr(Stdio::null()));
    wait_for("somebody who holds connections", || stage.path("/tmp/held").exists());
    assert_eq!(python(&stage, 3002, r#"print(ask("berta", "check_account"))"#), "granted");
    stage.test("anna", "Pass-word1\n", &["authenticate", "acct_mgmt", "open_session", "close_session"]).yes();
}

#[test]
fn who_guesses_a_password_of_their_own_account_is_held_up_in_both_ways() {
    let config = "[bans]\nfree_attempts = 1\nfirst_delay_seconds = 20\nlongest_delay_seconds = 20\nban_after = 100\n";
    let stage = Stage::of(World::start_with(config));
    stage.add("anna", 3001);
    let guesses = r#"
wrong, right = {"password": "wrong"}, {"password": "Pass-word1"}
for _ in range(2): ask("anna", {"authenticate": wrong})
print([list(ask("anna", question)) for question in ({"authenticate": right}, {"follow_password": right})])
"#;
    assert_eq!(python(&stage, 3001, guesses), "[['too_often'], ['too_often']]");
}

#[test]
fn while_the_accounts_can_not_be_read_nobody_is_let_in() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.service("alone", "auth required /var/lib/pam_accountd.so\n");
    let alone = || stage.of_service("alone", "anna", ("Pass-word1\n", &["authenticate"]));
    alone().yes();
    let (passwd, away) = (stage.path("/etc/passwd"), stage.path("/etc/passwd.away"));
    fs::rename(&passwd, &away).unwrap();
    wait_for("the agent's notice", || !alone().ok);
    fs::rename(&away, &passwd).unwrap();
    wait_for("the accounts again", || alone().ok);
}
