//! Items of `/users:batch` that change users who are there: their keys, and the groups that they are in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::freenas::keys::KEY;
use crate::rest::Answer;
use crate::world::wait_for;

const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKMQjwvXPnl108pxlJCx6g+3rjCq04pOp7xwFeQnqWJ8";

const PATIENCE: Duration = Duration::from_secs(30);

fn file(name: &str) -> String {
    format!("/mnt/tank/{name}/.ssh/authorized_keys")
}

/// Anna and Berta with a key, Carla without a home.
fn nas_with_keys() -> Nas {
    let nas = Nas::start();
    for (name, uid) in [("anna", 3101), ("berta", 3102)] {
        let home = format!("/mnt/tank/{name}");
        nas.post("/users", &json!({"username": name, "uid": uid, "home": home, "keys": [KEY]}));
    }
    nas.post("/users", &json!({"username": "carla"}));
    nas
}

/// What came of a batch, also where it took long.
fn result(nas: &Nas, answer: &Answer) -> Value {
    if answer.status == 202 { nas.over(answer)["result"].clone() } else { answer.object(200) }
}

fn csv(nas: &Nas, table: &str) -> Answer {
    nas.rest.curl("POST", "/users:batch", &["-H", "Content-Type: text/csv"], Some(table.as_bytes()))
}

#[test]
fn the_keys_of_many_are_replaced_in_one_change_with_the_rest() {
    let nas = nas_with_keys();
    let items = json!([
        {"op": "update", "user": "anna", "full_name": "Anna", "keys": [OTHER, format!("no-pty {KEY}")]},
        {"op": "update", "user": "berta", "keys": []},
        {"op": "update", "user": "carla", "full_name": "Carla", "keys": []},
    ]);
    assert_eq!(nas.batch("", &items).object(200)["done"], 3);
    assert_eq!(nas.disk.text(&file("anna")), format!("{OTHER}\nno-pty {KEY}\n"));
    assert_eq!(nas.disk.owner_and_mode(&file("anna")), (3101, 3101, 0o600));
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "Anna");
    assert!(!nas.disk.path(&file("berta")).exists());
    let record = nas.rest.get("/audit?target=anna&action=update_user").object(200)["items"][0].clone();
    let keys = record["changes"].as_array().unwrap().iter().find(|change| change["field"] == "ssh_keys").unwrap();
    assert!(keys["old"].as_str().unwrap().starts_with("SHA256:") && keys["old"] != keys["new"], "{record}");
    // In a table the keys of a user are the lines of a cell; one of a blank alone takes them away.
    let table = format!("op,user,keys\nupdate,anna, \nupdate,berta,\"{KEY}\n{OTHER}\"\nupdate,carla,\n");
    assert_eq!(csv(&nas, &table).object(200)["done"], 3);
    assert!(!nas.disk.path(&file("anna")).exists());
    assert_eq!(nas.disk.text(&file("berta")), format!("{KEY}\n{OTHER}\n"));
}

#[test]
fn where_one_item_is_no_good_every_key_file_stays() {
    let nas = nas_with_keys();
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank"));
    let anna = json!({"op": "update", "user": "anna", "keys": [OTHER]});
    let and = |item: Value| nas.batch("", &json!([anna, item]));
    let invalid = |answer: Answer, field: &str, code: &str| problem(&answer, 422, "invalid-values", &[(field, code)]);
    invalid(and(json!({"op": "update", "user": "carla", "keys": [OTHER]})), "[1].keys", "home_not_writable");
    invalid(and(json!({"op": "update", "user": "berta", "keys": ["rubbish"]})), "[1].keys[0]", "bad_key");
    invalid(and(json!({"op": "update", "user": "berta", "keys": null})), "[1].keys", "required");
    invalid(and(json!({"op": "update", "user": "berta", "keys": "x"})), "[1].keys", "wrong_type");
    invalid(and(json!({"op": "delete", "user": "berta", "keys": []})), "[1].keys", "unknown_field");
    invalid(and(json!({"op": "update", "user": "anna", "full_name": "A"})), "[1].username", "twice");
    // Under the lock only it is found that both are to have one name.
    let both = json!([
        {"op": "update", "user": "anna", "keys": [OTHER], "username": "dora"},
        {"op": "update", "user": "berta", "keys": [OTHER], "username": "dora"},
    ]);
    problem(&nas.batch("", &both), 409, "conflict", &[("[1].username", "duplicate")]);
    assert_eq!(nas.batch("?dry_run=true", &json!([anna])).object(200)["done"], 1);
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank")) == before);
    let body = nas.batch("?atomic=false", &both).object(200);
    assert_eq!((&body["items"][0]["outcome"], &body["items"][1]["outcome"]), (&json!("done"), &json!("refused")));
    assert_eq!(nas.disk.text(&file("anna")), format!("{OTHER}\n"));
    assert_eq!(nas.disk.text(&file("berta")), format!("{KEY}\n"));
    // Neither of them has left anything beside it.
    for name in ["anna", "berta"] {
        let files = nas.disk.path(&format!("/mnt/tank/{name}/.ssh")).read_dir().unwrap().count();
        assert_eq!(files, 1, "{name}");
    }
}

