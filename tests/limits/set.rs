//! Limits as they are set and shown.

use serde_json::{Value, json};

use super::{limit, nas_with};
use crate::v2::problem;

/// Every limit, with a value.
fn all() -> Value {
    json!({"quota_bytes": 1000, "quota_soft_bytes": 900, "quota_files": 10, "quota_soft_files": 9, "max_sessions": 2,
        "upload_bandwidth": 100, "download_bandwidth": 200, "bandwidth_scope": "transfer",
        "permissions": ["list", "upload"], "idle_timeout": 600, "allowed_networks": ["127.0.0.0/8"],
        "session_root": "home"})
}

fn none() -> Value {
    json!({"quota_bytes": null, "quota_soft_bytes": null, "quota_files": null, "quota_soft_files": null,
        "max_sessions": null, "upload_bandwidth": null, "download_bandwidth": null, "bandwidth_scope": "account",
        "permissions": null, "idle_timeout": null, "allowed_networks": [], "session_root": null})
}

#[test]
fn what_is_set_is_shown_after_a_restart_too_and_null_lifts_it() {
    let mut nas = nas_with(&all());
    let shown = |nas: &crate::v2::Nas| nas.rest.get("/users/anna").object(200)["limits"].clone();
    assert_eq!(shown(&nas), all());
    nas.world.restart();
    let nas = crate::v2::Nas::of(nas.world);
    assert_eq!(shown(&nas), all());
    limit(&nas, &json!({"max_sessions": null, "quota_files": 20}));
    let mut changed = all();
    (changed["max_sessions"], changed["quota_files"]) = (Value::Null, json!(20));
    assert_eq!(shown(&nas), changed);
    nas.patch("/users/anna", &json!({"limits": null})).status_is(200);
    assert_eq!(shown(&nas), none());
    assert_eq!(nas.world.run(&["sh", "-c", "test -e /home/anna || echo none"]), "none\n");
}

#[test]
fn the_strictest_of_a_user_and_its_groups_counts() {
    let nas = nas_with(&json!({"quota_bytes": 1000, "permissions": ["list", "upload", "rename"]}));
    nas.post("/groups", &json!({"groupname": "guests", "limits": {"quota_bytes": 5000, "max_sessions": 3}}));
    let second = json!({"permissions": ["list", "upload", "download"], "max_sessions": 2});
    nas.post("/groups", &json!({"groupname": "weak", "limits": second}));
    nas.patch("/users/anna", &json!({"groups": ["guests", "weak"]})).status_is(200);
    let user = nas.rest.get("/users/anna").object(200);
    let effective = &user["effective_limits"];
    assert_eq!(
        (&effective["quota_bytes"], &effective["max_sessions"], &effective["permissions"]),
        (&json!(1000), &json!(2), &json!(["list", "upload"]))
    );
    assert_eq!(user["limits"]["max_sessions"], Value::Null);
    nas.patch("/groups/weak", &json!({"limits": {"max_sessions": 1}})).status_is(200);
    assert_eq!(nas.rest.get("/users/anna").object(200)["effective_limits"]["max_sessions"], json!(1));
    // Of a primary group, too.
    let gid = nas.rest.get("/groups/weak").object(200)["gid"].clone();
    nas.post("/users", &json!({"username": "berta", "gid": gid}));
    assert_eq!(nas.rest.get("/users/berta").object(200)["effective_limits"]["max_sessions"], json!(1));
}

#[test]
fn what_no_limit_can_be_is_refused_by_its_name_and_changes_nothing() {
    let nas = nas_with(&json!({}));
    let before = nas.rest.get("/users/anna").body;
    for (limits, field, code) in [
        (json!({"max_sessions": 0}), "limits.max_sessions", "zero"),
        (json!({"max_sessions": "2"}), "limits.max_sessions", "wrong_type"),
        (json!({"quota_bytes": -1}), "limits.quota_bytes", "wrong_type"),
        (json!({"quota_bytes": 1, "quota_soft_bytes": 2}), "limits.quota_bytes", "soft_above_hard"),
        (json!({"upload_bandwidth": 0}), "limits.upload_bandwidth", "zero"),
        (json!({"bandwidth_scope": "all"}), "limits.bandwidth_scope", "no_such"),
        (json!({"permissions": ["list", "*"]}), "limits.permissions[1]", "no_such"),
        (json!({"idle_timeout": 604_801}), "limits.idle_timeout", "too_large"),
        (json!({"allowed_networks": ["10.0.0.0/8", "host"]}), "limits.allowed_networks[1]", "bad_network"),
        (json!({"session_root": "/mnt/../etc"}), "limits.session_root", "not_a_plain_path"),
        (json!({"session_root": "mnt"}), "limits.session_root", "not_a_plain_path"),
        (json!({"colour": 1}), "limits.colour", "unknown_field"),
        (json!([1]), "limits", "wrong_type"),
    ] {
        problem(&nas.patch("/users/anna", &json!({"limits": limits})), 422, "invalid-values", &[(field, code)]);
    }
    assert_eq!(nas.rest.get("/users/anna").body, before);
    let refused = nas.rest.post("/groups", r#"{"groupname": "g", "limits": {"idle_timeout": 0}}"#);
    problem(&refused, 422, "invalid-values", &[("limits.idle_timeout", "zero")]);
    assert_eq!(nas.disk.line("/etc/group", "g"), None);
}

#[test]
fn each_limit_is_in_the_audit_trail_and_an_account_administrator_may_set_it() {
    let nas = nas_with(&json!({}));
    nas.post("/users", &json!({"username": "carl", "password": "pw"}));
    nas.put("/users/carl/roles", &json!({"roles": ["account_administrator"]})).status_is(200);
    let carl = nas.rest.as_user("carl", "pw");
    let body = json!({"limits": {"quota_bytes": 5, "allowed_networks": ["10.0.0.0/8"]}}).to_string();
    carl.json("PATCH", "/users/anna", &body).status_is(200);
    let anna = nas.rest.as_user("anna", "pw");
    anna.json("PATCH", "/users/~", &body).status_is(403);
    let record = &nas.rest.get("/audit?user=carl&action=update_user").object(200)["items"][0];
    assert_eq!(
        record["changes"],
        json!([{"field": "quota_bytes", "old": null, "new": "5"},
            {"field": "allowed_networks", "old": null, "new": "10.0.0.0/8"}])
    );
}
