//! Items of `/users:batch` that are refused while others are done: each is in the audit trail.

use serde_json::{Value, json};

use super::Nas;

fn refused(nas: &Nas, query: &str) -> Vec<Value> {
    let page = nas.rest.get(&format!("/audit?outcome=refused&limit=1000{query}")).object(200);
    page["items"].as_array().unwrap().clone()
}

#[test]
fn every_item_that_is_refused_alone_has_a_record_of_its_own() {
    let nas = Nas::start();
    let id = nas.post("/users", &json!({"username": "anna", "home": "/mnt/tank/anna"}))["id"].clone();
    nas.post("/users", &json!({"username": "dora"}));
    let items = json!([
        {"op": "create", "username": "anna", "password": "a secret"},
        {"op": "create", "username": "berta"},
        {"op": "update", "user": "anna", "uid": 0},
        {"op": "update", "user": "dora", "username": "berta"},
        {"op": "delete", "user": "nobody\n here"},
        {"op": "delete", "user": "daemon"},
    ]);
    assert_eq!(nas.batch("?atomic=false&dry_run=true", &items).object(200)["refused"], 5);
    assert_eq!(refused(&nas, ""), Vec::<Value>::new(), "who only tries is refused nothing");
    assert_eq!(nas.batch("?atomic=false", &items).object(200)["refused"], 5);
    let mut records = refused(&nas, "");
    records.reverse();
    let said: Vec<Value> = records.iter().map(|it| json!([it["action"], it["target"]["name"], it["reason"]])).collect();
    let expected = json!([
        ["create_user", "anna", "user_name is already in use: anna"],
        ["update_user", "anna", "uid is reserved"],
        ["update_user", "dora", "user_name is already in use: berta"],
        ["delete_user", "nobody\\n here", "no such account"],
        ["delete_user", "daemon", "a built-in account can not be deleted"],
    ]);
    assert_eq!(json!(said), expected);
    assert_eq!((&records[1]["target"]["id"], &records[0]["target"]["id"]), (&id, &Value::Null));
    assert!(records.iter().all(|record| record["actor"] == records[0]["actor"] && record["target"]["kind"] == "user"));
    assert_eq!(records[0]["actor"]["name"], "root");
    // All or none is one request: it has one record.
    nas.batch("", &items).status_is(422);
    assert_eq!(refused(&nas, "&action=batch").len(), 1);
    assert_eq!(refused(&nas, "").len(), 6);
    assert_eq!(nas.rest.get("/audit/verification").object(200)["flaw"], Value::Null);
}

#[test]
fn of_very_many_refused_items_the_first_have_a_record_each_and_the_rest_one() {
    let nas = Nas::start();
    let item = |number: u32| json!({"op": "delete", "user": format!("x{number}")});
    let body = nas.batch("?atomic=false", &json!((0..1_000).map(item).collect::<Vec<_>>())).object(200);
    assert_eq!((&body["done"], &body["refused"]), (&json!(0), &json!(1_000)));
    assert_eq!(refused(&nas, "&action=delete_user").len(), 100);
    let rest = refused(&nas, "&action=batch");
    assert_eq!((rest.len(), &rest[0]["target"]), (1, &Value::Null));
    let reason = rest[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("900 more items: item 100 x100, item 101 x101, "), "{reason}");
}

#[test]
fn an_item_that_can_not_be_read_is_refused_alone_too() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "dora"}));
    let items = json!([
        {"op": "create", "username": "anna"},
        {"op": "create", "username": "../x"},
        {"op": "create", "username": "berta", "uid": "x"},
        {"op": "update", "user": "dora", "groups": ["no-such"]},
        {"op": "make", "username": "carla"},
        {"op": "create", "username": "emil", "shoe_size": 44},
    ]);
    let before = nas.disk.everything("/etc");
    let whole = nas.batch("", &items).object(422);
    let fields: Vec<&str> =
        whole["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["[1].username", "[2].uid", "[4].op", "[5].shoe_size"]);
    assert!(nas.disk.everything("/etc") == before);

    let expected = json!([
        null,
        ["username", "bad_characters"],
        ["uid", "wrong_type"],
        ["groups", "no_such"],
        ["op", "no_such"],
        ["shoe_size", "unknown_field"]
    ]);
    for query in ["?atomic=false&dry_run=true", "?atomic=false"] {
        let body = nas.batch(query, &items).object(200);
        assert_eq!((&body["done"], &body["refused"]), (&json!(1), &json!(5)), "{body}");
        let said = body["items"].as_array().unwrap().iter().map(|item| {
            let error = &item["problem"]["errors"][0];
            if error.is_null() { Value::Null } else { json!([error["field"], error["code"]]) }
        });
        assert_eq!(json!(said.collect::<Vec<_>>()), expected);
    }
    assert!(nas.disk.line("/etc/passwd", "anna").is_some() && nas.disk.line("/etc/passwd", "berta").is_none());
    let reasons: Vec<Value> = refused(&nas, "&action=batch").iter().map(|record| record["reason"].clone()).collect();
    assert!(reasons.contains(&json!("username: bad_characters")), "{reasons:?}");

    let table = "username,uid\nfranz,\ng/h,\n";
    let options = ["-H", "Content-Type: text/csv"];
    let body = nas.rest.curl("POST", "/users:batch?atomic=false", &options, Some(table.as_bytes())).object(200);
    assert_eq!((&body["done"], &body["refused"]), (&json!(1), &json!(1)));
}
