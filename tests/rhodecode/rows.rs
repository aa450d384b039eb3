//! The contract, row by row: what is asked for, and what is said.

use serde_json::{Value, json};

use super::Server;

/// Ids are shown as 0.
fn without_ids(mut value: Value) -> Value {
    if let Some(id) = value.get_mut("id").filter(|id| id.is_u64()) {
        *id = json!(0);
    }
    value
}

#[test]
fn every_row_of_users_and_users_groups_in_its_order() {
    let server = Server::start();
    let alice = json!({"username": "alice", "password": "pw", "firstname": "Alice", "lastname": "Bee", "email": "alice@example.org"});
    let with = |more: Value| {
        let mut arguments = alice.clone();
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let said = |text: &str| Err(text.to_owned());
    let rows: Vec<(&str, Value, Result<Value, String>)> = vec![
        ("get_user", json!({"username": "alice"}), Ok(json!(null))),
        ("get_user", json!({}), said("Missing non optional `username` arg in JSON DATA")),
        ("create_user", json!({"username": "x"}), said("Missing non optional `password` arg in JSON DATA")),
        ("create_user", alice.clone(), Ok(json!({"msg": "created new user alice"}))),
        ("create_user", alice.clone(), said("user alice already exist")),
        (
            "create_user",
            with(json!({"username": "ALICE", "email": "x@example.org"})),
            said("failed to create user ALICE"),
        ),
        ("create_user", with(json!({"username": "carl"})), said("failed to create user carl")),
        ("create_user", with(json!({"username": "root"})), said("user root already exist")),
        ("create_user", with(json!({"username": "default"})), said("user default already exist")),
        (
            "create_user",
            with(json!({"username": "we ird", "email": "y@example.org"})),
            said("failed to create user we ird"),
        ),
        (
            "create_user",
            with(json!({"username": "../x", "email": "y@example.org"})),
            said("failed to create user ../x"),
        ),
        ("create_user", with(json!({"username": "", "email": "y@example.org"})), said("failed to create user ")),
        (
            "create_user",
            with(json!({"username": "d", "email": "z@example.org", "password": ""})),
            said("failed to create user d"),
        ),
        ("create_user", with(json!({"username": "e", "email": "no address"})), said("failed to create user e")),
        ("get_users_group", json!({"group_name": "devs"}), Ok(json!(null))),
        ("create_users_group", json!({"name": "devs"}), Ok(json!({"id": 0, "msg": "created new users group devs"}))),
        ("create_users_group", json!({"name": "devs"}), said("users group devs already exist")),
        ("create_users_group", json!({"name": "DEVS"}), said("failed to create group DEVS")),
        ("create_users_group", json!({"name": "a b"}), said("failed to create group a b")),
        ("create_users_group", json!({"name": "wheel"}), said("users group wheel already exist")),
        ("create_users_group", json!({"name": "idle", "active": false}), said("failed to create group idle")),
        ("create_users_group", json!({}), said("Missing non optional `name` arg in JSON DATA")),
        (
            "add_user_to_users_group",
            json!({"group_name": "devs", "user_name": "alice"}),
            Ok(json!({"id": 0, "msg": "created new users group member"})),
        ),
        (
            "add_user_users_group",
            json!({"group_name": "devs", "user_name": "alice"}),
            Ok(json!({"id": 0, "msg": "created new users group member"})),
        ),
        ("add_user_to_users_group", json!({"group_name": "x", "user_name": "alice"}), said("unknown users group x")),
        (
            "add_user_to_users_group",
            json!({"group_name": "wheel", "user_name": "alice"}),
            said("unknown users group wheel"),
        ),
        (
            "add_user_to_users_group",
            json!({"group_name": "devs", "user_name": "x"}),
            said("failed to create users group member"),
        ),
        (
            "add_user_to_users_group",
            json!({"group_name": "devs"}),
            said("Missing non optional `user_name` arg in JSON DATA"),
        ),
        ("update_user", json!({"userid": "x"}), said("user x does not exist")),
        ("update_user", json!({"userid": "daemon", "active": false}), said("user daemon does not exist")),
        ("update_user", json!({"userid": "alice", "username": "root"}), said("failed to update user alice")),
        ("update_user", json!({"userid": "alice", "password": ""}), Ok(json!({"id": 0, "msg": "updated user alice"}))),
        ("delete_user", json!({"userid": "nobody"}), said("user nobody does not exist")),
        ("delete_user", json!({"userid": "root"}), said("failed to delete ID:1 root")),
        ("_private", json!({}), said("Method not allowed")),
        ("get_nothing", json!({}), said("No such method: get_nothing")),
    ];
    for (method, arguments, expected) in rows {
        assert_eq!(server.call(method, &arguments).map(without_ids), expected, "{method} {arguments}");
    }
}

#[test]
fn a_membership_has_the_same_id_each_time_and_lists_show_who_is_in_what() {
    let server = Server::start();
    for name in ["alice", "berta"] {
        server.create_user(name);
    }
    let devs = server.does("create_users_group", &json!({"name": "devs"}))["id"].clone();
    let add = |user: &str| server.does("add_user_to_users_group", &json!({"group_name": "devs", "user_name": user}));
    let (first, other, again) = (add("alice"), add("berta"), add("alice"));
    assert_eq!(first, again);
    assert_ne!(first["id"], other["id"]);
    let groups = server.does("get_users_groups", &json!({}));
    let names: Vec<&Value> = groups.as_array().unwrap().iter().map(|group| &group["name"]).collect();
    assert_eq!((names, &groups[0]["id"]), (vec![&json!("devs")], &devs), "those of each user alone are left out");
    let group = server.does("get_users_group", &json!({"group_name": devs}));
    let members: Vec<&Value> = group["members"].as_array().unwrap().iter().map(|user| &user["username"]).collect();
    assert_eq!(members, [&json!("alice"), &json!("berta")]);
    assert_eq!(group, groups[0]);
    let users = server.does("get_users", &json!({}));
    let names: Vec<&str> = users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "root", "alice", "berta"]);
    assert_eq!(server.disk.field("etc/group", "devs", 3), "alice,berta");
}
