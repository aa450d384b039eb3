//! The same in the words of later versions.

use serde_json::{Value, json};

use super::Server;

fn new_user(name: &str) -> Value {
    json!({"username": name, "password": "pw", "email": format!("{name}@example.org")})
}

#[test]
fn as_1_3_says_it() {
    let server = Server::speaking("1.3");
    let made = server.does("create_user", &new_user("alice"));
    assert_eq!((&made["msg"], made["id"].is_u64()), (&json!("created new user alice"), true));
    let said = |text: &str| Err(text.to_owned());
    let taken = json!({"username": "carl", "password": "pw", "email": "alice@example.org"});
    server.does("create_users_group", &json!({"group_name": "devs"}));
    let rows = [
        ("create_user", taken, said("email alice@example.org already exist")),
        ("get_user", json!({"userid": "x"}), Ok(Value::Null)),
        ("update_user", json!({"userid": "alice"}), said("Missing non optional `username` arg in JSON DATA")),
        (
            "remove_user_from_users_group",
            json!({"group_name": "devs", "username": "alice"}),
            Ok(json!({"success": false, "msg": "User wasn't in group"})),
        ),
        ("add_user_to_users_group", json!({"group_name": "devs", "username": "x"}), said("unknown user x")),
        ("add_user_to_users_group", json!({"group_name": "x", "username": "alice"}), said("unknown users group x")),
    ];
    for (method, arguments, expected) in rows {
        assert_eq!(server.call(method, &arguments), expected, "{method} {arguments}");
    }
    let member = json!({"group_name": "devs", "username": "alice"});
    let added = server.does("add_user_to_users_group", &member);
    assert_eq!((&added["success"], &added["msg"]), (&json!(true), &json!("added member alice to users group devs")));
    let again = json!({"id": null, "success": false, "msg": "User is already in that group"});
    assert_eq!(server.does("add_user_to_users_group", &member), again);
    let removed = json!({"success": true, "msg": "removed member alice from users group devs"});
    assert_eq!(server.does("remove_user_from_users_group", &member), removed);
}

#[test]
fn as_1_4_says_it() {
    let server = Server::speaking("1.4");
    let made = server.does("create_user", &new_user("alice"));
    assert_eq!((&made["msg"], &made["user"]["username"]), (&json!("created new user `alice`"), &json!("alice")));
    let id = made["user"]["user_id"].clone();
    let said = |text: &str| Err(text.to_owned());
    let rows = [
        ("create_user", new_user("alice"), said("user `alice` already exist")),
        ("get_user", json!({"userid": "x"}), said("user `x` does not exist")),
        ("get_users_group", json!({"usersgroupid": "x"}), said("user group `x` does not exist")),
        (
            "add_user_to_users_group",
            json!({"usersgroupid": "x", "userid": "alice"}),
            said("user group `x` does not exist"),
        ),
        ("pull", json!({"repoid": "x"}), said("repository `x` does not exist")),
    ];
    for (method, arguments, expected) in rows {
        assert_eq!(server.call(method, &arguments), expected, "{method} {arguments}");
    }
    assert_eq!(server.does("get_user", &json!({}))["username"], "root", "whoever asks");
    let updated = server.does("update_user", &json!({"userid": id, "lastname": "Bee"}));
    assert_eq!(
        (&updated["msg"], &updated["user"]["lastname"]),
        (&json!(format!("updated user ID:{id} alice")), &json!("Bee"))
    );
    let deleted = json!({"msg": format!("deleted user ID:{id} alice"), "user": null});
    assert_eq!(server.does("delete_user", &json!({"userid": id})), deleted);
}
