//! Bodies that nobody means well with. Each has an answer of this dialect, and none of them is repeated in it.

use rocket::http::Method;
use serde_json::{Value, json};

use super::{KEY, World};

#[track_caller]
fn error(world: &World, body: &[u8]) -> String {
    let seen = world.post(body);
    assert_eq!((seen.status, seen.header("content-type")), (200, Some("application/json")), "{}", seen.body);
    let answer: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(answer["result"], Value::Null);
    answer["error"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_no_request_is_told_so_and_not_repeated() {
    let world = World::new();
    let deep = "[".repeat(200_000);
    let deep_in_arguments =
        format!(r#"{{"api_key": "{KEY}", "method": "get_users", "args": {{"a": {}"#, "{\"a\":".repeat(5000));
    let bodies: [&[u8]; 14] = [
        b"hunter2",
        b"\"hunter2\"",
        b"[\"hunter2\"]",
        b"[]",
        b"null",
        b"7",
        b"true",
        b"{\"hunter2\": }",
        b"{\"password\": \"hunter2\xff\"}",
        b"\xfe\xff\x00h\x00u",
        b"%7B%22hunter2",
        b"{} {}",
        deep.as_bytes(),
        deep_in_arguments.as_bytes(),
    ];
    for body in bodies {
        let error = error(&world, body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert!(error.starts_with("JSON parse error ERR:") && error.len() < 80, "{shown}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(world.asked().is_empty());
}

#[test]
fn ten_megabytes_are_too_many() {
    let world = World::new();
    let mut body = json!({"api_key": KEY, "method": "get_users", "args": {"a": "x".repeat(10 << 20)}}).to_string();
    assert_eq!(error(&world, body.as_bytes()), "JSON parse error ERR:the body is larger than 1 MiB");
    body.truncate(10 << 20);
    assert_eq!(error(&world, body.as_bytes()), "JSON parse error ERR:the body is larger than 1 MiB");
}

/// Every method with every argument of every kind: something is said, and it is not the server's fault.
#[test]
fn arguments_of_any_kind_have_an_answer() {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(18_446_744_073_709_551_615_u64),
        json!(""),
        json!("None"),
        json!("a\0b"),
        json!("ünï\u{202e}\u{1F600}"),
        json!("../../etc/passwd"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([["a"]]),
        json!({"a": {"b": null}}),
    ];
    let methods = [
        "get_users",
        "get_user",
        "create_user",
        "update_user",
        "delete_user",
        "get_users_groups",
        "get_users_group",
        "create_users_group",
        "add_user_to_users_group",
        "remove_user_from_users_group",
        "get_repos",
        "get_repo",
        "create_repo",
        "delete_repo",
        "add_user_to_repo",
        "add_users_group_to_repo",
        "grant_user_permission",
        "revoke_user_permission",
        "grant_users_group_permission",
        "revoke_users_group_permission",
        "pull",
    ];
    let names = [
        "userid",
        "username",
        "user_name",
        "password",
        "firstname",
        "lastname",
        "email",
        "active",
        "admin",
        "ldap_dn",
        "group_name",
        "name",
        "usersgroupid",
        "repo",
        "repoid",
        "repo_name",
        "owner_name",
        "description",
        "repo_type",
        "private",
        "clone_uri",
        "perm",
    ];
    let world = World::new();
    for method in methods {
        for value in &values {
            let arguments: Value =
                names.iter().map(|name| ((*name).to_owned(), value.clone())).collect::<serde_json::Map<_, _>>().into();
            let (_, error) = world.call(method, arguments);
            assert_ne!(error, json!("Internal server error"), "{method} {value:.60}");
        }
    }
    let asked = world.asked();
    assert!(!asked.iter().any(|asked| asked.starts_with("Create")), "{asked:?}");
}

#[test]
fn a_form_of_a_browser_can_not_choose_another_method() {
    let world = World::new();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let seen = world.send(Method::Post, "/api", &form, b"_method=DELETE&api_key=x");
    assert_eq!(seen.status, 200);
    assert!(seen.body.contains("JSON parse error"), "{}", seen.body);
}
