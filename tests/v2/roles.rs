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
        ("GET", "/users/target/roles", none.clone(), READERS),
        ("GET", "/users/~/roles", none.clone(), ALL),
        ("PUT", "/users/target/roles", json!({"roles": []}), CHIEFS),
        ("PUT", "/users/~/roles", json!({"roles": ["administrator"]}), CHIEFS),
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
        ("GET", "/bans", none.clone(), READERS),
        ("GET", "/metrics", none.clone(), READERS),
        ("DELETE", "/bans/999", none.clone(), CHANGERS),
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
        ("GET", "/users/target/two-factor", none.clone(), READERS),
        ("GET", "/users/~/two-factor", none.clone(), ALL),
        ("POST", "/users/~/two-factor", json!({}), ALL),
        ("POST", "/users/target/two-factor", json!({}), NOBODY),
        ("POST", "/users/~/two-factor/confirm", json!({"code": "0"}), ALL),
        ("POST", "/users/target/two-factor/confirm", json!({"code": "0"}), NOBODY),
        ("DELETE", "/users/~/two-factor", none.clone(), ALL),
        ("DELETE", "/users/target/two-factor", none.clone(), CHANGERS),
        ("POST", "/tokens", json!({}), ALL),
        ("DELETE", "/tokens/current", none.clone(), ALL),
        ("GET", "/jobs", none.clone(), ALL),
        ("GET", "/jobs/0000000000000001", none.clone(), ALL),
        ("GET", "/jobs/0000000000000001/events", none.clone(), ALL),
        ("DELETE", "/jobs/0000000000000001", none.clone(), ALL),
        ("GET", "/openapi.json", none.clone(), ALL),
        ("GET", "/connections", none.clone(), READERS),
        ("GET", "/connections?user=target", none.clone(), READERS),
        ("GET", "/connections?user=~", none.clone(), ALL),
        // Nobody is told whose it would be.
        ("DELETE", "/connections/00", none.clone(), ALL),
        ("DELETE", "/sessions/999", none.clone(), ALL),
        ("GET", "/users/target/quota", none.clone(), READERS),
        ("GET", "/users/~/quota", none.clone(), ALL),
        ("POST", "/users/target/quota/scan", none.clone(), CHANGERS),
        ("POST", "/users/~/quota/scan", none.clone(), CHANGERS),
        ("DELETE", "/users/target/quota/scan", none.clone(), CHANGERS),
        ("GET", "/quotas", none.clone(), READERS),
        ("GET", "/quotas/file-systems", none.clone(), READERS),
        ("GET", "/quotas/scans", none.clone(), READERS),
        ("POST", "/checks/repair", json!({"digest": "0"}), CHIEFS),
        ("GET", "/backups/current", none.clone(), CHIEFS),
        ("POST", "/backups/import", empty_backup(), CHIEFS),
        ("PUT", "/groups/docker/members", json!({"members": ["target"]}), CHIEFS),
        // Everybody may read this one; it is another's.
        ("GET", "/repositories", none.clone(), ALL),
        ("GET", "/repositories/shared", none.clone(), ALL),
        ("GET", "/repositories/shared/grants", none.clone(), ALL),
        ("POST", "/repositories", json!({"name": "NEW", "kind": "git"}), CHIEFS),
        ("PATCH", "/repositories/shared", json!({"description": "what we share"}), CHIEFS),
        ("POST", "/repositories/shared/grants", json!({"user": "clerk", "access": "read"}), CHIEFS),
        ("POST", "/repositories/shared/pull", none.clone(), CHIEFS),
        ("DELETE", "/repositories/NEW", none.clone(), CHIEFS),
        ("DELETE", "/users/NEW", none.clone(), CHANGERS),
        ("DELETE", "/groups/NEW", none, CHANGERS),
    ]
}

