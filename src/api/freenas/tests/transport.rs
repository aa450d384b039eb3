//! Credentials, methods and paths.

use std::net::SocketAddr;

use accountd_core::Core;
use rocket::http::{Header, Method};
use rocket::local::blocking::Client;

use super::{NEW, ROOT, Seen, World};

#[test]
fn without_a_credential_the_answer_is_empty_and_says_how_to_get_in() {
    let world = World::new();
    for (name, header) in [("X-Nothing", ""), ("Authorization", "Basic cm9vdDp4"), ("Authorization", "Token x")] {
        for path in ["/account/users/", "/account/users/1/", "/account/groups/", "/account/users/1/groups/"] {
            let seen = world.send(Method::Get, path, &[(name, header)], b"");
            seen.is(401, "");
            assert_eq!(seen.header("www-authenticate"), Some("Basic Realm=\"django-tastypie\""));
            assert_eq!(seen.header("content-type"), Some("text/html; charset=utf-8"));
        }
    }
    let console = world.send(Method::Get, "/account/users/", &[("X-Requested-From", "WebUI")], b"");
    assert_eq!((console.status, console.header("www-authenticate")), (401, None));
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn an_agent_that_is_away_is_answered_with_503() {
    let core = Core::new("/nonexistent/agent.sock").unwrap();
    let client = Client::untracked(crate::rocket(core, SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let request = client.get("/api/v1.0/account/users/").header(Header::new("Authorization", ROOT));
    let seen = Seen::of(request.dispatch());
    assert_eq!((seen.status, seen.header("retry-after")), (503, Some("5")));
}

#[test]
fn a_form_can_not_stand_for_a_deletion() {
    let world = World::new();
    let form = [("Authorization", ROOT), ("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(world.send(Method::Post, "/account/users/7/", &form, b"_method=delete").status, 400);
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn the_slash_at_the_end_is_part_of_the_path() {
    let world = World::new();
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options] {
        let seen = world.json(method, "/account/users/7?limit=1", "{}");
        assert_eq!(
            (seen.status, seen.header("location")),
            (301, Some("/api/v1.0/account/users/7/?limit=1")),
            "{method}"
        );
    }
    assert_eq!(world.json(Method::Post, "/account/users", NEW).status, 301);
    assert_eq!(world.get("/account/nothing").status, 404);
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn methods_that_are_not_there_are_told_those_that_are() {
    let world = World::new();
    let rows = [
        (Method::Delete, "/account/users/", 405, Some("GET,POST,PATCH")),
        (Method::Put, "/account/users/", 405, Some("GET,POST,PATCH")),
        (Method::Delete, "/account/groups/", 405, Some("GET,POST")),
        (Method::Delete, "/account/users/1/groups/", 405, Some("POST,GET")),
        (Method::Get, "/account/users/1/password/", 405, Some("POST")),
        (Method::Delete, "/account/users/1/home/", 405, Some("POST,GET")),
        (Method::Put, "/account/users/schema/", 405, Some("GET")),
        (Method::Post, "/account/users/1/", 501, None),
        (Method::Options, "/account/users/", 200, Some("GET,POST,PUT,DELETE,PATCH")),
    ];
    for (method, path, status, allow) in rows {
        let seen = world.json(method, path, "{}");
        assert_eq!((seen.status, seen.header("allow")), (status, allow), "{method} {path}");
    }
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn head_is_get_without_its_body() {
    let world = World::new();
    let seen = world.send(Method::Head, "/account/users/7/", &[("Authorization", ROOT)], b"");
    seen.is(200, "");
}
