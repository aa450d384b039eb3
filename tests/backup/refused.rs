//! Documents that are damaged, unknown or hostile change nothing, and the item is named.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{document, group, sealed, user};
use crate::v2::{Nas, problem};

#[test]
fn a_document_that_is_damaged_or_not_known_is_refused_as_a_whole() {
    let nas = Nas::start();
    let before = nas.disk.everything("/etc");
    let good = document(&[user("anna", 3101)], &[group("anna", 3101, &[])]);
    let send = |text: &str| nas.rest.post("/backups/import", text);
    let body = json!({"backup": good}).to_string();
    let rows: [(&str, &str, &str, &str); 9] = [
        ("3101", "3102", "backup", "damaged"),
        ("other", "another", "backup", "damaged"),
        ("\"version\":1", "\"version\":2", "backup.version", "unsupported"),
        ("\"version\":1", "\"version\":\"1\"", "backup.version", "unsupported"),
        ("accountd-backup", "accountd", "backup.format", "unsupported"),
        ("\"machine\"", "\"colour\":1,\"machine\"", "backup", "wrong_type"),
        ("\"full_name\"", "\"colour\":1,\"full_name\"", "backup", "wrong_type"),
        ("\"max_days\":99999", "\"max_days\":99999,\"colour\":1", "backup", "wrong_type"),
        ("\"uid\":3101", "\"uid\":-1", "backup", "wrong_type"),
    ];
    for (old, new, field, code) in rows {
        assert!(body.contains(old), "{old}");
        problem(&send(&body.replacen(old, new, 1)), 422, "invalid-values", &[(field, code)]);
    }
    let answer = send(&body.replacen("\"full_name\"", "\"colour\":1,\"full_name\"", 1)).body;
    assert!(answer.contains("item 0") && answer.contains("colour"), "{answer}");
    for length in [0, 1, 100, body.len() - 1] {
        problem(&send(&body[..length]), 400, "malformed-request", &[]);
    }
    problem(&send("{}"), 422, "invalid-values", &[("backup", "required")]);
    problem(
        &send(&json!({"backup": good, "choices": {"on_name": "rename"}}).to_string()),
        422,
        "invalid-values",
        &[("choices", "wrong_type")],
    );
    problem(
        &send(&json!({"backup": good, "choices": {"colour": 1}}).to_string()),
        422,
        "invalid-values",
        &[("choices", "wrong_type")],
    );
    let choices = json!({"skip": ["bob"], "accounts": {"carl": {}}});
    problem(&nas.import("", &good, &choices), 422, "invalid-values", &[("skip", "no_such"), ("accounts", "no_such")]);
    problem(&nas.import("?dry_run=yes", &good, &json!({})), 400, "invalid-query", &[("dry_run", "wrong_type")]);
    let huge = format!("{{\"backup\": \"{}\"}}", "x".repeat(100_000_000));
    assert!([413, 0].contains(&send(&huge).status), "it may be cut off while it is sent");
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn hostile_content_is_refused_and_named() {
    let nas = Nas::start();
    let before = nas.disk.everything("/etc");
    let homes = nas.disk.everything("/mnt/tank");
    let api_uid: u32 = nas.disk.field("/etc/passwd", "accountd-api", 2).parse().unwrap();
    let rows: Vec<(&str, Value, &str, &str)> = vec![
        ("name", json!("anna\nroot2"), "username", "bad_characters"),
        ("name", json!("anna:x:0"), "username", "bad_characters"),
        ("name", json!("../anna"), "username", "bad_characters"),
        ("name", json!("root2\u{0}"), "username", "bad_characters"),
        ("name", json!(""), "username", "required"),
        ("uid", json!(0), "uid", "reserved"),
        ("uid", json!(65_534), "uid", "reserved"),
        ("uid", json!(4_294_967_295_u32), "uid", "reserved"),
        ("uid", json!(api_uid), "uid", "service_account"),
        ("full_name", json!("a:b"), "full_name", "bad_characters"),
        ("full_name", json!("a\nroot2::0:0::/:/bin/sh"), "full_name", "bad_characters"),
        ("email", json!("|sh@example.org\n"), "email", "bad_characters"),
        ("home", json!("/mnt/tank/../../etc"), "home", "dot_component"),
        ("home", json!("/etc"), "home", "outside_roots"),
        ("home", json!("/mnt/tank"), "home", "pool_root"),
        ("home_mode", json!("4777"), "home_mode", "bad_mode"),
        ("home_mode", json!("x"), "home_mode", "bad_mode"),
        ("shell", json!("/bin/sh\n"), "shell", "bad_characters"),
        ("shell", json!("/tmp/evil"), "shell", "not_a_shell"),
        ("password", json!(""), "password_hash", "bad_hash"),
        ("password", json!("*:0:0\nroot::"), "password_hash", "bad_hash"),
        ("kept_password", json!("x"), "password_hash", "bad_hash"),
        ("password_history", json!(["x:y"]), "password_hash", "bad_hash"),
        ("samba", json!({"lm_hash": "x", "nt_hash": "y", "flags": "z", "changed": "\n"}), "password_hash", "bad_hash"),
        ("sudo", json!("\"anna\" ALL=(ALL) ALL\n\"bob\" ALL=(ALL) ALL\n"), "sudo", "no_sudo"),
        ("sudo", json!("\"bob\" ALL=(ALL) ALL\n"), "sudo", "not_for_sudoers"),
        ("sudo", json!("\"anna\" ALL=(ALL) ALL\n@include /tmp/x\n"), "sudo", "no_sudo"),
        ("sudo", json!("\"anna\" ALL=(ALL ALL\n"), "sudo", "no_sudo"),
        ("keys", json!("nonsense\n"), "keys[0]", "bad_key"),
        ("keys", json!("\u{1b}[2J\n"), "keys", "bad_characters"),
    ];
    for (field, value, named, code) in rows {
        let mut anna = user("anna", 3101);
        anna[field] = value.clone();
        let answer = nas.import(
            "",
            &document(&[user("zoe", 3102), anna], &[group("anna", 3101, &[]), group("zoe", 3102, &[])]),
            &json!({}),
        );
        let body = answer.value();
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("{field} {value}: {body}"));
        let is_named = |error: &Value| error["field"] == format!("users[1].{named}") && error["code"] == code;
        assert!(errors.iter().any(is_named), "{field} {value}: {body}");
        assert!([409, 422].contains(&answer.status), "{field} {value}");
        assert!(nas.disk.everything("/etc") == before, "{field} {value}");
    }
    let groups = [
        ("name", json!("a,b"), "groupname", "bad_characters"),
        ("name", json!("accountd-x"), "groupname", "reserved"),
        ("gid", json!(0), "gid", "reserved"),
        ("members", json!(["ghost"]), "members", "no_such"),
        ("members", json!(["a,b\nroot2:x:0:"]), "members", "no_such"),
        ("administrators", json!(["ghost"]), "members", "no_such"),
        ("password", json!("a:b"), "password_hash", "bad_hash"),
        ("sudo", json!("%\"wheel\" ALL=ALL\n"), "sudo", "not_for_sudoers"),
    ];
    for (field, value, named, code) in groups {
        let mut team = group("team", 4100, &[]);
        team[field] = value.clone();
        let body = nas.import("", &document(&[], &[team]), &json!({})).value();
        let (found, expected) = (&body["errors"][0], format!("groups[0].{named}"));
        assert_eq!((&found["field"], &found["code"]), (&json!(expected), &json!(code)), "{field} {value}: {body}");
    }
    let twice = document(&[user("anna", 3101), user("anna", 3102)], &[group("anna", 3101, &[])]);
    problem(&nas.import("", &twice, &json!({})), 422, "invalid-values", &[("users[1].username", "twice")]);
    let mut builtin = document(&[user("anna", 3101)], &[group("anna", 3101, &[])]);
    builtin["builtin_groups"] =
        json!([{"name": "no-such-group", "members": ["anna"]}, {"name": "games", "members": ["ghost"]}]);
    let errors = [("builtin_groups[0].groups", "no_such"), ("builtin_groups[1].members", "no_such")];
    problem(&nas.import("", &sealed(&builtin), &json!({})), 409, "conflict", &errors);
    assert!(nas.disk.everything("/etc") == before && nas.disk.everything("/mnt/tank") == homes);
}

