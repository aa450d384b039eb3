//! Bodies that are no request, and requests with more than one thing wrong.

use serde_json::{Map, Value, json};

use super::Quiet;
use crate::rest::Answer;

#[test]
fn bodies_that_are_no_object_of_json_are_refused() {
    let quiet = Quiet::start();
    let invalid = r#"{"error": "Request is not valid JSON."}"#;
    let deep = format!("{{\"bsdusr_uid\": {}", "[".repeat(200_000));
    let bodies: [&[u8]; 8] = [
        b"",
        b"{",
        b"{\"a\": }",
        b"{'a': 1}",
        deep.as_bytes(),
        b"{\"bsdusr_full_name\": \"a\xff\"}",
        b"{\"bsdusr_full_name\": \"\\ud800\"}",
        b"\xef\xbb\xbf{}",
    ];
    for body in bodies {
        quiet.refused("POST", "/account/users/", body, 400, invalid);
        quiet.refused("PUT", &quiet.anna, body, 400, invalid);
    }
    for body in [&b"[]"[..], b"\"x\"", b"null", b"1"] {
        quiet.refused("POST", "/account/users/", body, 400, "not a JSON object");
    }
    let large = format!("{{\"bsdusr_sshpubkey\": \"{}\"}}", "x".repeat(1 << 20));
    quiet.refused("PUT", &quiet.anna, large.as_bytes(), 413, "larger than");
    let escaped = format!("{{\"bsdusr_sshpubkey\": \"{}\"}}", "\u{1}".repeat(10).escape_default());
    quiet.refused("PUT", &quiet.anna, escaped.as_bytes(), 400, invalid);
    form_is_refused(&quiet);
}

/// A form of a browser, and one that would stand for a deletion.
fn form_is_refused(quiet: &Quiet) {
    let before = quiet.nas.disk.everything("/etc");
    let form = ["-H", "Content-Type: application/x-www-form-urlencoded"];
    let sent = |path: &str, body: &str| -> Answer { quiet.nas.rest.curl("POST", path, &form, Some(body.as_bytes())) };
    let answers = [sent("/account/users/", "bsdusr_username=x"), sent(&quiet.anna, "_method=delete")];
    for answer in answers {
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains("'application/x-www-form-urlencoded' had no available deserialization method"));
    }
    assert!(quiet.nas.disk.everything("/etc") == before);
}

#[test]
fn everything_that_is_wrong_is_in_one_answer() {
    let quiet = Quiet::start();
    let form: Map<String, Value> = serde_json::from_str(
        r#"{"bsdusr_username": "anna", "bsdusr_uid": 0, "bsdusr_full_name": "x", "bsdusr_home": "/etc",
            "bsdusr_shell": "/bin/nosuch", "bsdusr_group": 99999, "bsdusr_password": "a\nb",
            "bsdusr_sshpubkey": "garbage", "bsdusr_to_group": [99999]}"#,
    )
    .unwrap();
    let answer = quiet.nas.rest.post("/account/users/", &Value::Object(form).to_string());
    let named: Vec<String> = answer.object(409).as_object().unwrap().keys().cloned().collect();
    let mut expected = [
        "bsdusr_username",
        "bsdusr_uid",
        "bsdusr_home",
        "bsdusr_shell",
        "bsdusr_group",
        "bsdusr_password",
        "bsdusr_sshpubkey",
        "bsdusr_to_group",
    ];
    expected.sort_unstable();
    assert_eq!(named, expected);
}

/// An account that isn't there is told before anything that is wrong with the request for it.
#[test]
fn what_is_not_there_can_not_have_faulty_fields() {
    let quiet = Quiet::start();
    let many: Vec<String> = (0..65).map(|number| format!("group{number}")).collect();
    for (number, name) in many.iter().enumerate() {
        let group = json!({"bsdgrp_gid": 4300 + number, "bsdgrp_group": name}).to_string();
        quiet.nas.rest.post("/account/groups/", &group).object(201);
    }
    let missing = "\"Object not found\"";
    let rows = [
        ("PUT", "/account/users/999/", json!({"bsdusr_uid": "x"}), missing),
        ("PATCH", "/account/users/999/", json!({"bsdusr_shell": "/bin/nosuch"}), missing),
        ("PUT", "/account/groups/999/", json!({"bsdgrp_group": "a b"}), missing),
        ("PUT", "/account/groups/999/", json!({"bsdgrp_group": "wheel"}), missing),
        ("POST", "/account/users/999/password/", json!({}), ""),
        ("POST", "/account/users/999/password/", json!({"bsdusr_password": "a\nb"}), ""),
        ("POST", "/account/users/999/groups/", json!(many), ""),
    ];
    for (method, path, body, said) in rows {
        quiet.nas.rest.json(method, path, &body.to_string()).is(404, said);
    }
    let names = json!(many).to_string();
    let said = "{\"bsduser_to_group\": [\"A user cannot belong to more than 64";
    quiet.refused("POST", &format!("{}groups/", quiet.anna), names.as_bytes(), 400, said);
    quiet.refused("POST", &format!("{}password/", quiet.anna), b"{}", 400, "This field is required.");
}
