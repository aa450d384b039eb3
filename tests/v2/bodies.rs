//! Bad bodies: each is refused with what is wrong with it, and changes nothing.

use serde_json::{Value, json};

use super::{Nas, problem};

/// Fields of a new user beside its name; field, code and status of the refusal.
fn bad_values() -> Vec<(Value, &'static str, &'static str, u16)> {
    vec![
        (json!({"username": null}), "username", "required", 422),
        (json!({"username": 5}), "username", "wrong_type", 422),
        (json!({"username": ""}), "username", "required", 422),
        (json!({"username": "12"}), "username", "all_digits", 422),
        (json!({"username": "-x"}), "username", "bad_start", 422),
        (json!({"username": "a:b"}), "username", "bad_characters", 422),
        (json!({"username": "a\nroot"}), "username", "bad_characters", 422),
        (json!({"username": "Nobody"}), "username", "reserved", 422),
        (json!({"username": "x".repeat(33)}), "username", "too_long", 422),
        (json!({"uid": "3001"}), "uid", "wrong_type", 422),
        (json!({"uid": 1.5}), "uid", "wrong_type", 422),
        (json!({"uid": 4_294_967_296_u64}), "uid", "wrong_type", 422),
        (json!({"uid": 0}), "uid", "reserved", 422),
        (json!({"uid": 990}), "uid", "service_account", 422),
        (json!({"gid": 59_999}), "gid", "no_such", 422),
        (json!({"gid": 990}), "gid", "service_account", 422),
        (json!({"full_name": "a:b"}), "full_name", "bad_characters", 422),
        (json!({"full_name": "x".repeat(481)}), "full_name", "too_long", 422),
        (json!({"full_name": []}), "full_name", "wrong_type", 422),
        (json!({"email": "nobody"}), "email", "bad_characters", 422),
        (json!({"home": "home"}), "home", "not_absolute", 422),
        (json!({"home": "/mnt/tank/../x"}), "home", "dot_component", 422),
        (json!({"home": "/etc/x"}), "home", "outside_roots", 422),
        (json!({"home": "/mnt/tank"}), "home", "pool_root", 422),
        (json!({"home_mode": "4755"}), "home_mode", "bad_mode", 422),
        (json!({"home_mode": "rwx"}), "home_mode", "bad_mode", 422),
        (json!({"home_mode": "+755"}), "home_mode", "bad_mode", 422),
        (json!({"home_mode": 755}), "home_mode", "wrong_type", 422),
        (json!({"shell": "/bin/nothing"}), "shell", "not_a_shell", 422),
        (json!({"password": ""}), "password", "required", 422),
        (json!({"password": "a\nb"}), "password", "bad_characters", 422),
        (json!({"password": "x".repeat(512)}), "password", "too_long", 422),
        (json!({"password": 1}), "password", "wrong_type", 422),
        (json!({"password": "a", "password_disabled": true}), "password", "must_be_absent", 422),
        (json!({"password_disabled": false}), "password", "required", 422),
        (json!({"password": "a", "password_hash": "$6$a$b"}), "password_hash", "must_be_absent", 422),
        (json!({"password_hash": "nonsense"}), "password_hash", "bad_hash", 422),
        (json!({"groups": "wheel"}), "groups", "wrong_type", 422),
        (json!({"groups": ["nothing"]}), "groups", "no_such", 422),
        (json!({"groups": ["accountd-ssh"]}), "groups", "service_account", 422),
        (json!({"keys": ["x"], "home": "/mnt/tank/x"}), "keys[0]", "bad_key", 422),
        (json!({"keys": [crate::freenas::keys::KEY]}), "keys", "home_not_writable", 422),
        (json!({"locked": "yes"}), "locked", "wrong_type", 422),
        (json!({"microsoft_account": 0}), "microsoft_account", "wrong_type", 422),
        (json!({"sudo": "true"}), "sudo", "wrong_type", 422),
        (json!({"id": 7}), "id", "read_only", 422),
        (json!({"smb": true}), "smb", "read_only", 422),
        (json!({"quota": 5}), "quota", "unknown_field", 422),
        (json!({"unix_hash": "x"}), "unix_hash", "unknown_field", 422),
    ]
}

