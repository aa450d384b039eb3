//! API keys: who has one may what its account may, and nobody else anything.

use serde_json::json;

use super::{Server, make_key};

const INVALID: &str = "Invalid API KEY";
const DENIED: &str = "Access was denied to this resource.";

#[test]
fn whoever_is_not_active_or_not_there_has_no_key() {
    let server = Server::start();
    server.create_user("alice");
    let key = server.key_of("alice");
    assert_eq!(key.len(), 40);
    let seen = || server.by(&key, "get_user", &json!({"username": "alice"}));
    assert_eq!(seen().unwrap()["username"], "alice");
    server.does("update_user", &json!({"userid": "alice", "active": false}));
    assert_eq!(seen(), Err(INVALID.into()));
    server.does("update_user", &json!({"userid": "alice", "active": true}));
    assert_eq!(seen().unwrap()["active"], json!(true));
    server.does("delete_user", &json!({"userid": "alice"}));
    assert_eq!(seen(), Err(INVALID.into()));
    server.create_user("alice");
    assert_eq!(seen(), Err(INVALID.into()), "another account of the name");
    for key in ["", &"0".repeat(40), &server.key.to_uppercase(), &server.key[1..], "pw"] {
        assert_eq!(server.by(key, "get_users", &json!({})), Err(INVALID.into()), "{key}");
    }
}

#[test]
fn a_user_without_a_role_is_denied_what_is_not_its_own() {
    let server = Server::start();
    server.create_user("alice");
    server.does("create_users_group", &json!({"name": "devs"}));
    let (key, before) = (server.key_of("alice"), server.disk.everything("/etc"));
    let new = json!({"username": "carl", "password": "pw", "firstname": "", "lastname": "", "email": ""});
    let rows = [
        ("get_users", json!({})),
        ("get_user", json!({"username": "root"})),
        ("get_user", json!({"username": "default"})),
        ("get_user", json!({"username": "nobody-at-all"})),
        ("create_user", new.clone()),
        ("create_user", json!({"username": "we ird", "password": "pw", "firstname": "", "lastname": "", "email": ""})),
        ("update_user", json!({"userid": "alice", "admin": true})),
        ("update_user", json!({"userid": "root", "password": "mine"})),
        ("delete_user", json!({"userid": "alice"})),
        ("get_users_groups", json!({})),
        ("get_users_group", json!({"group_name": "devs"})),
        ("create_users_group", json!({"name": "ops"})),
        ("create_users_group", json!({"name": "a b"})),
        ("add_user_to_users_group", json!({"group_name": "devs", "user_name": "alice"})),
        ("remove_user_from_users_group", json!({"group_name": "devs", "user_name": "alice"})),
    ];
    for (method, arguments) in rows {
        assert_eq!(server.by(&key, method, &arguments), Err(DENIED.into()), "{method} {arguments}");
    }
    let missing = "Missing non optional `username` arg in JSON DATA";
    assert_eq!(server.by(&key, "create_user", &json!({})), Err(missing.into()), "before it is denied");
    assert!(server.disk.everything("/etc") == before, "something has changed");
}

#[test]
fn an_account_administrator_makes_no_administrator() {
    let server = Server::start();
    server.create_user("helper");
    server.v2.put("/users/helper/roles", r#"{"roles": ["account_administrator"]}"#).status_is(200);
    let key = server.key_of("helper");
    let new = |name: &str, admin: bool| json!({"username": name, "password": "pw", "firstname": "", "lastname": "", "email": "", "admin": admin});
    assert_eq!(server.by(&key, "create_user", &new("evil", true)), Err(DENIED.into()));
    assert_eq!(server.disk.line("etc/passwd", "evil"), None);
    assert!(server.by(&key, "create_user", &new("good", false)).is_ok());
    assert_eq!(server.by(&key, "update_user", &json!({"userid": "good", "admin": true})), Err(DENIED.into()));
    let group = json!({"group_name": "accountd-administrators", "user_name": "good"});
    assert!(server.by(&key, "add_user_to_users_group", &group).is_err());
    assert_eq!(server.does("get_user", &json!({"username": "good"}))["admin"], json!(false));
}

/// Whoever has found a key does not get another way into its account.
#[test]
fn a_key_does_not_change_the_password_of_its_own_account() {
    let server = Server::start();
    let before = server.disk.line("etc/shadow", "root");
    assert_eq!(server.call("update_user", &json!({"userid": "root", "password": "mine"})), Err(DENIED.into()));
    assert_eq!(server.disk.line("etc/shadow", "root"), before);
    let revoked = make_key(&server.v2, "another");
    let keys = server.v2.get("/users/~/api-keys").object(200);
    let id = keys["items"].as_array().unwrap().iter().map(|key| key["id"].as_u64().unwrap()).max().unwrap();
    assert!(server.by(&revoked, "get_users", &json!({})).is_ok());
    server.v2.delete(&format!("/users/~/api-keys/{id}")).status_is(204);
    assert_eq!(server.by(&revoked, "get_users", &json!({})), Err(INVALID.into()));
}
