//! Paths, methods, bodies, keys: everything before a method is looked at.

use std::net::SocketAddr;

use accountd_core::Core;
use accountd_protocol::dialects::RhodecodeWording;
use rocket::http::Method;
use rocket::local::blocking::Client;
use serde_json::{Value, json};

use super::{KEY, Script, Seen, World};

fn body(more: &Value) -> String {
    let mut body = json!({"api_key": KEY, "method": "get_user", "args": {"username": "nobody"}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

#[test]
fn every_method_of_http_is_one_and_the_path_is_exact() {
    let world = World::new();
    let body = body(&json!({}));
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options] {
        world.send(method, "/api", &[], body.as_bytes()).is(200, r#"{"result": null, "error": null}"#);
        for path in ["", "/", "/api/", "/api/x", "/API", "/ap%69", "//api"] {
            assert_eq!(world.send(method, path, &[], body.as_bytes()).status, 404, "{method} {path}");
        }
    }
    for kind in ["text/plain", "application/json", "application/x-www-form-urlencoded", "image/png", "?"] {
        let seen = world.send(Method::Post, "/api", &[("Content-Type", kind)], body.as_bytes());
        seen.is(200, r#"{"result": null, "error": null}"#);
        assert_eq!(seen.header("content-type"), Some("application/json"));
    }
}

#[test]
fn where_it_is_switched_off_there_is_nothing() {
    let world = World::of(Script { wording: None, ..Script::new() });
    world.post(body(&json!({})).as_bytes()).is(404, "404 Not Found\n");
}

#[test]
fn an_id_comes_back_as_it_was_and_only_if_it_was_sent() {
    for wording in [RhodecodeWording::Seed, RhodecodeWording::V1_3, RhodecodeWording::V1_4] {
        let world = World::speaking(wording);
        for id in ["null", "1", "\"x\"", "1.5", "[1, {\"a\": null}]", "18446744073709551615", "-1"] {
            let sent = format!(r#"{{"id": {id}, "api_key": "x", "method": "get_users", "args": {{}}}}"#);
            let expected = format!(r#"{{"id": {id}, "result": null, "error": "Invalid API KEY"}}"#);
            world.post(sent.as_bytes()).is(200, &expected);
        }
        world.post(body(&json!({"api_key": ""})).as_bytes()).is(200, r#"{"result": null, "error": "Invalid API KEY"}"#);
    }
}

#[test]
fn what_comes_before_a_method_is_checked_in_its_order() {
    let world = World::new();
    let error = |body: &str| {
        let seen = world.post(body.as_bytes());
        let answer: Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!((seen.status, &answer["result"]), (200, &Value::Null));
        answer["error"].as_str().unwrap().to_owned()
    };
    let rows = [
        ("", "Content-Length is 0"),
        ("{}", "Incorrect JSON query missing 'api_key'"),
        (r#"{"api_key": 1}"#, "Incorrect JSON query missing 'method'"),
        (r#"{"api_key": 1, "method": 1}"#, "Incorrect JSON query missing 'args'"),
    ];
    for (body, expected) in rows {
        assert_eq!(error(body), expected, "{body}");
    }
    let none = "f".repeat(40);
    for key in [json!(null), json!(""), json!(7), json!([]), json!(none), json!(KEY.to_uppercase())] {
        assert_eq!(error(&body(&json!({"api_key": key, "method": "_nothing"}))), "Invalid API KEY");
    }
    let banned = format!("bad{}", "0".repeat(37));
    assert_eq!(error(&body(&json!({"api_key": banned}))), "too many failures: try again in 60 seconds");
    for method in ["_api", "__call__", "_"] {
        assert_eq!(error(&body(&json!({"method": method}))), "Method not allowed");
    }
    for (method, shown) in [(json!("nothing"), "nothing"), (json!(""), ""), (json!(5), "5"), (json!(null), "null")] {
        assert_eq!(error(&body(&json!({"method": method}))), format!("No such method: {shown}"));
    }
    assert_eq!(error(&body(&json!({"args": {}}))), "Missing non optional `username` arg in JSON DATA");
    assert!(world.asked().is_empty());
}

#[test]
fn a_body_without_a_length_is_taken_all_the_same() {
    let world = World::new();
    let chunked = [("Transfer-Encoding", "chunked")];
    world
        .send(Method::Post, "/api", &chunked, b"")
        .is(200, r#"{"result": null, "error": "No Content-Length in request"}"#);
    let seen = world.send(Method::Post, "/api", &chunked, body(&json!({})).as_bytes());
    seen.is(200, r#"{"result": null, "error": null}"#);
}

#[test]
fn an_agent_that_does_not_answer_is_an_error_of_the_server() {
    let core = Core::new("/nonexistent/agent.sock").unwrap();
    let rocket = crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)));
    let client = Client::untracked(rocket).unwrap();
    let seen = Seen::of(client.post("/_admin/api").body(body(&json!({"id": 3}))).dispatch());
    seen.is(200, r#"{"id": 3, "result": null, "error": "Internal server error"}"#);
}