#[test]
fn keys_that_are_not_in_their_places_when_the_agent_is_killed_come_there_at_its_next_start() {
    let nas = Nas::start();
    let users: Vec<String> = (0..100).map(|number| format!("u{number}")).collect();
    let new =
        |name: &String| json!({"op": "create", "username": name, "home": format!("/mnt/tank/{name}"), "keys": [KEY]});
    let made = nas.batch("", &json!(users.iter().map(new).collect::<Vec<_>>()));
    assert_eq!(result(&nas, &made)["done"], 100);
    // Somebody has written a home another way.
    nas.world.run(&["usermod", "-d", &format!("/mnt/tank/{}/", users[90]), &users[90]]);
    for (said, keys) in [("without", json!([])), ("with", json!([KEY]))] {
        let item = |name: &String| json!({"op": "update", "user": name, "full_name": said, "keys": keys});
        let items = json!(users.iter().map(item).collect::<Vec<_>>());
        let has = |name: &String| nas.disk.path(&file(name)).exists();
        let before = has(&users[0]);
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| nas.batch("", &items));
            // With the first of them in its place, the agent is at the others.
            let end = Instant::now() + PATIENCE;
            while has(&users[0]) == before && Instant::now() < end {
                std::thread::yield_now();
            }
            nas.world.kill("agent");
            sent.join().unwrap();
        });
        wait_for("the agent again", || nas.rest.get("/system").status == 200);
        assert!(users.iter().all(|name| nas.disk.field("/etc/passwd", name, 4) == said));
        assert_eq!(users.iter().filter(|name| has(name) == before).count(), 0, "{said}");
    }
    assert!(nas.world.log().contains("a key file is in its place that was changed before"));
    // What is over is not done again.
    assert_eq!(nas.put("/users/u7/keys", &json!({"keys": []})).object(200)["keys"], json!([]));
    nas.put("/users/u7/keys", &json!({"keys": [OTHER]})).status_is(200);
    nas.world.kill("agent");
    wait_for("the agent again", || nas.rest.get("/system").status == 200);
    assert_eq!(nas.disk.text(&file("u7")), format!("{OTHER}\n"));
}

#[test]
fn an_account_administrator_sets_the_keys_of_ordinary_users_only() {
    let nas = nas_with_keys();
    nas.world.run(&["groupadd", "--force", "--system", "accountd-account-administrators"]);
    nas.world.run(&["groupadd", "--force", "--system", "accountd-administrators"]);
    let clerk = json!({"username": "clerk", "password": "pw", "groups": ["accountd-account-administrators"]});
    nas.post("/users", &clerk);
    nas.patch("/users/berta", &json!({"groups": ["accountd-administrators"]})).status_is(200);
    let clerk = nas.rest.as_user("clerk", "pw");
    let set = |name: &str| {
        let items = json!([{"op": "update", "user": name, "keys": [OTHER]}]);
        clerk.post("/users:batch", &items.to_string())
    };
    problem(&set("berta"), 403, "not-permitted", &[]);
    assert_eq!(set("anna").object(200)["done"], 1);
    assert_eq!(nas.disk.text(&file("berta")), format!("{KEY}\n"));
    assert_eq!(nas.disk.text(&file("anna")), format!("{OTHER}\n"));
}

