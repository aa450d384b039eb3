//! Groups, and who is in them.

use serde_json::json;

use super::{Nas, new_user};

#[test]
fn a_group_is_made_renamed_renumbered_and_deleted() {
    let nas = Nas::start();
    let answer = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": "1200", "bsdgrp_group": "mygroup"}"#);
    let group = answer.object(201);
    let id = &group["id"];
    assert_eq!(
        group,
        json!({"bsdgrp_builtin": false, "bsdgrp_gid": 1200, "bsdgrp_group": "mygroup", "bsdgrp_sudo": false, "id": id})
    );
    assert_eq!(answer.header("location"), Some(format!("/api/v1.0/account/groups/{id}/").as_str()));
    assert_eq!(nas.disk.line("/etc/group", "mygroup").as_deref(), Some("mygroup:x:1200:"));
    assert!(nas.disk.line("/etc/gshadow", "mygroup").is_some());

    let path = format!("/account/groups/{id}/");
    nas.rest.put(&path, r#"{"bsdgrp_gid": "1201", "bsdgrp_group": "ours"}"#).object(200);
    assert_eq!(nas.disk.line("/etc/group", "ours").as_deref(), Some("ours:x:1201:"));
    assert_eq!((nas.disk.line("/etc/group", "mygroup"), nas.disk.line("/etc/gshadow", "mygroup")), (None, None));

    nas.rest.delete(&path).is(204, "");
    assert_eq!((nas.disk.line("/etc/group", "ours"), nas.disk.line("/etc/gshadow", "ours")), (None, None));
    nas.rest.get(&path).is(404, "");
}

#[test]
fn a_gid_is_shared_only_when_that_is_asked_for() {
    let nas = Nas::start();
    nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 1200, "bsdgrp_group": "first"}"#).object(201);
    let second = r#"{"bsdgrp_gid": 1200, "bsdgrp_group": "second"}"#;
    nas.rest.post("/account/groups/", second).is(409, r#"{"bsdgrp_gid": ["The Group ID \"1200\" already exists."]}"#);
    assert_eq!(nas.disk.line("/etc/group", "second"), None);
    nas.rest.post("/account/groups/", &second.replace('}', r#", "allow": true}"#)).object(201);
    assert_eq!(nas.disk.line("/etc/group", "second").as_deref(), Some("second:x:1200:"));
}

#[test]
fn auxiliary_groups_are_replaced_by_name_and_unknown_ones_dropped() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("member", 3001, "pw"));
    let path = format!("/account/users/{id}/groups/");
    nas.rest.get(&path).is(200, "[]");
    nas.rest.post(&path, r#"["wheel","ftp"]"#).is(202, r#"["ftp", "wheel"]"#);
    nas.rest.get(&path).is(200, r#"["ftp", "wheel"]"#);
    assert_eq!(
        (nas.disk.field("/etc/group", "wheel", 3), nas.disk.field("/etc/group", "ftp", 3)),
        ("member".into(), "member".into())
    );
    assert_eq!(nas.disk.field("/etc/gshadow", "wheel", 3), "member");

    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_full_name": "Still A Member"}"#).object(200);
    nas.rest.get(&path).is(200, r#"["ftp", "wheel"]"#);

    nas.rest.post(&path, r#"["nosuch"]"#).is(202, "[]");
    assert_eq!(
        (nas.disk.field("/etc/group", "wheel", 3), nas.disk.field("/etc/gshadow", "wheel", 3)),
        (String::new(), String::new())
    );
    nas.rest.post(&path, r#""wheel""#).is(202, "[]");
}

#[test]
fn users_of_a_deleted_primary_group_are_left_in_a_group_that_is_there() {
    let nas = Nas::start();
    let group = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
    let user = json!({"bsdusr_username": "left", "bsdusr_uid": 4201, "bsdusr_full_name": "L", "bsdusr_password": "pw",
        "bsdusr_group": group["id"]});
    nas.rest.create_user(&user.to_string());
    nas.rest.delete(&format!("/account/groups/{}/", group["id"])).is(204, "");
    assert_eq!(nas.disk.line("/etc/group", "team"), None);
    let gid = nas.disk.field("/etc/passwd", "left", 3);
    let groups = nas.disk.text("/etc/group");
    let name = groups.lines().find(|line| line.split(':').nth(2) == Some(&gid)).and_then(|line| line.split(':').next());
    assert!(matches!(name, Some("nobody" | "nogroup")), "{gid} is {name:?}");
}

#[test]
fn groups_that_are_left_blank_are_not_given() {
    let nas = Nas::start();
    let mut form: serde_json::Value = serde_json::from_str(&new_user("blank", 3001, "pw")).unwrap();
    (form["bsdusr_group"], form["bsdusr_to_group"]) = (json!(""), json!(""));
    let id = nas.rest.create_user(&form.to_string());
    assert_eq!(nas.disk.line("/etc/group", "blank").as_deref(), Some("blank:x:3001:"));
    nas.rest.post(&format!("/account/users/{id}/groups/"), r#"["ftp"]"#).is(202, r#"["ftp"]"#);
    let path = format!("/account/users/{id}/");
    let user = nas.rest.put(&path, r#"{"bsdusr_group": " ", "bsdusr_to_group": ""}"#).object(200);
    assert_eq!(user["bsdusr_group"], 3001);
    nas.rest.get(&format!("{path}groups/")).is(200, r#"["ftp"]"#);
    nas.rest.put(&path, r#"{"bsdusr_to_group": []}"#).object(200);
    nas.rest.get(&format!("{path}groups/")).is(200, "[]");
}
