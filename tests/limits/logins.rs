//! Who may log in, from where, how often at a time, and for how long without doing anything.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{anna, limit, nas_with};
use crate::commands::ended::process;
use crate::openssh::run;
use crate::world::wait_for;

/// A login that is held until its standard input closes.
fn held(mut ssh: Command, command: &str) -> Child {
    let ssh = ssh.args(["127.0.0.1", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    ssh.spawn().unwrap()
}

#[test]
fn of_fifty_logins_at_once_as_many_get_in_as_may() {
    let nas = nas_with(&json!({"max_sessions": 1}));
    let mut all: Vec<Child> = (0..50).map(|_| held(anna(&nas).prepare("ssh"), "echo in; exec cat")).collect();
    let refused = |all: &mut Vec<Child>| all.iter_mut().filter_map(|child| child.try_wait().unwrap()).count();
    wait_for("the others to be refused", || refused(&mut all) == 49);
    let connections = nas.rest.get("/connections?user=anna").object(200);
    assert_eq!((&connections["total"], connections["items"][0]["sessions"].as_array().unwrap().len()), (&json!(1), 1));
    for child in &mut all {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    wait_for("the place to be free", || anna(&nas).logs_in());
    limit(&nas, &json!({"max_sessions": 2}));
    let mut one = held(anna(&nas).prepare("ssh"), "exec cat");
    wait_for("it", || nas.rest.get("/connections").object(200)["total"] == 1);
    assert!(anna(&nas).logs_in());
    drop(one.stdin.take());
    one.wait().unwrap();
}

#[test]
fn a_login_for_which_there_is_no_place_is_recorded_as_refused_and_not_as_granted() {
    let nas = nas_with(&json!({"max_sessions": 1}));
    let mut one = held(anna(&nas).prepare("ssh"), "exec cat");
    wait_for("it", || nas.rest.get("/connections").object(200)["total"] == 1);
    assert!(!anna(&nas).logs_in());
    let recorded = |outcome: &str| {
        let records = nas.rest.get(&format!("/audit?user=anna&action=login&outcome={outcome}")).object(200);
        records["items"].as_array().unwrap().clone()
    };
    let (granted, refused) = (recorded("granted"), recorded("refused"));
    assert_eq!((granted.len(), refused.len()), (1, 1), "{granted:?} {refused:?}");
    assert_eq!(refused[0]["reason"], "the account has too many connections");
    assert_eq!(refused[0]["methods"], granted[0]["methods"]);
    drop(one.stdin.take());
    one.wait().unwrap();
}

#[test]
fn a_login_comes_from_where_it_may() {
    let nas = nas_with(&json!({"allowed_networks": ["127.0.0.2", "::1"]}));
    let from = |source: &str| {
        let mut command = anna(&nas).prepare("sftp");
        command.args(["-o", &format!("BindAddress={source}"), "-b", "-", "127.0.0.1"]);
        run(command, b"pwd\n").status.success()
    };
    assert!(from("127.0.0.2") && !from("127.0.0.3"));
    // What a group has is asked, too.
    nas.post("/groups", &json!({"groupname": "far", "limits": {"allowed_networks": ["127.0.0.3", "127.0.0.4"]}}));
    nas.patch("/users/anna", &json!({"groups": ["far"]})).status_is(200);
    assert!(!from("127.0.0.2") && !from("127.0.0.3"));
    limit(&nas, &json!({"allowed_networks": []}));
    assert!(from("127.0.0.3") && !from("127.0.0.2"));
}

#[test]
fn sessions_end_when_what_they_may_is_narrowed_and_go_on_otherwise() {
    let nas = nas_with(&json!({}));
    nas.post("/groups", &json!({"groupname": "team"}));
    nas.patch("/users/anna", &json!({"groups": ["team"]})).status_is(200);
    let mut child = held(anna(&nas).prepare("ssh"), "exec sleep 987671");
    wait_for("the command", || process("sleep\x00987671").is_some());
    limit(&nas, &json!({"max_sessions": 5, "quota_bytes": 1_000_000}));
    nas.patch("/groups/team", &json!({"limits": {"idle_timeout": 500}})).status_is(200);
    assert!(process("sleep\x00987671").is_some());
    nas.patch("/groups/team", &json!({"limits": {"permissions": ["list"]}})).status_is(200);
    assert!(process("sleep\x00987671").is_none(), "the answer comes when it has ended");
    assert_eq!(child.wait().unwrap().code(), Some(255));
}

#[test]
fn a_connection_on_which_nothing_happens_is_closed_when_the_account_has_that_limit() {
    let nas = nas_with(&json!({"idle_timeout": 2}));
    let begun = Instant::now();
    let output = anna(&nas).ssh(&["sleep 60"]);
    assert_eq!(output.status.code(), Some(255));
    assert!((2..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let output = anna(&nas).ssh(&["for i in $(seq 8); do sleep 0.5; echo $i; done"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 16));
    assert!(begun.elapsed() > Duration::from_secs(6));
}

#[test]
fn whoever_has_a_list_of_permissions_has_no_shell_and_no_commands() {
    let nas = nas_with(&json!({"permissions": ["list", "download", "upload"]}));
    assert_ne!(anna(&nas).ssh(&["id"]).status.code(), Some(0));
    assert!(anna(&nas).logs_in());
    limit(&nas, &json!({"permissions": null}));
    assert_eq!(anna(&nas).ssh(&["id -un"]).stdout, b"anna\n");
}

#[test]
fn a_session_root_is_what_sessions_see() {
    let nas = nas_with(&json!({"session_root": "home"}));
    assert!(anna(&nas).sftp("pwd").contains("Remote working directory: /\n"));
    nas.world.run(&["sh", "-c", "mkdir -p /mnt/tank/roots/anna/inside && chown anna: /mnt/tank/roots/anna"]);
    limit(&nas, &json!({"session_root": "/mnt/tank/roots/%u"}));
    assert!(anna(&nas).sftp("ls").contains("inside"));
    assert_ne!(anna(&nas).ssh(&["id"]).status.code(), Some(0));
}
