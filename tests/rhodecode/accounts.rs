//! What is asked for is in the account files, and what others write there is shown.

use std::thread;

use serde_json::{Value, json};

use super::Server;

#[test]
fn a_user_is_an_account_of_the_system() {
    let server = Server::start();
    let new = json!({"username": "alice", "password": "secret", "firstname": "Al Ice", "lastname": "Bee Cee",
        "email": "alice@example.org", "active": "False"});
    server.does("create_user", &new);
    let line = server.disk.line("etc/passwd", "alice").unwrap();
    assert!(line.ends_with(":Al Ice Bee Cee:/nonexistent:/usr/sbin/nologin"), "{line}");
    assert!(server.disk.field("etc/shadow", "alice", 1).starts_with("!$"), "it is not active");
    let shown = server.does("get_user", &json!({"username": "alice"}));
    for (key, value) in [
        ("firstname", json!("Al Ice")),
        ("lastname", json!("Bee Cee")),
        ("active", json!(false)),
        ("admin", json!(false)),
        ("email", json!("alice@example.org")),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    assert!(!shown.to_string().contains("api_key"), "{shown}");
    let id = shown["id"].clone();
    server.does("update_user", &json!({"userid": id, "active": "1", "password": "other", "username": "alina"}));
    let shown = server.does("get_user", &json!({"userid": id}));
    assert_eq!(
        (&shown["username"], &shown["firstname"], &shown["active"]),
        (&json!("alina"), &json!("Al Ice"), &json!(true))
    );
    let signed = |password: &str| server.v2.as_user("alina", password).get("/users/~").status;
    assert_eq!((signed("secret"), signed("other")), (401, 200));
    assert_eq!(
        server.does("delete_user", &json!({"userid": "alina"}))["msg"],
        json!(format!("deleted user ID:{id} alina"))
    );
    assert_eq!(server.disk.line("etc/passwd", "alina"), None);
}

#[test]
fn what_others_write_is_shown_and_words_that_are_true_no_more_are_not() {
    let server = Server::start();
    server.world.run(&["useradd", "-c", "Berta von B", "berta"]);
    let shown = server.does("get_user", &json!({"username": "berta"}));
    assert_eq!((&shown["firstname"], &shown["lastname"]), (&json!("Berta"), &json!("von B")));
    let new = json!({"username": "alice", "password": "pw", "firstname": "A B", "lastname": "C", "email": ""});
    server.does("create_user", &new);
    server.world.run(&["usermod", "-c", "D E F", "alice"]);
    let shown = server.does("get_user", &json!({"username": "alice"}));
    assert_eq!((&shown["firstname"], &shown["lastname"]), (&json!("D"), &json!("E F")));
    server.world.run(&["groupadd", "devs"]);
    server.world.run(&["usermod", "-aG", "devs", "alice"]);
    server.world.run(&["usermod", "-L", "berta"]);
    let group = server.does("get_users_group", &json!({"group_name": "devs"}));
    assert_eq!(group["members"][0]["username"], "alice");
    assert_eq!(server.does("get_user", &json!({"username": "berta"}))["active"], json!(false));
}

#[test]
fn an_administrator_is_made_and_unmade_by_its_group() {
    let server = Server::start();
    let before = server.disk.field("etc/group", "accountd-administrators", 3);
    let new =
        json!({"username": "chief", "password": "pw", "firstname": "", "lastname": "", "email": "", "admin": "true"});
    server.does("create_user", &new);
    assert_eq!(server.disk.field("etc/group", "accountd-administrators", 3), format!("{before},chief"));
    assert_eq!(server.does("get_user", &json!({"username": "chief"}))["admin"], json!(true));
    let key = server.key_of("chief");
    assert!(server.by(&key, "get_users", &json!({})).is_ok());
    server.does("update_user", &json!({"userid": "chief", "admin": "0"}));
    assert_eq!(server.disk.field("etc/group", "accountd-administrators", 3), before);
    assert_eq!(server.by(&key, "get_users", &json!({})), Err("Access was denied to this resource.".into()));
}

/// No list that somebody has read is written over what somebody else has put there.
#[test]
fn members_that_come_at_the_same_time_all_stay() {
    let server = Server::start();
    let names: Vec<String> = (0..12).map(|number| format!("u{number}")).collect();
    names.iter().for_each(|name| server.create_user(name));
    server.does("create_users_group", &json!({"name": "devs"}));
    thread::scope(|scope| {
        for name in &names {
            let server = &server;
            scope.spawn(move || {
                server.does("add_user_to_users_group", &json!({"group_name": "devs", "user_name": name}))
            });
        }
    });
    let listed = server.disk.field("etc/group", "devs", 3);
    let mut members: Vec<&str> = listed.split(',').collect();
    members.sort_unstable();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(members, expected);
    server.does("remove_user_from_users_group", &json!({"group_name": "devs", "user_name": "u3"}));
    assert!(!server.disk.field("etc/group", "devs", 3).split(',').any(|name| name == "u3"));
}

#[test]
fn one_name_is_given_once_however_many_ask_for_it() {
    let server = Server::start();
    let made: Vec<Result<Value, String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let server = &server;
                let new = json!({"username": "alice", "password": format!("pw{number}"), "firstname": "", "lastname": "",
                    "email": format!("a{number}@example.org")});
                scope.spawn(move || server.call("create_user", &new))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
    assert!(
        made.iter().flat_map(|made| made.as_ref().err()).all(|error| error == "user alice already exist"),
        "{made:?}"
    );
}
