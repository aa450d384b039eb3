//! What is refused: by which status, in which words.

use accountd_protocol::key_advice::{KeyAdvice, KeyFault};
use accountd_protocol::refusal::{Field, Invalid, LimitField, Problem, Refusal};
use rocket::http::Method;

use super::World;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVvCIiRKbHQZxJ2m3t7VV8f0oGFJQ4pLzFVZ4vN3xJ0";

#[test]
fn the_first_thing_that_is_wrong_is_said_in_the_order_of_sftpgo() {
    let world = World::new();
    let rows = [
        ("", "EOF"),
        ("{", "unexpected EOF"),
        ("invalid", "invalid character 'i' looking for beginning of value"),
        (r#"{"uid":"1"}"#, "json: cannot unmarshal string into Go struct field User.uid of type int"),
        ("null", "Validation error: Mandatory parameters missing"),
        ("{}", "Validation error: Mandatory parameters missing"),
        (r#"{"username":"a"}"#, "Validation error: Mandatory parameters missing"),
        (r#"{"home_dir":"/a"}"#, "Validation error: Mandatory parameters missing"),
        (
            r#"{"username":"a","home_dir":"b","password":""}"#,
            "Validation error: Please set password or at least a public_key",
        ),
        (
            r#"{"username":"a","home_dir":"b","password":"p"}"#,
            "Validation error: Please grant some permissions to this user",
        ),
        (
            r#"{"username":"a","home_dir":"b<","password":"p","permissions":["x"],"public_keys":["y"]}"#,
            "Validation error: home_dir must be an absolute path, actual value: b\\u003c",
        ),
        (
            r#"{"username":"a","home_dir":"/b","password":"p","permissions":["list","x"],"public_keys":["y"]}"#,
            "Validation error: Invalid permission: x",
        ),
        (
            r#"{"username":"../a","home_dir":"/b","permissions":["*"],"public_keys":["y"]}"#,
            "Validation error: Could not parse key nr. 0: ssh: no key found",
        ),
        (
            r#"{"username":"../a","home_dir":"/b","permissions":["*"],"password":"p"}"#,
            "Validation error: username contains characters that are not allowed: /",
        ),
        (
            r#"{"username":"a:0:0","home_dir":"/b","permissions":["*"],"password":"p"}"#,
            "Validation error: username contains characters that are not allowed: :",
        ),
        (
            r#"{"username":"a","home_dir":"/b","permissions":["*"],"password":"p","uid":-5}"#,
            "Validation error: uid must be from 0 to 4294967295, actual value: -5",
        ),
        (
            r#"{"username":"a","home_dir":"/b","permissions":["*"],"password":"p","gid":99}"#,
            "Validation error: gid does not exist: 99",
        ),
        (
            r#"{"username":"a","home_dir":"/b","permissions":["*"],"password":"$2a$10$abc"}"#,
            "Validation error: password begins with $2a$ and is not a hash that can be verified here",
        ),
    ];
    for (body, expected) in rows {
        let expected = format!(r#"{{"error":{},"message":"","status":400}}"#, serde_json::json!(expected));
        world.root(Method::Post, "/user", body).is_json(400, &expected.replace("\\\\u003c", "\\u003c"));
    }
    world.nothing_was_asked();
}

#[test]
fn what_the_agent_finds_is_named_by_the_member_of_this_api() {
    let rows = [
        (Field::Uid, Problem::Duplicate("bob".into()), "uid is already in use: bob"),
        (Field::Uid, Problem::Reserved, "uid is reserved"),
        (Field::Home, Problem::OutsideRoots("/mnt/POOL".into()), "home_dir must lie below one of: /mnt/POOL"),
        (Field::SshKeys, Problem::BadKey { line: 2, reason: "x".into() }, "Could not parse key nr. 1: x"),
        (Field::Limit(LimitField::Quota), Problem::SoftAboveHard, "quota_size has a soft limit above the hard one"),
        (
            Field::UserName,
            Problem::CaseDuplicate("Alice".into()),
            "username differs only in case from the existing name Alice",
        ),
        (
            Field::SshKeys,
            Problem::Keys(KeyAdvice { path: "/mnt/tank/a".into(), fault: KeyFault::NotADirectory }),
            "/mnt/tank/a is not a directory: keys are refused; replace it by one.",
        ),
    ];
    for (field, problem, expected) in rows {
        let world = World::refusing(Refusal::invalid(field, problem));
        world.root(Method::Post, "/user", &new()).is_error(400, &format!("Validation error: {expected}"));
    }
}

fn new() -> String {
    format!(r#"{{"username":"alice","home_dir":"/mnt/tank/alice","permissions":["*"],"public_keys":["{KEY}"]}}"#)
}

#[test]
fn a_name_that_is_taken_is_500_once_everything_else_is_right() {
    let taken = Invalid { field: Field::UserName, problem: Problem::Duplicate("alice".into()) };
    let world = World::refusing(Refusal::Invalid(vec![taken.clone()]));
    world.root(Method::Post, "/user", &new()).is_error(500, "username 'alice' already exists");
    let reserved = Invalid { field: Field::Uid, problem: Problem::Reserved };
    let world = World::refusing(Refusal::Invalid(vec![taken, reserved]));
    world.root(Method::Post, "/user", &new()).is_error(400, "Validation error: uid is reserved");
}

#[test]
fn ids_in_paths_are_numbers_with_a_sign() {
    let world = World::new();
    for id in ["a", "1.0", "9223372036854775808", "0x1"] {
        for method in [Method::Get, Method::Put, Method::Delete] {
            world.root(method, &format!("/user/{id}"), "nothing").is_error(400, "Invalid userID");
        }
    }
    for id in ["0", "-7", "9223372036854775807"] {
        for method in [Method::Get, Method::Put, Method::Delete] {
            let seen = world.root(method, &format!("/user/{id}"), "nothing");
            seen.is_error(404, &format!("Not found: user with ID {id} does not exist"));
        }
    }
    world.get("/user?limit=&offset=x").is_error(400, "Invalid limit");
    world.get("/user?offset=x").is_error(400, "Invalid offset");
    world.get("/user?order=asc").is_error(400, "Invalid order");
    world.nothing_was_asked();
}

#[test]
fn users_that_are_built_in_are_none_of_this_api() {
    let world = World::of_user(accountd_protocol::agent::User { builtin: true, ..super::user() });
    for method in [Method::Get, Method::Put, Method::Delete] {
        world.root(method, "/user/7", "{}").is_error(404, "Not found: user with ID 7 does not exist");
    }
    let scan = world.root(Method::Post, "/quota_scan", r#"{"username":"alice"}"#);
    scan.is_error(404, "Not found: username alice does not exist");
    world.nothing_was_asked();
}

#[test]
fn refusals_without_a_field_have_their_own_status() {
    let rows = [
        (Refusal::NotPermitted, 403, "you are not permitted to do this"),
        (Refusal::LastAdministrator, 403, "this is the last administrator who can log in"),
        (Refusal::NotFound, 404, "Not found: user with ID 7 does not exist"),
        (Refusal::PasswordExpired, 401, "the password has to be changed first"),
        (Refusal::Busy, 503, "the account files are in use, try again later"),
        (Refusal::NoSessions, 503, "a service does not answer, try again later"),
        (Refusal::NoSpace, 500, "no space is left for the account files"),
        (Refusal::Internal("secret detail".into()), 500, "internal error, the log says more"),
    ];
    for (refusal, status, text) in rows {
        let world = World::refusing(refusal);
        let seen = world.root(Method::Delete, "/user/7", "");
        seen.is_error(status, text);
        assert_eq!(seen.header("retry-after").is_some(), status == 503);
    }
}
