//! Who asks: root on the machine without a password, and nobody else so; the handle itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use accountd_protocol::agent::{AgentRequest, Answer};
use accountd_protocol::client::AgentClient;
use serde_json::json;

use super::{Said, accountctl};
use crate::rest::{Answer as Received, Rest};
use crate::v2::{Nas, problem};

/// Sends one request to the agent's socket as it is, and prints what comes back.
const PEER: &str = "use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ARGV[0])) or die; \
                    syswrite(S, pack('N', length $ARGV[1]) . $ARGV[1]); my $n = sysread(S, my $b, 4096); print substr($b, 4);";

fn handle(nas: &Nas) -> String {
    let mut agent = AgentClient::connect(&nas.socket()).unwrap();
    let Ok(Answer::Handle(handle)) = agent.call(&AgentRequest::OpenLocalHandle).unwrap() else { panic!("no handle") };
    handle.reveal().to_owned()
}

fn bearer(rest: &Rest, token: &str, path: &str) -> Received {
    rest.curl("GET", path, &["-H", &format!("Authorization: Bearer {token}")], None)
}

/// What this user inside gets for a request.
fn answer_for(nas: &Nas, uid: &str, request: &str) -> String {
    let (user, group) = (format!("--reuid={uid}"), format!("--regid={uid}"));
    let command = ["setpriv", &user, &group, "--clear-groups", "perl", "-e", PEER, "/run/accountd/agent.sock", request];
    String::from_utf8(nas.world.exec(&command).stdout).unwrap()
}

#[test]
fn root_on_the_machine_needs_no_password_even_when_its_account_has_none() {
    let nas = Nas::start();
    assert!(nas.done(&["user", "show"]).contains("username\troot\n"));
    nas.world.run(&["passwd", "-l", "root"]);
    nas.rest.get("/users").status_is(401);
    nas.done(&["user", "add", "anna"]);
    assert!(nas.disk.line("/etc/passwd", "anna").is_some());
}

#[test]
fn a_handle_is_good_for_this_api_until_the_account_changes() {
    let nas = Nas::start();
    let handle = handle(&nas);
    assert_eq!(bearer(&nas.rest, &handle, "/users/~").object(200)["username"], "root");
    let other = Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    bearer(&other, &handle, "/account/users/").status_is(401);
    let key = &handle[..40];
    for token in [key, &handle.to_uppercase(), &"0".repeat(64), &format!("{handle}0"), ""] {
        problem(&bearer(&nas.rest, token, "/users/~"), 401, "unauthenticated", &[]);
    }
    nas.world.run(&["sh", "-c", "echo root:another | chpasswd"]);
    problem(&bearer(&nas.rest, &handle, "/users/~"), 401, "unauthenticated", &[]);
    // Whoever is root gets another one.
    assert!(nas.done(&["user", "show"]).contains("username\troot\n"));
}

#[test]
fn a_request_with_a_handle_is_done_once() {
    let nas = Nas::start();
    let header = format!("Authorization: Bearer {}", handle(&nas));
    let options = ["-H", &header, "-H", "Content-Type: application/json", "-H", "Idempotency-Key: k"];
    let post = || nas.rest.curl("POST", "/users", &options, Some(br#"{"username": "anna"}"#));
    let first = post().object(201);
    let again = post();
    assert_eq!((again.object(201), again.header("idempotency-replayed")), (first, Some("true")));
}

#[test]
fn the_agent_gives_a_handle_to_nobody_but_root() {
    let nas = Nas::start();
    assert!(answer_for(&nas, "0", "\"open_local_handle\"").contains("handle"));
    assert!(answer_for(&nas, "990", "\"ping\"").contains("Ok"), "the REST front is a peer");
    assert_eq!(answer_for(&nas, "990", "\"open_local_handle\""), "");
    assert_eq!(answer_for(&nas, "65534", "\"open_local_handle\""), "");
    // A stranger who may connect is turned away all the same.
    fs::set_permissions(nas.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(answer_for(&nas, "65534", "\"ping\""), "");
    assert_eq!(answer_for(&nas, "65534", "\"open_local_handle\""), "");
}

#[test]
fn accountctl_of_somebody_else_is_told_so() {
    let nas = Nas::start();
    fs::copy(accountctl(), nas.disk.path("/var/tmp/accountctl")).unwrap();
    let ask = |uid: &str, flags: &[&str]| {
        let (user, group) = (format!("--reuid={uid}"), format!("--regid={uid}"));
        let mut command = nas.world.inside(&["setpriv", &user, &group, "--clear-groups", "/var/tmp/accountctl"]);
        command.args(flags).args(["user", "list"]).env("ACCOUNTCTL_URL", nas.world.api());
        command.env("HOME", "/nonexistent").env_remove("ACCOUNTCTL_TOKEN").env_remove("ACCOUNTCTL_SOCKET");
        Said::of(command.stdin(std::process::Stdio::null()).output().unwrap())
    };
    let socket = ["--socket", "/run/accountd/agent.sock"];
    for uid in ["65534", "990"] {
        ask(uid, &socket).fails(4, &["nobody but root", "--user"]);
        ask(uid, &[]).fails(2, &["not known who asks", "--user"]);
    }
    assert_eq!(ask("0", &[]).status, 0, "root's own way is the default");
}

#[test]
fn what_somebody_may_is_decided_by_their_roles() {
    let nas = Nas::start();
    nas.ctl_with("pw", &["user", "add", "anna", "--new-password-file", "-"]);
    let as_anna =
        |arguments: &[&str]| nas.ctl_with("pw\n", &[&["--user", "anna", "--password-file", "-"], arguments].concat());
    assert_eq!(as_anna(&["-q", "user", "show", "~"]).status, 0);
    let before = nas.disk.everything("/etc");
    as_anna(&["user", "list"]).fails(4, &["cannot list users: You may not do this", "Ask an administrator"]);
    as_anna(&["user", "add", "berta"]).fails(4, &["You may not do this"]);
    let wrong = nas.ctl_with("no", &["--user", "anna", "--password-file", "-", "user", "show"]);
    wrong.fails(4, &["Say who you are", "Check the name and the password"]);
    assert!(nas.disk.everything("/etc") == before);
    let record = &nas.json(&["audit", "list", "--by", "anna", "--action", "create_user"])["items"][0];
    assert_eq!((&record["outcome"], &record["actor"]["source"]), (&json!("refused"), &json!("127.0.0.1")));
}
