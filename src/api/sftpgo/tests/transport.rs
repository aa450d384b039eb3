//! Credentials, paths, methods, bodies.

use std::net::SocketAddr;

use accountd_core::Core;
use rocket::http::{Header, Method};
use rocket::local::blocking::Client;

use super::{ROOT, Seen, World};

const PATHS: [(Method, &str); 10] = [
    (Method::Get, "/user"),
    (Method::Post, "/user"),
    (Method::Get, "/user/7"),
    (Method::Put, "/user/7"),
    (Method::Delete, "/user/7"),
    (Method::Get, "/connection"),
    (Method::Delete, "/connection/ab"),
    (Method::Get, "/quota_scan"),
    (Method::Post, "/quota_scan"),
    (Method::Get, "/version"),
];

#[test]
fn nothing_is_said_without_a_credential() {
    let world = World::new();
    for (method, path) in PATHS {
        for (name, header) in [("X-Nothing", ""), ("Authorization", "Basic cm9vdDp4"), ("Authorization", "Digest x")] {
            let seen = world.send(method, path, &[(name, header)], b"{}");
            seen.is_error(401, "Unauthorized");
            let challenge = seen.header("www-authenticate");
            assert_eq!(challenge, Some("Basic realm=\"accountd\", charset=\"UTF-8\""), "{method} {path}");
        }
    }
    let banned = world.send(Method::Get, "/user", &[("Authorization", "Basic YmFubmVkOng=")], b"");
    banned.is_error(429, "too many failed logins, try again later");
    assert_eq!(banned.header("retry-after"), Some("60"));
    world.nothing_was_asked();
}

#[test]
fn paths_are_exact() {
    let world = World::new();
    for path in ["", "/", "/user/", "/user/7/", "/User", "/users", "/version/", "/connection/", "/user/7/x"] {
        for method in [Method::Get, Method::Post, Method::Delete, Method::Options] {
            world.root(method, path, "").is_message(404, "Not Found");
        }
    }
    world.nothing_was_asked();
}

#[test]
fn other_methods_are_refused_without_saying_which_there_are() {
    let world = World::new();
    let rows = [
        (Method::Put, "/user"),
        (Method::Delete, "/user"),
        (Method::Options, "/user"),
        (Method::Patch, "/user/7"),
        (Method::Post, "/user/7"),
        (Method::Get, "/connection/ab"),
        (Method::Post, "/connection"),
        (Method::Delete, "/quota_scan"),
        (Method::Post, "/version"),
    ];
    for (method, path) in rows {
        let seen = world.root(method, path, "{}");
        seen.is_message(405, "Method not allowed");
        assert_eq!(seen.header("allow"), None, "{method} {path}");
    }
    assert_eq!(world.root(Method::Head, "/user", "").status, 405);
    world.nothing_was_asked();
}

#[test]
fn what_a_body_says_that_it_is_does_not_matter() {
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json", "x/y"] {
        let world = World::new();
        let headers = [("Authorization", ROOT), ("Content-Type", kind)];
        world.send(Method::Put, "/user/7", &headers, b"{} and more").is_message(200, "User updated");
    }
}

#[test]
fn a_form_can_not_stand_for_another_method() {
    let world = World::new();
    let form = [("Authorization", ROOT), ("Content-Type", "application/x-www-form-urlencoded")];
    world.send(Method::Post, "/user/7", &form, b"_method=delete").is_message(405, "Method not allowed");
    let put = world.send(Method::Post, "/user/7", &form, b"_method=put");
    put.is_error(400, "invalid character '_' looking for beginning of value");
    world.nothing_was_asked();
}

#[test]
fn a_page_of_another_site_gets_nothing_done() {
    let world = World::new();
    for origin in ["http://evil.example", "null", "http://nas.evil.example", "nas:8080"] {
        let headers = [("Authorization", ROOT), ("Host", "nas:8080"), ("Origin", origin)];
        let seen = world.send(Method::Post, "/quota_scan", &headers, br#"{"username":"alice"}"#);
        seen.is_error(403, "requests from pages of other sites are not taken");
    }
    world.nothing_was_asked();
    let headers = [("Authorization", ROOT), ("Host", "nas:8080"), ("Origin", "http://nas:8080")];
    world.send(Method::Post, "/quota_scan", &headers, br#"{"username":"alice"}"#).is_message(201, "Scan started");
}

#[test]
fn a_body_has_an_end() {
    let world = World::new();
    let large = format!("{{\"username\":\"{}\"}}", "x".repeat(1024 * 1024));
    world.root(Method::Post, "/user", &large).is_error(413, "the request is larger than this server takes");
    world.nothing_was_asked();
}

#[test]
fn an_agent_that_is_away_is_answered_with_503() {
    let core = Core::new("/nonexistent/agent.sock").unwrap();
    let client = Client::untracked(crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let seen = Seen::of(client.get("/api/v1/user").header(Header::new("Authorization", ROOT)).dispatch());
    seen.is_error(503, "a service does not answer, try again later");
    assert_eq!(seen.header("retry-after"), Some("5"));
}

#[test]
fn the_version_is_that_of_the_build() {
    let seen = World::new().get("/version");
    seen.is_json(200, r#"{"version":"0.1.0","build_date":"2026-11-27T02:26:14Z","commit_hash":"2995aa0"}"#);
}
