//! Every operation of this dialect with every role.

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::freenas::keys::KEY;

/// Everybody who asks; the password is the name.
const CALLERS: [&str; 4] = ["chief", "clerk", "auditor", "anna"];
const ALL: [bool; 4] = [true, true, true, true];
const READERS: [bool; 4] = [true, true, true, false];
const CHANGERS: [bool; 4] = [true, true, false, false];
const CHIEFS: [bool; 4] = [true, false, false, false];
const NOBODY: [bool; 4] = [false, false, false, false];

/// `NEW` in a path or a body stands for a name that nobody has.
fn rows() -> Vec<(&'static str, &'static str, Value, [bool; 4])> {
    let none = Value::Null;
    vec![
        ("GET", "/users", none.clone(), READERS),
        ("GET", "/users/target", none.clone(), READERS),
        ("GET", "/users/~", none.clone(), ALL),
        ("GET", "/users/target/keys", none.clone(), READERS),
        ("GET", "/users/~/keys", none.clone(), ALL),
        ("GET", "/users/target/groups", none.clone(), READERS),
        ("GET", "/users/~/groups", none.clone(), ALL),
        ("GET", "/users/target/api-keys", none.clone(), READERS),
        ("GET", "/users/~/api-keys", none.clone(), ALL),
        ("GET", "/users/target/api-keys/1", none.clone(), READERS),
        ("POST", "/users/~/api-keys", json!({"name": "NEW"}), ALL),
        ("POST", "/users/target/api-keys", json!({"name": "NEW"}), NOBODY),
        ("DELETE", "/users/~/api-keys/999", none.clone(), ALL),
        ("DELETE", "/users/target/api-keys/999", none.clone(), CHANGERS),
        ("GET", "/groups", none.clone(), READERS),
        ("GET", "/groups/team", none.clone(), READERS),
        ("GET", "/groups/team/members", none.clone(), READERS),
        ("GET", "/system", none.clone(), ALL),
        ("GET", "/policy", none.clone(), ALL),
        ("PATCH", "/policy", json!({"password": {"warn_days": 9}}), CHIEFS),
        ("PUT", "/users/target/password", json!({"random_password": true}), CHANGERS),
        ("GET", "/audit", none.clone(), READERS),
        ("GET", "/audit/verification", none.clone(), READERS),
        ("GET", "/checks", none.clone(), READERS),
        ("PUT", "/users/~/keys", json!({"keys": [KEY]}), ALL),
        ("PUT", "/users/target/keys", json!({"keys": [KEY]}), CHANGERS),
        ("PUT", "/users/target/password", json!({"password": "new"}), CHANGERS),
        ("PUT", "/users/target/groups", json!({"groups": ["team"]}), CHANGERS),
        ("PUT", "/groups/team/members", json!({"members": ["target"]}), CHANGERS),
        ("PATCH", "/users/target", json!({"full_name": "Other"}), CHANGERS),
        ("PATCH", "/users/~", json!({"full_name": "Own"}), CHANGERS),
        ("PATCH", "/users/~", json!({"sudo": true}), CHIEFS),
        ("PATCH", "/groups/team", json!({"gid": 7001}), CHANGERS),
        ("POST", "/users", json!({"username": "NEW"}), CHANGERS),
        ("POST", "/groups", json!({"groupname": "NEW"}), CHANGERS),
        ("POST", "/users:batch", json!([{"op": "create", "username": "NEW"}]), CHANGERS),
        ("POST", "/users:batch", json!([{"op": "update", "user": "~", "sudo": true}]), CHIEFS),
        ("POST", "/users/target/disable", json!({}), CHANGERS),
        ("GET", "/jobs", none.clone(), ALL),
        ("POST", "/checks/repair", json!({"digest": "0"}), CHIEFS),
        ("GET", "/backups/current", none.clone(), CHIEFS),
        ("POST", "/backups/import", empty_backup(), CHIEFS),
        ("PUT", "/groups/docker/members", json!({"members": ["target"]}), CHIEFS),
        ("DELETE", "/users/NEW", none.clone(), CHANGERS),
        ("DELETE", "/groups/NEW", none, CHANGERS),
    ]
}

/// Nothing would be changed by it.
fn empty_backup() -> Value {
    let backup: accountd_protocol::backup::Backup = serde_json::from_value(json!({
        "format": "accountd-backup", "version": 1, "machine": "", "created": "", "password_rules": {}, "groups": [],
        "builtin_groups": [], "users": [], "sha256": "",
    }))
    .unwrap();
    json!({"backup": backup.sealed().0})
}

#[test]
fn every_operation_is_open_to_the_roles_that_it_is_for_and_to_no_other() {
    let nas = Nas::start();
    for name in CALLERS.into_iter().chain(["target"]) {
        nas.post("/users", &json!({"username": name, "password": name, "home": format!("/mnt/tank/home/{name}")}));
    }
    nas.post("/groups", &json!({"groupname": "team"}));
    nas.post("/groups", &json!({"groupname": "docker"}));
    for (name, role) in [("chief", "administrators"), ("clerk", "account-administrators"), ("auditor", "auditors")] {
        nas.world.run(&["groupadd", "--system", &format!("accountd-{role}")]);
        nas.world.run(&["usermod", "-a", "-G", &format!("accountd-{role}"), name]);
    }
    assert_eq!(nas.rest.get("/users/clerk").object(200)["roles"], json!(["account_administrator"]));
    for (number, (method, path, body, allowed)) in rows().into_iter().enumerate() {
        for (caller, allowed) in CALLERS.into_iter().zip(allowed) {
            let new = format!("n{number}{caller}");
            if method == "DELETE" {
                nas.post("/users", &json!({"username": new}));
            }
            let (path, body) = (path.replace("NEW", &new), body.to_string().replace("NEW", &new));
            let rest = nas.rest.as_user(caller, caller);
            let before = nas.disk.everything("/etc");
            let answer =
                if body == "null" { rest.curl(method, &path, &[], None) } else { rest.json(method, &path, &body) };
            assert_eq!(answer.status != 403, allowed, "{caller}: {method} {path}: {} {}", answer.status, answer.body);
            if !allowed {
                problem(&answer, 403, "not-permitted", &[]);
                assert!(nas.disk.everything("/etc") == before, "{caller}: {method} {path}");
            }
        }
    }
}
