//! What surrounds the resources: credentials, paths, methods, health, the description.

use serde_json::json;

use super::{Nas, problem};
use crate::rest::Rest;

const CHALLENGES: &str = "Basic realm=\"accountd\", charset=\"UTF-8\", Bearer realm=\"accountd\"";

#[test]
fn nobody_gets_in_without_a_right_credential() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "pw"}));
    for rest in
        [nas.rest.as_user("root", "wrong"), nas.rest.as_user("anna", "wrong"), nas.rest.as_user("nobody-such", "x")]
    {
        for (method, path) in [("GET", "/users"), ("GET", "/system"), ("DELETE", "/users/anna"), ("GET", "/users/~")] {
            let answer = rest.curl(method, path, &[], None);
            problem(&answer, 401, "unauthenticated", &[]);
            assert_eq!(answer.header("www-authenticate"), Some(CHALLENGES));
        }
        problem(&rest.post("/users", "{}"), 401, "unauthenticated", &[]);
    }
    for header in ["Authorization;", "Authorization: Bearer 0123456789abcdef", "Authorization: Basic !!!!"] {
        let answer = nas.rest.curl("GET", "/users", &["-H", header], None);
        problem(&answer, 401, "unauthenticated", &[]);
    }
}

#[test]
fn what_is_not_there_is_told_apart_from_what_can_not_be_done_there() {
    let nas = Nas::start();
    for path in ["", "/", "/nothing", "/users/root/nothing", "/users/root/keys/1", "/users//keys"] {
        problem(&nas.rest.get(path), 404, "not-found", &[]);
    }
    assert_eq!(nas.rest.get("/users/").body, nas.rest.get("/users").body, "a slash at the end says nothing");
    for (method, path, allow) in [
        ("PUT", "/users", "GET, POST"),
        ("PUT", "/users/", "GET, POST"),
        ("DELETE", "/users", "GET, POST"),
        ("POST", "/users/root", "DELETE, GET, PATCH"),
        ("PATCH", "/users/root/keys", "GET, PUT"),
        ("GET", "/users/root/password", "PUT"),
        ("POST", "/groups/wheel/members", "GET, PUT"),
        ("DELETE", "/system", "GET"),
    ] {
        let answer = nas.rest.curl(method, path, &[], None);
        problem(&answer, 405, "method-not-allowed", &[]);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let options = nas.rest.curl("OPTIONS", "/users", &[], None);
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, POST")));
    let head = nas.rest.curl("HEAD", "/users/root", &["--head"], None);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.header("etag").is_some());
}

#[test]
fn health_is_told_to_everybody_and_readiness_is_the_agents_answer() {
    let nas = Nas::start();
    let anybody = Rest { base: nas.world.api(), credential: "nobody:x".into() };
    anybody.get("/healthz").is(200, r#"{"status":"ok"}"#);
    anybody.get("/readyz").is(200, r#"{"status":"ready"}"#);
    nas.world.hold("agent");
    nas.world.kill("agent");
    anybody.get("/healthz").is(200, r#"{"status":"ok"}"#);
    anybody.get("/readyz").is(503, r#"{"status":"unavailable"}"#);
    let answer = nas.rest.get("/users");
    problem(&answer, 503, "unavailable", &[]);
    assert_eq!(answer.header("retry-after"), Some("5"));
    nas.world.release("agent");
    anybody.get("/readyz").is(200, r#"{"status":"ready"}"#);
}

#[test]
fn the_system_says_what_an_account_can_have() {
    let nas = Nas::start();
    let system = nas.rest.get("/system").object(200);
    assert_eq!(system["home_roots"], json!(["/mnt"]));
    assert!(system["shells"].as_array().unwrap().contains(&json!("/bin/sh")));
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_description_is_there_for_everybody() {
    let nas = Nas::start();
    let document = nas.rest.as_user("nobody", "x").get("/openapi.json").object(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v2/users/{user}"]["patch"].is_object());
}

#[test]
fn accounts_that_another_program_holds_are_locked() {
    let nas = Nas::start();
    let mut holder = crate::concurrency::hold(&nas.world, "/etc/.pwd.lock", 20);
    let answer = nas.rest.post("/users", r#"{"username": "anna"}"#);
    problem(&answer, 423, "busy", &[]);
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), None);
    holder.wait().unwrap();
}