/// Nothing would be changed by it.
pub fn empty_backup() -> Value {
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
    let repository = |name: &str| nas.post("/repositories", &json!({"name": name, "kind": "git", "owner": "target"}));
    repository("shared");
    for (name, role) in [("chief", "administrators"), ("clerk", "account-administrators"), ("auditor", "auditors")] {
        nas.world.run(&["groupadd", "--force", "--system", &format!("accountd-{role}")]);
        nas.world.run(&["usermod", "-a", "-G", &format!("accountd-{role}"), name]);
    }
    assert_eq!(nas.rest.get("/users/clerk").object(200)["roles"], json!(["account_administrator"]));
    for (number, (method, path, body, allowed)) in rows().into_iter().enumerate() {
        for (caller, allowed) in CALLERS.into_iter().zip(allowed) {
            let new = format!("n{number}{caller}");
            if method == "DELETE" {
                nas.post("/users", &json!({"username": new}));
                repository(&new);
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

/// Whether a path of the description is the one of a row.
fn is_of(described: &str, row: &str) -> bool {
    let (described, row): (Vec<&str>, Vec<&str>) = (described.split('/').collect(), row.split('/').collect());
    let fits = |(described, row): (&&str, &&str)| described.starts_with('{') || described == row;
    described.len() == row.len() && described.iter().zip(&row).all(fits)
}

#[test]
fn every_route_of_the_description_is_tried_with_every_role() {
    let description: Value = serde_json::from_str(include_str!("../../src/api/v2/openapi.json")).unwrap();
    for (path, operations) in description["paths"].as_object().unwrap() {
        // What is told of the program itself has no caller.
        let Some(path) = path.strip_prefix("/api/v2") else { continue };
        for method in operations.as_object().unwrap().keys() {
            let is_tried = rows().iter().any(|(of, row, ..)| of.eq_ignore_ascii_case(method) && is_of(path, row));
            assert!(is_tried, "{method} {path}");
        }
    }
}

#[test]
fn a_role_is_given_and_taken_with_its_group_which_is_made_where_there_is_none() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "team"}));
    nas.post("/users", &json!({"username": "anna", "password": "pw", "groups": ["team"]}));
    let anna = nas.rest.as_user("anna", "pw");
    anna.get("/users").status_is(403);
    assert_eq!(nas.disk.line("/etc/group", "accountd-auditors"), None);

    let tag = nas.tag("/users/anna");
    let given = nas.put("/users/anna/roles", &json!({"roles": ["auditor"]}));
    assert_eq!(given.object(200), json!({"roles": ["auditor"]}));
    assert_eq!(given.header("etag"), Some(&*nas.tag("/users/anna")));
    assert_eq!(nas.disk.field("/etc/group", "accountd-auditors", 3), "anna");
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna");
    anna.get("/users").status_is(200);
    problem(
        &nas.send("PUT", "/users/anna/roles", &format!("If-Match: {tag}"), &json!({"roles": []})),
        412,
        "precondition-failed",
        &[],
    );

    let both = json!({"roles": ["account_administrator", "administrator"]});
    assert_eq!(
        nas.put("/users/anna/roles", &both).object(200),
        json!({"roles": ["administrator", "account_administrator"]})
    );
    assert_eq!(nas.disk.field("/etc/group", "accountd-auditors", 3), "");
    assert_eq!(nas.disk.field("/etc/group", "accountd-account-administrators", 3), "anna");
    assert_eq!(anna.get("/users/~/roles").object(200), json!({"roles": ["administrator", "account_administrator"]}));
    assert_eq!(nas.put("/users/anna/roles", &json!({"roles": []})).object(200), json!({"roles": []}));
    anna.get("/users").status_is(403);
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna");
}

#[test]
fn roles_that_can_not_be_so_are_refused_and_nothing_changes() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "accountd-auditors", "gid": 4200}));
    nas.post("/users", &json!({"username": "anna", "gid": 4200}));
    let before = nas.disk.everything("/etc");
    let invalid = "invalid-values";
    let refused = |user: &str, roles: Value, status, kind: &str, code: &str| {
        let answer = nas.put(&format!("/users/{user}/roles"), &json!({"roles": roles}));
        problem(&answer, status, kind, &[("roles", code)]);
    };
    refused("anna", json!(["chief"]), 422, invalid, "no_such");
    refused("anna", json!("auditor"), 422, invalid, "wrong_type");
    refused("anna", json!([]), 409, "conflict", "given_by_group");
    refused("root", json!([]), 409, "conflict", "builtin");
    nas.put("/users/root/roles", &json!({"roles": ["administrator"]})).status_is(200);
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn only_an_administrator_can_make_a_group_that_gives_a_role() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "clerk", "password": "pw"}));
    nas.put("/users/clerk/roles", &json!({"roles": ["account_administrator"]})).status_is(200);
    let clerk = nas.rest.as_user("clerk", "pw");
    let own = clerk.post("/groups", r#"{"groupname": "club"}"#).object(201);
    for name in ["accountd-administrators", "accountd-auditors"] {
        clerk.post("/groups", &json!({"groupname": name}).to_string()).status_is(403);
        let rename = json!({"groupname": name}).to_string();
        clerk.json("PATCH", &format!("/groups/{}", own["id"]), &rename).status_is(403);
    }
    assert_eq!(nas.disk.field("/etc/group", "accountd-administrators", 3), "admin");
    assert_eq!(nas.disk.line("/etc/group", "accountd-auditors"), None);
    problem(
        &nas.rest.post("/users", r#"{"username": "accountd-auditors"}"#),
        422,
        "invalid-values",
        &[("username", "reserved")],
    );
}
