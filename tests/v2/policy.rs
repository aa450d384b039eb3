//! `/policy`: what it says, what it changes, and that it lasts.

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::freenas::new_user;
use crate::rest::Rest;
use crate::world::World;

const FILE: &str = "[passwords]\nmin_length = 6\nmax_days = 90\n";

/// The numbers and sources of three rules.
fn shown(nas: &Nas) -> [(Value, Value); 3] {
    let policy = nas.rest.get("/policy").object(200);
    ["min_length", "max_days", "warn_days"]
        .map(|rule| (policy["password"][rule].clone(), policy["source"]["password"][rule].clone()))
}

fn from(rules: [(u32, &str); 3]) -> [(Value, Value); 3] {
    rules.map(|(value, source)| (json!(value), json!(source)))
}

#[test]
fn what_is_set_counts_over_the_file_until_it_is_taken_back() {
    let nas = Nas::of(World::start_with(FILE));
    assert_eq!(shown(&nas), from([(6, "file"), (90, "file"), (7, "default")]));
    let changed = nas.patch("/policy", &json!({"password": {"min_length": 10, "warn_days": 7}}));
    assert_eq!(changed.object(200)["source"]["password"]["warn_days"], "api");
    assert_eq!(shown(&nas), from([(10, "api"), (90, "file"), (7, "api")]));
    // At once, for both dialects, and after a restart of the agent.
    let refused = |what: &str| {
        let short = nas.rest.post("/users", r#"{"username": "anna", "password": "123456789"}"#);
        problem(&short, 422, "invalid-values", &[("password", "too_short")]);
        let old = Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
        let short = old.post("/account/users/", &new_user("anna", 3001, "123456789"));
        assert!(short.status == 409 && short.body.contains("at least 10"), "{what}: {} {}", short.status, short.body);
    };
    refused("at once");
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.release("agent");
    assert_eq!(shown(&nas), from([(10, "api"), (90, "file"), (7, "api")]));
    refused("after a restart");
    nas.patch("/policy", &json!({"password": {"min_length": null, "warn_days": null}})).status_is(200);
    assert_eq!(shown(&nas), from([(6, "file"), (90, "file"), (7, "default")]));
    nas.post("/users", &json!({"username": "anna", "password": "123456"}));
}

#[test]
fn new_accounts_have_the_days_that_are_set() {
    let nas = Nas::start();
    nas.patch("/policy", &json!({"password": {"min_days": 2, "max_days": 30, "warn_days": 5}})).status_is(200);
    nas.post("/users", &json!({"username": "anna", "password": "pw"}));
    let line = nas.disk.line("/etc/shadow", "anna").unwrap();
    assert_eq!(line.split(':').skip(3).take(3).collect::<Vec<_>>(), ["2", "30", "5"]);
}

#[test]
fn what_can_not_be_meant_changes_nothing() {
    let nas = Nas::of(World::start_with(FILE));
    let before = nas.tag("/policy");
    let rows = [
        (json!({"password": {"min_length": 0}}), "password.min_length", "out_of_range"),
        (json!({"password": {"min_length": 512}}), "password.min_length", "out_of_range"),
        (json!({"password": {"min_classes": 5}}), "password.min_classes", "out_of_range"),
        (json!({"password": {"history": 25}}), "password.history", "out_of_range"),
        (json!({"password": {"warn_days": 1_000_000}}), "password.warn_days", "out_of_range"),
        // The file has the other half of it.
        (json!({"password": {"min_days": 91}}), "password.max_days", "less_than_min_days"),
        (json!({"password": {"min_length": "8"}}), "password.min_length", "wrong_type"),
        (json!({"password": {"min_lenght": 8}}), "password.min_lenght", "unknown_field"),
        (json!({"password.min_length": 8}), "password.min_length", "unknown_field"),
        (json!({"password": [8]}), "password", "wrong_type"),
        (json!({"password": null}), "password", "required"),
        (json!({"source": {}}), "source", "read_only"),
    ];
    for (change, field, code) in rows {
        problem(&nas.patch("/policy", &change), 422, "invalid-values", &[(field, code)]);
    }
    assert_eq!(nas.tag("/policy"), before);
}

#[test]
fn of_two_who_have_seen_the_same_one_changes_it() {
    let nas = Nas::start();
    let tag = format!("If-Match: {}", nas.tag("/policy"));
    let first = nas.send("PATCH", "/policy", &tag, &json!({"password": {"history": 3}}));
    assert_eq!(first.object(200)["password"]["history"], 3);
    assert_eq!(first.header("etag"), Some(&*nas.tag("/policy")));
    let second = nas.send("PATCH", "/policy", &tag, &json!({"password": {"history": 4}}));
    problem(&second, 412, "precondition-failed", &[]);
    assert_eq!(nas.rest.get("/policy").object(200)["password"]["history"], 3);
    let record = &nas.rest.get("/audit?action=set_policy").object(200)["items"][0];
    assert_eq!((&record["actor"]["name"], &record["outcome"]), (&json!("root"), &json!("refused")));
    let done = &nas.rest.get("/audit?action=set_policy&outcome=done").object(200)["items"][0];
    assert_eq!(done["changes"], json!([{"field": "history", "old": null, "new": "3"}]));
    assert_eq!(nas.rest.get("/audit/verification").object(200)["whole"], true);
}