#[test]
fn many_that_are_there_come_into_one_group_and_leave_another_with_one_line_of_each() {
    let nas = Nas::start();
    for group in ["crew", "guests"] {
        nas.post("/groups", &json!({"groupname": group}));
    }
    let done = |items: Vec<Value>| assert_eq!(result(&nas, &nas.batch("", &json!(items)))["done"], 1_000);
    let new = |number: u32| json!({"op": "create", "username": format!("u{number}"), "groups": ["guests"]});
    done((0..1_000).map(new).collect());
    let change = |number: u32| json!({"op": "update", "user": format!("u{number}"), "groups": ["crew"]});
    done((0..1_000).map(change).collect());
    let expected: Vec<String> = (0..1_000).map(|number| format!("u{number}")).collect();
    for file in ["/etc/group", "/etc/gshadow"] {
        assert_eq!(nas.disk.field(file, "crew", 3), expected.join(","), "{file}");
        assert_eq!(nas.disk.field(file, "guests", 3), "", "{file}");
    }
    let record = nas.rest.get("/audit?target=u999").object(200)["items"][0].clone();
    let changes = json!([{"field": "groups", "old": "guests", "new": "crew"}]);
    assert_eq!((&record["action"], &record["changes"]), (&json!("update_user"), &changes));
}

#[test]
fn what_looks_at_the_groups_between_two_items_sees_who_has_come_and_who_has_gone() {
    let nas = Nas::start();
    for group in ["crew", "guests"] {
        nas.post("/groups", &json!({"groupname": group}));
    }
    for name in ["anna", "berta", "carla", "dora"] {
        nas.post("/users", &json!({"username": name, "groups": ["guests"]}));
    }
    let tag = nas.tag("/users/dora");
    let items = json!([
        {"op": "update", "user": "anna", "groups": ["berta", "crew"]},
        // Her group stays: Anna is in it now.
        {"op": "delete", "user": "berta"},
        {"op": "update", "user": "carla", "username": "clara", "groups": ["guests", "crew"]},
        {"op": "create", "username": "emil", "groups": ["crew"]},
        {"op": "update", "user": "dora", "if_match": tag, "groups": []},
    ]);
    assert_eq!(nas.batch("", &items).object(200)["done"], 5);
    for file in ["/etc/group", "/etc/gshadow"] {
        assert_eq!(nas.disk.field(file, "berta", 3), "anna", "{file}");
        assert_eq!(nas.disk.field(file, "crew", 3), "anna,clara,emil", "{file}");
        assert_eq!(nas.disk.field(file, "guests", 3), "clara", "{file}");
    }
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
}

#[test]
fn who_is_refused_comes_into_no_group_and_administrators_are_counted_between_two_items() {
    let nas = Nas::start();
    nas.world.run(&["groupadd", "--force", "--system", "accountd-administrators"]);
    nas.post("/groups", &json!({"groupname": "crew"}));
    nas.post("/users", &json!({"username": "chief", "password": "pw", "groups": ["accountd-administrators"]}));
    for name in ["anna", "berta"] {
        nas.post("/users", &json!({"username": name, "password": "pw"}));
    }
    for other in ["root", "admin"] {
        nas.world.run(&["passwd", "-l", other]);
    }
    let chief = nas.rest.as_user("chief", "pw");
    let outcomes = |items: Value| {
        let body = chief.post("/users:batch?atomic=false", &items.to_string()).object(200);
        let items = body["items"].as_array().unwrap();
        items.iter().map(|item| item["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Who is locked has no way in: without Chief, nobody would have one.
    let refused = json!([
        {"op": "update", "user": "anna", "groups": ["crew"]},
        {"op": "update", "user": "chief", "groups": ["crew", "accountd-administrators"], "locked": true},
        {"op": "update", "user": "chief", "groups": ["crew"]},
        {"op": "update", "user": "berta", "groups": ["crew"]},
    ]);
    assert_eq!(outcomes(refused), ["done", "refused", "refused", "done"]);
    assert_eq!(nas.disk.field("/etc/group", "crew", 3), "anna,berta");
    assert_eq!(nas.disk.field("/etc/group", "accountd-administrators", 3), "admin,chief");
    let alone = json!([{"op": "update", "user": "chief", "groups": ["crew"]}]);
    assert_eq!(outcomes(alone), ["refused"]);
    let replaced = json!([
        {"op": "update", "user": "anna", "groups": ["accountd-administrators"]},
        {"op": "update", "user": "chief", "groups": ["crew"]},
    ]);
    assert_eq!(outcomes(replaced), ["done", "done"]);
    for file in ["/etc/group", "/etc/gshadow"] {
        assert_eq!(nas.disk.field(file, "accountd-administrators", 3), "admin,anna", "{file}");
        assert_eq!(nas.disk.field(file, "crew", 3), "berta,chief", "{file}");
    }
}
