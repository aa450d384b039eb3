//! Connections as they are listed and closed.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{anna, nas_with};
use crate::accountctl::pty::Pty;
use crate::commands::ended::process;
use crate::running::Running;
use crate::v2::{Nas, problem};
use crate::world::wait_for;

fn connections(nas: &Nas) -> Vec<Value> {
    nas.rest.get("/connections").object(200)["items"].as_array().unwrap().clone()
}

#[test]
fn a_connection_is_listed_with_what_runs_on_it_and_closed_with_it() {
    let nas = nas_with(&json!({}));
    assert_eq!(connections(&nas), Vec::<Value>::new());
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = ssh.args(["127.0.0.1", "sleep 987672 & exec sleep 987673"]).spawn().unwrap();
    wait_for("the command", || process("sleep\x00987672").is_some() && process("sleep\x00987673").is_some());
    let all = connections(&nas);
    let one = &all[0];
    let id = nas.rest.get("/users/anna").object(200)["id"].clone();
    assert_eq!((all.len(), &one["user"]), (1, &json!({"id": id, "username": "anna"})));
    assert_eq!((&one["source"], &one["sessions"][0]["service"]), (&json!("127.0.0.1"), &json!("command")));
    assert!(one["client"].as_str().unwrap().starts_with("SSH-2.0-OpenSSH_"), "{one}");
    let path = format!("/connections/{}", one["id"].as_str().unwrap());
    assert_eq!(one["id"].as_str().unwrap().len(), 64);
    nas.rest.delete(&path).status_is(204);
    assert_eq!(client.wait().unwrap().code(), Some(255));
    wait_for("all of it to end", || process("sleep\x00987672").is_none() && process("sleep\x00987673").is_none());
    wait_for("the list to be empty", || connections(&nas).is_empty());
    problem(&nas.rest.delete(&path), 404, "not-found", &[]);
    let record = &nas.rest.get("/audit?action=close_connection&outcome=done").object(200)["items"][0];
    assert_eq!((&record["target"]["name"], &record["outcome"]), (&json!("anna"), &json!("done")));
}

#[test]
fn a_connection_without_a_session_is_closed_too() {
    let nas = nas_with(&json!({}));
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = ssh.args(["-N", "127.0.0.1"]).stdin(Stdio::null()).spawn().unwrap();
    wait_for("the login", || connections(&nas).len() == 1);
    let one = connections(&nas).remove(0);
    assert_eq!(one["sessions"], json!([]));
    nas.rest.delete(&format!("/connections/{}", one["id"].as_str().unwrap())).status_is(204);
    wait_for("the end of the client", || client.try_wait().unwrap().is_some());
    wait_for("the list to be empty", || connections(&nas).is_empty());
}

#[test]
fn a_connection_without_a_session_goes_when_its_account_is_disabled_and_leaves_its_place() {
    let nas = nas_with(&json!({"max_sessions": 1}));
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = Running::start(ssh.args(["-N", "127.0.0.1"]).stdin(Stdio::null()));
    wait_for("the login", || connections(&nas).len() == 1);
    nas.rest.post("/users/anna/disable", "{}").status_is(200);
    assert_eq!(connections(&nas), Vec::<Value>::new(), "the answer comes when it has gone");
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    assert!(anna(&nas).logs_in());
    wait_for("the end of the client", || !client.is_there());
}

#[test]
fn one_session_is_ended_and_its_connection_stays() {
    let nas = nas_with(&json!({}));
    let control = nas.world.client_file("master");
    let options = ["-o".to_owned(), format!("ControlPath={}", control.display())];
    let mut ssh = anna(&nas).prepare("ssh");
    let mut master = ssh.args(&options).args(["-M", "-N", "127.0.0.1"]).stdin(Stdio::null()).spawn().unwrap();
    wait_for("the login", || control.exists());
    let second = |command: &str| {
        let mut ssh = anna(&nas).prepare("ssh");
        ssh.args(&options).args(["127.0.0.1", command]).stdin(Stdio::null()).spawn().unwrap()
    };
    let (mut one, mut two) = (second("exec sleep 987674"), second("exec sleep 987675"));
    wait_for("both", || process("sleep\x00987674").is_some() && process("sleep\x00987675").is_some());
    let all = connections(&nas);
    let numbers: Vec<u64> =
        all[0]["sessions"].as_array().unwrap().iter().map(|session| session["number"].as_u64().unwrap()).collect();
    assert_eq!((all.len(), numbers.len()), (1, 2));
    nas.rest.delete(&format!("/sessions/{}", numbers[0])).status_is(204);
    wait_for("the end of one of them", || {
        [&mut one, &mut two].into_iter().filter_map(|client| client.try_wait().unwrap()).count() == 1
    });
    let left = connections(&nas);
    assert_eq!((left.len(), left[0]["sessions"].as_array().unwrap().len()), (1, 1));
    problem(&nas.rest.delete(&format!("/sessions/{}", numbers[0])), 404, "not-found", &[]);
    problem(&nas.rest.delete("/sessions/nonsense"), 404, "not-found", &[]);
    nas.rest.delete(&format!("/connections/{}", left[0]["id"].as_str().unwrap())).status_is(204);
    master.wait().unwrap();
    for mut client in [one, two] {
        client.wait().unwrap();
    }
}

