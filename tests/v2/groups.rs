//! Groups and their members, beside group(5) and gshadow(5).

use serde_json::json;

use super::{Nas, problem};

#[test]
fn a_group_is_made_changed_and_deleted() {
    let nas = Nas::start();
    let answer = nas.rest.post("/groups", r#"{"groupname": "team", "gid": 4200}"#);
    let group = answer.object(201);
    let id = &group["id"];
    assert_eq!(answer.header("location"), Some(&*format!("/api/v2/groups/{id}")));
    let expected = json!({"id": id, "gid": 4200, "groupname": "team", "builtin": false, "sudo": null, "members": [],
        "limits": group["limits"]});
    assert_eq!(group, expected);
    assert_eq!(nas.disk.line("/etc/group", "team").as_deref(), Some("team:x:4200:"));
    assert_eq!(nas.rest.get("/groups/team").object(200), group);

    let chosen = nas.post("/groups", &json!({"groupname": "other"}));
    problem(&nas.patch("/groups/other", &json!({"gid": 4200})), 409, "conflict", &[("gid", "duplicate")]);
    let shared = nas.patch("/groups/other", &json!({"gid": 4200, "allow_shared_gid": true})).object(200);
    assert_eq!((&shared["id"], &shared["gid"]), (&chosen["id"], &json!(4200)));

    let renamed = nas.patch(&format!("/groups/{id}"), &json!({"groupname": "crew", "sudo": true})).object(200);
    assert_eq!(
        (&renamed["groupname"], &renamed["sudo"]),
        (&json!("crew"), &json!({"commands": ["ALL"], "commands_without_password": [], "by_hand": false}))
    );
    assert_eq!(nas.disk.line("/etc/group", "crew").as_deref(), Some("crew:x:4200:"));
    assert_eq!(nas.disk.line("/etc/group", "team"), None);
    nas.rest.delete("/groups/crew").is(204, "");
    assert_eq!(nas.disk.line("/etc/group", "crew"), None);
    assert_eq!(nas.disk.line("/etc/gshadow", "crew"), None);
    problem(&nas.rest.delete("/groups/wheel"), 409, "builtin", &[]);
}

#[test]
fn members_are_replaced_as_a_set_in_both_files() {
    let nas = Nas::start();
    let anna = nas.post("/users", &json!({"username": "anna"}));
    nas.post("/users", &json!({"username": "berta"}));
    nas.post("/users", &json!({"username": "carla", "gid": 10}));
    let set = |members: &serde_json::Value| nas.put("/groups/wheel/members", &json!({"members": members}));
    assert_eq!(set(&json!(["berta", anna["id"], "berta"])).object(200), json!({"members": ["berta", "anna"]}));
    assert_eq!(nas.disk.field("/etc/group", "wheel", 3), "berta,anna");
    assert_eq!(nas.disk.field("/etc/gshadow", "wheel", 3), "berta,anna");
    assert_eq!(nas.rest.get("/users/anna/groups").object(200), json!({"groups": ["wheel"]}));
    // Who has it as the primary group is in it anyway.
    assert_eq!(set(&json!(["carla", "anna"])).object(200), json!({"members": ["anna"]}));
    problem(&set(&json!(["anna", "nobody-such"])), 422, "invalid-values", &[("members", "no_such")]);
    problem(&set(&json!("anna")), 422, "invalid-values", &[("members", "wrong_type")]);
    problem(&set(&json!(["anna", -1])), 422, "invalid-values", &[("members", "wrong_type")]);
    problem(&set(&json!(null)), 422, "invalid-values", &[("members", "required")]);
    assert_eq!(nas.disk.field("/etc/group", "wheel", 3), "anna");
    assert_eq!(set(&json!([])).object(200), json!({"members": []}));
    let service = nas.put("/groups/accountd-api/members", &json!({"members": ["anna"]}));
    problem(&service, 422, "invalid-values", &[("members", "service_account")]);
}

#[test]
fn a_member_that_is_no_user_here_may_stay_and_not_come() {
    let nas = Nas::start();
    let text = nas.disk.text("/etc/group").replace("games:x:60:\n", "games:x:60:ldapuser\n");
    std::fs::write(nas.disk.path("/etc/group"), text).unwrap();
    nas.post("/users", &json!({"username": "anna"}));
    let set = |members: &serde_json::Value| nas.put("/groups/games/members", &json!({"members": members}));
    assert_eq!(set(&json!(["anna", "ldapuser"])).object(200), json!({"members": ["ldapuser", "anna"]}));
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "ldapuser,anna");
    set(&json!(["anna"])).status_is(200);
    problem(&set(&json!(["anna", "ldapuser"])), 422, "invalid-values", &[("members", "no_such")]);
}

#[test]
fn every_field_of_a_group_is_checked() {
    let nas = Nas::start();
    let rows = [
        (json!({}), "groupname", "required", 422),
        (json!({"groupname": "-x"}), "groupname", "bad_start", 422),
        (json!({"groupname": "x".repeat(33)}), "groupname", "too_long", 422),
        (json!({"groupname": "a:b"}), "groupname", "bad_characters", 422),
        (json!({"groupname": "WHEEL"}), "groupname", "case_duplicate", 409),
        (json!({"groupname": "wheel"}), "groupname", "duplicate", 409),
        (json!({"groupname": "g", "gid": 0}), "gid", "reserved", 422),
        (json!({"groupname": "g", "gid": -1}), "gid", "wrong_type", 422),
        (json!({"groupname": "g", "gid": 990}), "gid", "service_account", 422),
        (json!({"groupname": "g", "gid": 10}), "gid", "duplicate", 409),
        (json!({"groupname": "g", "sudo": 1}), "sudo", "wrong_type", 422),
        (json!({"groupname": "g", "members": []}), "members", "read_only", 422),
        (json!({"groupname": "g", "color": "red"}), "color", "unknown_field", 422),
    ];
    let before = nas.disk.everything("/etc");
    for (body, field, code, status) in rows {
        let kind = if status == 409 { "conflict" } else { "invalid-values" };
        problem(&nas.rest.post("/groups", &body.to_string()), status, kind, &[(field, code)]);
    }
    assert!(nas.disk.everything("/etc") == before, "a refusal changed something");
}
