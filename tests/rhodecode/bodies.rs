//! What is sent, as clients send it and as nobody does.

use std::process::Command;

use serde_json::{Value, json};

use super::Server;
use crate::rest::Rest;
use crate::world::World;

/// The example of the documentation, with another server and another key in it.
const DOCUMENTED: &str = r#"curl https://server.com/_admin/api -X POST -H 'content-type:text/plain' --data-binary '{"api_key":"xe7cdb2v278e4evbdf5vs04v832v0efvcbcve4a3","method":"pull","args":{"repo":"CPython"}}'"#;

impl Server {
    /// What a command line prints.
    fn shell(&self, line: &str) -> Value {
        let line = line.replace("https://server.com", &self.world.api());
        let line = line.replace("xe7cdb2v278e4evbdf5vs04v832v0efvcbcve4a3", &self.key);
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

#[test]
fn the_documented_command_works_as_it_is_and_with_an_id() {
    let server = Server::start();
    let nothing = json!({"result": null, "error": "Unknown repo \"CPython\""});
    assert_eq!(server.shell(DOCUMENTED), nothing);
    let with_id = DOCUMENTED.replace("{\"api_key\"", "{\"id\":7,\"api_key\"");
    assert_eq!(server.shell(&with_id), json!({"id": 7, "result": null, "error": "Unknown repo \"CPython\""}));
    let users = DOCUMENTED.replace("\"pull\"", "\"get_users\"").replace("{\"repo\":\"CPython\"}", "[]");
    assert_eq!(server.shell(&users)["result"][1]["username"], "root");
}

#[test]
fn the_path_is_exact_and_any_method_will_do() {
    let server = Server::start();
    let client = Rest { base: server.world.api(), credential: "nobody:nothing".into() };
    let body = json!({"api_key": server.key, "method": "get_user", "args": {"username": "root"}}).to_string();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = client.curl(method, "/_admin/api", &[], Some(body.as_bytes()));
        assert_eq!(answer.object(200)["result"]["username"], "root", "{method}");
        for path in ["/_admin/api/", "/_admin/api/x", "/_admin", "/_admin/", "/_admin//api", "/_admin/API"] {
            assert_eq!(client.curl(method, path, &[], Some(body.as_bytes())).status, 404, "{method} {path}");
        }
    }
    client.curl("GET", "/_admin/api", &[], None).is(200, r#"{"result": null, "error": "Content-Length is 0"}"#);
    let chunked = ["-H", "Transfer-Encoding: chunked"];
    let answer = client.curl("POST", "/_admin/api", &chunked, Some(body.as_bytes()));
    assert_eq!(answer.object(200)["result"]["username"], "root");
}

#[test]
fn a_password_with_plus_and_percent_is_that_and_a_quoted_body_works_too() {
    let server = Server::start();
    let password = "a+b%41&c=ä\u{1F600}";
    let new = json!({"username": "alice", "password": password, "firstname": "", "lastname": "", "email": ""});
    server.does("create_user", &new);
    server.v2.as_user("alice", password).get("/users/~").status_is(200);
    let body =
        json!({"api_key": server.key, "id": "q", "method": "get_user", "args": {"username": "alice"}}).to_string();
    let quoted: String =
        body.bytes().map(|byte| if byte == b' ' { "+".into() } else { format!("%{byte:02X}") }).collect();
    let answer = server.answer(quoted.as_bytes());
    assert_eq!((&answer["id"], &answer["result"]["username"]), (&json!("q"), &json!("alice")));
}

#[test]
fn hostile_bodies_have_an_answer_and_leave_no_trace() {
    let server = Server::start();
    let key = &server.key;
    let before = server.disk.everything("/etc");
    let create = |name: Value| {
        json!({"api_key": key, "method": "create_user", "args": {"username": name,
        "password": "hunter2", "firstname": "", "lastname": "", "email": ""}})
        .to_string()
        .into_bytes()
    };
    let mut bodies: Vec<Vec<u8>> = vec![
        b"[]".to_vec(),
        b"[{}]".to_vec(),
        b"7".to_vec(),
        b"\"hunter2\"".to_vec(),
        b"null".to_vec(),
        b"{\"password\": \"hunter2\"".to_vec(),
        b"\xff\xfe{}".to_vec(),
        format!(r#"{{"api_key": "{key}", "method": "get_users", "args": null}}"#).into_bytes(),
        format!(r#"{{"api_key": "{key}", "method": "get_users", "args": [1]}}"#).into_bytes(),
        format!(r#"{{"api_key": "{key}", "method": ["get_users"], "args": {{}}}}"#).into_bytes(),
        format!(r#"{{"api_key": ["{key}"], "method": "get_users", "args": {{}}}}"#).into_bytes(),
        format!(r#"{{"api_key": "{key}", "method": "get_user", "args": {{"username": "\ud800"}}}}"#).into_bytes(),
        [
            format!(r#"{{"api_key": "{key}", "method": "create_user", "args": {{"username": ""#).as_bytes(),
            b"\xc3\x28\"}}",
        ]
        .concat(),
        "[".repeat(500_000).into_bytes(),
        format!(r#"{{"a": {}"#, "[".repeat(100_000)).into_bytes(),
        vec![b'x'; 10 << 20],
        [b"{\"a\": \"".to_vec(), vec![b'x'; 10 << 20], b"\"}".to_vec()].concat(),
        [vec![b' '; 10 << 20], b"{}".to_vec()].concat(),
    ];
    for name in
        ["", "ünï", "\u{202e}evil", "a\nroot::0:0::/:/bin/sh", "a:b", "../../etc", "-rf", "a\0b", "root", "daemon"]
    {
        bodies.push(create(json!(name)));
    }
    for name in [json!(null), json!(7), json!(true), json!([]), json!({"a": "alice"}), json!("x".repeat(200_000))] {
        bodies.push(create(name));
    }
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = server.answer(&body);
        assert_eq!(answer["result"], Value::Null, "{shown}");
        let error = answer["error"].as_str().unwrap();
        assert!(!error.is_empty() && error != "Internal server error", "{shown}: {error}");
        assert!(!error.contains("hunter2") && !error.contains(key.as_str()), "{shown}: {error}");
    }
    assert!(server.disk.everything("/etc") == before, "something has changed");
    let log = server.world.log();
    assert!(!log.contains("hunter2") && !log.contains(key.as_str()), "a secret is in the log");
}

#[test]
fn where_it_is_switched_off_there_is_no_such_path() {
    let world = World::start_with("[rhodecode]\nenabled = false\n");
    let client = Rest { base: world.api(), credential: "nobody:nothing".into() };
    assert_eq!(client.post("/_admin/api", "{}").status, 404);
}