#[test]
fn users_see_and_close_their_own_and_account_administrators_close_no_administrators() {
    let nas = nas_with(&json!({}));
    nas.post("/users", &json!({"username": "berta", "password": "pw"}));
    nas.put("/users/berta/roles", &json!({"roles": ["account_administrator"]})).status_is(200);
    let (anna_rest, berta) = (nas.rest.as_user("anna", "pw"), nas.rest.as_user("berta", "pw"));
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = ssh.args(["-N", "127.0.0.1"]).stdin(Stdio::null()).spawn().unwrap();
    wait_for("the login", || connections(&nas).len() == 1);
    let path = format!("/connections/{}", connections(&nas)[0]["id"].as_str().unwrap());
    assert_eq!(anna_rest.get("/connections?user=~").object(200)["total"], 1);
    problem(&anna_rest.get("/connections"), 403, "not-permitted", &[]);
    nas.post("/users", &json!({"username": "carla", "password": "pw"}));
    problem(&nas.rest.as_user("carla", "pw").delete(&path), 403, "not-permitted", &[]);
    problem(&anna_rest.get("/connections?user=berta"), 403, "not-permitted", &[]);
    problem(&nas.rest.get("/connections?colour=1"), 400, "invalid-query", &[("colour", "unknown_parameter")]);
    berta.delete(&path).status_is(204);
    client.wait().unwrap();
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = ssh.args(["-N", "127.0.0.1"]).stdin(Stdio::null()).spawn().unwrap();
    wait_for("the login", || connections(&nas).len() == 1);
    let own = connections(&nas)[0]["id"].as_str().unwrap().to_owned();
    anna_rest.delete(&format!("/connections/{own}")).status_is(204);
    client.wait().unwrap();
    nas.put("/users/anna/roles", &json!({"roles": ["administrator"]})).status_is(200);
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = ssh.args(["-N", "127.0.0.1"]).stdin(Stdio::null()).spawn().unwrap();
    wait_for("the login", || connections(&nas).len() == 1);
    let path = format!("/connections/{}", connections(&nas)[0]["id"].as_str().unwrap());
    problem(&berta.delete(&path), 403, "not-permitted", &[]);
    nas.rest.delete(&path).status_is(204);
    client.wait().unwrap();
}

#[test]
fn accountctl_lists_and_closes_them() {
    let nas = nas_with(&json!({}));
    let mut ssh = anna(&nas).prepare("ssh");
    let mut client = ssh.args(["127.0.0.1", "exec sleep 987676"]).spawn().unwrap();
    wait_for("the command", || process("sleep\x00987676").is_some());
    let listed = nas.done(&["session", "list", "--of", "anna"]);
    let fields: Vec<&str> = listed.lines().last().unwrap().split('\t').collect();
    assert_eq!((fields[1], fields[2], fields[3]), ("anna", "127.0.0.1", "command"), "{listed}");
    let (_, narrow) = Pty::start(&nas, (24, 80), &["session", "list"]).end();
    assert!(narrow.contains(fields[0]) && narrow.contains(fields[5]), "{narrow}");
    nas.done(&["session", "close", fields[0]]);
    client.wait().unwrap();
    nas.done(&["limit", "set", "anna", "--quota", "2M", "--root", "home", "--network", "10.0.0.0/8"]);
    let limits = nas.rest.get("/users/anna").object(200)["limits"].clone();
    assert_eq!(
        (&limits["quota_bytes"], &limits["session_root"], &limits["allowed_networks"]),
        (&json!(2 << 20), &json!("home"), &json!(["10.0.0.0/8"]))
    );
    assert!(nas.done(&["limit", "show", "anna"]).contains("quota_bytes\t2097152\t2097152\n"));
    let shown = nas.done(&["user", "show", "anna"]);
    assert!(shown.contains("\nlimits\tfrom 10.0.0.0/8, quota 2M, root home\n"), "{shown}");
    nas.done(&["limit", "clear", "anna"]);
    assert_eq!(nas.rest.get("/users/anna").object(200)["limits"]["quota_bytes"], Value::Null);
}
