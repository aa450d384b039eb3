//! Requests that are refused: which status, which field, which words.

use accountd_protocol::refusal::{Field, Problem, Refusal};
use rocket::http::Method;

use super::{NEW, ROOT, World};

#[test]
fn every_field_that_is_wrong_is_named_in_one_answer() {
    let world = World::new();
    let seen = world.json(Method::Post, "/account/users/", "{}");
    seen.is(
        409,
        concat!(
            r#"{"bsdusr_full_name": ["This field is required."], "#,
            r#""bsdusr_group": ["Enter either a group name or create a new group to continue."], "#,
            r#""bsdusr_password": ["Password is required"], "bsdusr_uid": ["This field is required."], "#,
            r#""bsdusr_username": ["This field is required."]}"#
        ),
    );
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn hostile_values_are_refused_by_field_before_the_agent_hears_of_them() {
    let rows = [
        (
            "bsdusr_username",
            r#""-rf""#,
            r#"{"bsdusr_username": ["Name must begin with an alphanumeric character and not a \"-\"."]}"#,
        ),
        ("bsdusr_username", r#""a b""#, r#"{"bsdusr_username": ["name contains invalid characters:  "]}"#),
        (
            "bsdusr_username",
            r#""abcdefghijklmnopq""#,
            r#"{"bsdusr_username": ["Ensure this value has at most 16 characters (it has 17)."]}"#,
        ),
        (
            "bsdusr_username",
            r#""0day""#,
            r#"{"bsdusr_username": ["Name must begin with a letter or an underscore and not a \"-\"."]}"#,
        ),
        ("bsdusr_username", r#""123""#, r#"{"bsdusr_username": ["Name must not be a number."]}"#),
        (
            "bsdusr_username",
            r#""a$b""#,
            r#"{"bsdusr_username": ["The character $ is only allowed as the final character."]}"#,
        ),
        ("bsdusr_username", r#"["a"]"#, r#"{"bsdusr_username": ["Enter a valid value."]}"#),
        (
            "bsdusr_full_name",
            r#""a\nroot::0:0""#,
            r#"{"bsdusr_full_name": ["Your full name contains invalid characters (\\n, :, :, :)."]}"#,
        ),
        (
            "bsdusr_full_name",
            r#""a:b""#,
            r#"{"bsdusr_full_name": ["The \":\" character is not allowed in a \"Full Name\"."]}"#,
        ),
        (
            "bsdusr_full_name",
            r#""a\u0000""#,
            r#"{"bsdusr_full_name": ["Your full name contains invalid characters (\\u{0})."]}"#,
        ),
        (
            "bsdusr_full_name",
            &format!("{:?}", "字".repeat(121)),
            r#"{"bsdusr_full_name": ["Ensure this value has at most 120 characters (it has 121)."]}"#,
        ),
        (
            "bsdusr_home",
            &format!("{:?}", "/mnt/tank/".to_owned() + &"字".repeat(85)),
            r#"{"bsdusr_home": ["Ensure this value has at most 255 bytes (it has 265)."]}"#,
        ),
        ("bsdusr_email", r#""nobody""#, r#"{"bsdusr_email": ["Enter a valid email address."]}"#),
        ("bsdusr_home", r#""/mnt/t:x""#, r#"{"bsdusr_home": ["\"Home Directory\" cannot contain colons (:)."]}"#),
        ("bsdusr_home", r#""""#, r#"{"bsdusr_home": ["This field cannot be null."]}"#),
        ("bsdusr_home", r#""/mnt/tank/../../etc""#, r#"{"bsdusr_home": ["The path must not contain \"..\"."]}"#),
        (
            "bsdusr_shell",
            r#""sh\n""#,
            r#"{"bsdusr_shell": ["Select a valid choice. sh\\n is not one of the available choices."]}"#,
        ),
        ("bsdusr_uid", "-1", r#"{"bsdusr_uid": ["Ensure this value is greater than or equal to 0."]}"#),
        ("bsdusr_mode", r#""4755""#, r#"{"bsdusr_home": ["Please provide a valid value for home_mode attribute"]}"#),
        ("bsdusr_mode", r#""rwx""#, r#"{"bsdusr_home": ["Please provide a valid value for home_mode attribute"]}"#),
        ("bsdusr_mode", "[755]", r#"{"bsdusr_home": ["Please provide a valid value for home_mode attribute"]}"#),
        ("bsdusr_mode", "false", r#"{"bsdusr_home": ["Please provide a valid value for home_mode attribute"]}"#),
        ("bsdusr_to_group", r#""wheel""#, r#"{"bsdusr_to_group": ["Enter a list of values."]}"#),
        (
            "bsdusr_password_disabled",
            "true",
            r#"{"bsdusr_password_disabled": ["Leave \"Password\" blank when \"Disable password login\" is checked."]}"#,
        ),
        ("bsdusr_password", "null", r#"{"bsdusr_password": ["Password is required"]}"#),
    ];
    let world = World::new();
    for (field, value, body) in rows {
        let mut form: serde_json::Map<String, serde_json::Value> = serde_json::from_str(NEW).unwrap();
        form.insert(field.into(), serde_json::from_str(value).unwrap());
        let sent = serde_json::Value::Object(form).to_string();
        world.json(Method::Post, "/account/users/", &sent).is(409, body);
    }
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn faults_that_the_agent_finds_are_worded_and_keyed_alike() {
    let rows = [
        (
            Field::UserName,
            Problem::Duplicate("myuser".into()),
            r#"{"bsdusr_username": ["The username \"myuser\" already exists."]}"#,
        ),
        (
            Field::Home,
            Problem::OutsideRoots("/mnt".into()),
            r#"{"bsdusr_home": ["The path must reside within a volume mount point"]}"#,
        ),
        (
            Field::Shell,
            Problem::NotAShell,
            r#"{"bsdusr_shell": ["Select a valid choice. /bin/x is not one of the available choices."]}"#,
        ),
        (
            Field::PrimaryGroup,
            Problem::NoSuch("9".into()),
            r#"{"bsdusr_group": ["Select a valid choice. That choice is not one of the available choices."]}"#,
        ),
        (
            Field::Groups,
            Problem::NoSuch("999".into()),
            r#"{"bsdusr_to_group": ["Select a valid choice. 999 is not one of the available choices."]}"#,
        ),
        (Field::Uid, Problem::Builtin, r#"{"bsdusr_uid": ["This attribute cannot be changed"]}"#),
    ];
    for (field, problem, body) in rows {
        let world = World::refusing(Some(Refusal::invalid(field, problem)));
        world.json(Method::Put, "/account/users/7/", r#"{"bsdusr_shell": "/bin/x"}"#).is(409, body);
    }
}

#[test]
fn what_is_missing_is_answered_by_what_was_asked() {
    let world = World::refusing(Some(Refusal::NotFound));
    let canned = r#"{"error_message": "Sorry, this request could not be processed. Please try again later."}"#;
    let get = world.get("/account/users/99/");
    get.is(404, "");
    assert_eq!(get.header("content-type"), Some("text/html; charset=utf-8"));
    world.get("/account/users/99/groups/").is(404, "");
    world.json(Method::Post, "/account/users/99/password/", r#"{"bsdusr_password": "x"}"#).is(404, "");
    world.json(Method::Put, "/account/users/99/", "{}").is(404, "\"Object not found\"");
    world.json(Method::Delete, "/account/users/99/", "").is(404, canned);
    world.get("/account/users/abc/").is(404, canned);
    assert_eq!(world.get("/account/nothing/").status, 404);
}

#[test]
fn refusals_without_a_field_have_their_own_status() {
    let rows = [
        (Refusal::BuiltinDelete, 409, "Cannot delete a built-in user"),
        (Refusal::Busy, 503, "busy"),
        (Refusal::NoSpace, 507, "No space"),
        (Refusal::Internal("secret detail".into()), 500, "Sorry, this request could not be processed."),
        (Refusal::NotPermitted, 401, ""),
    ];
    for (refusal, status, text) in rows {
        let world = World::refusing(Some(refusal));
        let seen = world.json(Method::Delete, "/account/users/1/", "");
        assert_eq!(seen.status, status);
        assert!(seen.body.contains(text) && !seen.body.contains("secret detail"), "{}", seen.body);
        assert_eq!(seen.header("retry-after").is_some(), status == 503);
    }
}

#[test]
fn a_password_of_its_own_resource_is_refused_with_400() {
    let world = World::new();
    for body in ["{}", r#"{"bsdusr_password": ""}"#, "\"\""] {
        world
            .json(Method::Post, "/account/users/7/password/", body)
            .is(400, r#"{"bsdusr_password": ["This field is required."]}"#);
    }
}

#[test]
fn bodies_that_are_not_json_are_refused() {
    let world = World::new();
    for body in [&b""[..], b"{", b"{\"a\": \"\\ud800\"}", b"{\"bsdusr_full_name\": \"\xff\"}", b"{\"a\": 1e999}"] {
        let headers = [("Authorization", ROOT), ("Content-Type", "application/json; charset=utf-8")];
        world
            .send(Method::Post, "/account/users/", &headers, body)
            .is(400, r#"{"error": "Request is not valid JSON."}"#);
    }
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    world.json(Method::Post, "/account/users/", &deep).is(400, r#"{"error": "Request is not valid JSON."}"#);
    world.json(Method::Post, "/account/users/", "[]").is(400, r#"{"error": "Request is not a JSON object."}"#);
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(world.json(Method::Put, "/account/users/7/", &large).status, 413);
    let form = [("Authorization", ROOT), ("Content-Type", "application/x-www-form-urlencoded")];
    let refused = world.send(Method::Post, "/account/users/", &form, b"a=b");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("'application/x-www-form-urlencoded' had no available deserialization method"));
    let untyped = world.send(Method::Post, "/account/users/", &[("Authorization", ROOT)], b"{}");
    assert!(untyped.body.contains("'text/plain'"), "{}", untyped.body);
    assert_eq!(world.asked(), [""; 0]);
}