#[test]
fn every_field_of_a_user_is_checked() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "present", "uid": 3001}));
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    for (fields, field, code, status) in bad_values() {
        let mut body = json!({"username": "new"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        problem(&nas.rest.post("/users", &body.to_string()), status, "invalid-values", &[(field, code)]);
    }
    for (username, code) in [("present", "duplicate"), ("PRESENT", "case_duplicate")] {
        let answer = nas.rest.post("/users", &json!({"username": username, "gid": 100}).to_string());
        problem(&answer, 409, "conflict", &[("username", code)]);
    }
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before, "a refusal changed something");
}

#[test]
fn every_field_of_a_change_is_checked() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3001}));
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    for (body, field, code, status) in bad_values() {
        // What a change has no field for, or takes in another way.
        if body.get("keys").is_some() || body.get("password_hash").is_some() {
            continue;
        }
        problem(&nas.patch("/users/anna", &body), status, "invalid-values", &[(field, code)]);
    }
    for field in ["uid", "gid", "home", "home_mode", "home_transfer", "shell", "password", "groups", "locked"] {
        problem(&nas.patch("/users/anna", &json!({field: null})), 422, "invalid-values", &[(field, "required")]);
    }
    let two = json!({"home_transfer": "burn", "nonsense": 1, "uid": -1});
    let errors = [("uid", "wrong_type"), ("home_transfer", "no_such"), ("nonsense", "unknown_field")];
    problem(&nas.patch("/users/anna", &two), 422, "invalid-values", &errors);
    problem(&nas.patch("/users/anna", &json!({"keys": []})), 422, "invalid-values", &[("keys", "unknown_field")]);
    problem(&nas.patch("/users/root", &json!({"locked": true})), 409, "conflict", &[("locked", "builtin")]);
    for body in [json!({}), json!({"password": null}), json!({"password": ""})] {
        problem(&nas.put("/users/anna/password", &body), 422, "invalid-values", &[("password", "required")]);
    }
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before, "a refusal changed something");
}

#[test]
fn a_body_that_is_no_object_of_json_is_refused_as_a_whole() {
    let nas = Nas::start();
    let deep = "[".repeat(100_000);
    for body in ["", "{", "[]", "null", "\"anna\"", "{\"username\": }", "{\"username\": \"a\"} x", "\u{feff}{}", &deep]
    {
        problem(&nas.rest.post("/users", body), 400, "malformed-request", &[]);
    }
    let not_utf8 = b"{\"username\": \"\xff\"}";
    let json = ["-H", "Content-Type: application/json"];
    problem(&nas.rest.curl("POST", "/users", &json, Some(not_utf8)), 400, "malformed-request", &[]);
    let huge = format!("{{\"username\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    problem(&nas.rest.post("/users", &huge), 413, "too-large", &[]);
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/merge-patch+json",
    ] {
        let header = format!("Content-Type: {kind}");
        let answer = nas.rest.curl("POST", "/users", &["-H", &header], Some(b"{\"username\": \"anna\"}"));
        problem(&answer, 415, "unsupported-media-type", &[]);
    }
    let answer = nas.rest.curl("PATCH", "/users/root", &["-H", "Content-Type:"], Some(b"{}"));
    problem(&answer, 415, "unsupported-media-type", &[]);
    // Rocket lets a form stand for other methods.
    nas.post("/users", &json!({"username": "anna"}));
    let form = ["-H", "Content-Type: application/x-www-form-urlencoded"];
    problem(&nas.rest.curl("POST", "/users/anna", &form, Some(b"_method=DELETE")), 415, "unsupported-media-type", &[]);
    assert!(nas.disk.line("/etc/passwd", "anna").is_some());
}