#[test]
fn a_file_that_is_cut_changed_or_opened_with_another_passphrase_is_refused() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "pw"}));
    let path = |name: &str| nas.world.client_file(name).to_str().unwrap().to_owned();
    let secret = |name: &str, text: &str| {
        fs::write(path(name), text).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    secret("right", "right\n");
    secret("wrong", "wrong\n");
    let (file, plain) = (path("b.age"), path("b.json"));
    assert_eq!(nas.ctl(&["backup", "export", &file, "--encrypt", "--passphrase-file", &path("right")]).status, 0);
    assert_eq!(nas.ctl(&["backup", "export", &plain]).status, 0);
    let before = nas.disk.everything("/etc");
    let import = |file: &str, passphrase: &str| {
        nas.ctl(&["--yes", "backup", "import", file, "--passphrase-file", &path(passphrase)])
    };
    import(&file, "wrong").fails(1, &["the passphrase is wrong"]);
    nas.ctl(&["backup", "show", &file, "--passphrase-file", &path("wrong")]).fails(1, &["the passphrase is wrong"]);
    let whole = fs::read(&file).unwrap();
    for length in [10, 100, 200, whole.len() - 1] {
        fs::write(path("cut"), &whole[..length]).unwrap();
        import(&path("cut"), "right").fails(1, &["is no backup that can be used"]);
    }
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(path("changed"), &changed).unwrap();
    import(&path("changed"), "right").fails(1, &["it is damaged"]);
    let text = fs::read_to_string(&plain).unwrap().replacen("anna", "bert", 1);
    fs::write(path("plain"), text).unwrap();
    nas.ctl(&["backup", "show", &path("plain")]).fails(1, &["SHA-256"]);
    nas.ctl(&["--yes", "backup", "import", &path("plain")]).fails(1, &["FILE is damaged"]);
    nas.ctl(&["backup", "import", &path("none")]).fails(2, &["cannot read"]);
    assert!(nas.disk.everything("/etc") == before);
}
