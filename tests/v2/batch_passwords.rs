//! Passwords that are made for items of `/users:batch`: said once, to whoever has asked for them.

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::rest::Answer;

fn password(body: &Value, index: usize) -> String {
    let password = body["items"][index]["password"].as_str();
    password.unwrap_or_else(|| panic!("{}", body["items"][index])).to_owned()
}

#[test]
fn every_item_that_asks_for_one_gets_a_password_of_its_own_once() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "old", "home": "/mnt/tank/anna"}));
    nas.post("/users", &json!({"username": "berta", "home": "/mnt/tank/berta"}));
    let items = json!([
        {"op": "create", "username": "carla", "home": "/mnt/tank/carla", "random_password": true},
        {"op": "update", "user": "anna", "random_password": true, "full_name": "Anna"},
        {"op": "update", "user": "berta", "random_password": true},
        {"op": "create", "username": "dora", "random_password": false},
    ]);
    let before = nas.disk.everything("/etc");
    let tried = nas.batch("?dry_run=true", &items).object(200);
    assert_eq!((&tried["done"], tried.to_string().contains("password")), (&json!(4), false));
    assert!(nas.disk.everything("/etc") == before);
    assert!(nas.world.with_password("anna", "old").logs_in());

    let key = "Idempotency-Key: k1";
    let first = nas.send("POST", "/users:batch", key, &items);
    let body = first.object(200);
    assert_eq!((&body["done"], body["items"][3].get("password")), (&json!(4), None));
    let made: Vec<String> = (0..3).map(|index| password(&body, index)).collect();
    for (name, password) in ["carla", "anna", "berta"].iter().zip(&made) {
        assert_eq!(password.len(), 16);
        assert!(nas.world.with_password(name, password).logs_in(), "{name}");
    }
    assert!(made[0] != made[1] && made[1] != made[2] && !nas.world.with_password("anna", "old").logs_in());
    let again = nas.send("POST", "/users:batch", key, &items);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    for index in 0..3 {
        assert_eq!(again.object(200)["items"][index]["password"], Value::Null);
    }
    let jobs = nas.rest.get("/jobs").object(200);
    let id = jobs["items"][0]["id"].as_str().unwrap();
    let told = nas.rest.get("/audit").body
        + &nas.world.log()
        + &nas.rest.get(&format!("/jobs/{id}?passwords=true")).body
        + &nas.rest.get(&format!("/jobs/{id}/events")).body
        + &again.body;
    assert!(made.iter().all(|password| !told.contains(password.as_str())));
}

#[test]
fn nothing_is_made_for_an_item_that_is_refused_or_that_has_a_password() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "old"}));
    let line = nas.disk.line("/etc/shadow", "anna");
    for (op, name) in [("create", "username"), ("update", "user")] {
        let item = json!({"op": op, name: if op == "create" { "berta" } else { "anna" }, "random_password": true, "password": "x"});
        problem(&nas.batch("", &json!([item])), 422, "invalid-values", &[("[0].random_password", "must_be_absent")]);
    }
    let items = json!([
        {"op": "update", "user": "anna", "random_password": true},
        {"op": "create", "username": "anna", "random_password": true},
    ]);
    problem(&nas.batch("", &items), 409, "conflict", &[("[1].username", "duplicate")]);
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), line);
    // A table says it with true.
    let table = "username,random_password\nanna,true\nberta,true\ncarla,\n";
    let options = ["-H", "Content-Type: text/csv"];
    let body = nas.rest.curl("POST", "/users:batch?atomic=false", &options, Some(table.as_bytes())).object(200);
    let given = [0, 1, 2].map(|index| body["items"][index].get("password").is_some());
    assert_eq!((given, &body["items"][0]["outcome"]), ([false, true, false], &json!("refused")));
    assert!(nas.world.with_password("berta", &password(&body, 1)).logs_in());
}

/// A job that makes new users with passwords, which takes long enough on this machine; and their names.
pub fn long_job(nas: &Nas) -> (Answer, Vec<String>) {
    for count in [400, 1_000, 2_500, 6_000] {
        let names: Vec<String> = (0..count).map(|number| format!("u{number}of{count}")).collect();
        let item = |name: &String| json!({"op": "create", "username": name, "random_password": true});
        let answer = nas.batch("", &json!(names.iter().map(item).collect::<Vec<_>>()));
        if answer.status == 202 {
            return (answer, names);
        }
    }
    panic!("the machine is too fast");
}

#[test]
fn the_passwords_of_a_job_are_taken_once_and_lie_in_no_events() {
    let nas = Nas::start();
    let (answer, names) = long_job(&nas);
    let path = format!("/jobs/{}", answer.object(202)["id"].as_str().unwrap());
    // Before its end there is nothing to take.
    let early = nas.rest.get(&format!("{path}?passwords=true")).object(200);
    assert!(early["state"] == "done" || early["result"] == Value::Null);
    let events = nas.rest.get(&format!("{path}/events")).body;
    assert!(events.contains("\"password\":null") && !events.contains("\"password\":\""));
    let left = nas.rest.get(&path).object(200);
    assert_eq!((&left["result"]["done"], &left["result"]["items"][7]["password"]), (&json!(names.len()), &Value::Null));
    problem(&nas.rest.get(&format!("{path}?passwords=x")), 400, "invalid-query", &[("passwords", "wrong_type")]);
    problem(&nas.rest.get(&format!("{path}?password=1")), 400, "invalid-query", &[("password", "unknown_parameter")]);

    nas.post("/users", &json!({"username": "clerk", "password": "pw"}));
    let taking = format!("{path}?passwords=true");
    problem(&nas.rest.as_user("clerk", "pw").get(&taking), 404, "not-found", &[]);
    // A key of the same account is not what the job was begun with.
    let key = nas.post("/users/~/api-keys", &json!({"name": "k"}))["key"].as_str().unwrap().to_owned();
    let by_key = nas.rest.curl("GET", &taking, &["-H", &format!("Authorization: Bearer {key}")], None);
    assert_eq!(by_key.object(200)["result"]["items"][7]["password"], Value::Null);

    let said = nas.rest.get(&taking);
    assert_eq!(said.header("cache-control"), Some("no-store"));
    let result = said.object(200)["result"].clone();
    for index in [0, 7, names.len() - 1] {
        assert!(nas.world.with_password(&names[index], &password(&result, index)).logs_in());
    }
    assert_eq!(nas.rest.get(&taking).object(200)["result"]["items"][7]["password"], Value::Null);
    let told = nas.rest.get("/audit?limit=1000").body + &nas.world.log();
    assert!(!told.contains(&password(&result, 7)) && !told.contains(&password(&result, 0)));
}
