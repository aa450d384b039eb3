//! `/audit` and `/checks` over REST; the agent's own tests look at what is behind them.

use serde_json::json;

use super::{Nas, problem};

#[test]
fn a_change_and_a_refusal_are_in_the_trail_and_the_chain_is_whole() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "pw"}));
    nas.patch("/users/anna", &json!({"full_name": "Anna A"})).status_is(200);
    nas.rest.post("/users", r#"{"username": "anna"}"#).status_is(409);
    let changes = nas.rest.get("/audit?target=anna&action=update_user&limit=1").object(200);
    let record = &changes["items"][0];
    assert_eq!((&record["outcome"], &record["actor"]["name"]), (&json!("done"), &json!("root")));
    assert_eq!(record["actor"]["source"], "127.0.0.1");
    let name = json!({"field": "full_name", "old": null, "new": "Anna A"});
    assert!(record["changes"].as_array().unwrap().contains(&name), "{record}");
    assert!(record["time"].as_str().unwrap().ends_with('Z'));
    let refused = nas.rest.get("/audit?outcome=refused&action=create_user").object(200);
    assert!(refused["items"][0]["reason"].as_str().unwrap().contains("anna"), "{refused}");
    let all = nas.rest.get("/audit").body;
    assert!(!all.contains("$6$") && !all.contains("\"pw\""));
    let verdict = nas.rest.get("/audit/verification").object(200);
    assert_eq!((&verdict["whole"], &verdict["flaw"]), (&json!(true), &json!(null)));
    problem(&nas.rest.get("/audit?limit=0"), 400, "invalid-query", &[("limit", "bad_value")]);
    problem(&nas.rest.get("/audit?who=x"), 400, "invalid-query", &[("who", "unknown")]);
}

#[test]
fn what_a_check_shows_is_repaired_when_it_is_asked_for() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna"}));
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
    nas.world.run(&["sed", "-i", "/^anna:/d", "/etc/shadow"]);
    let check = nas.rest.get("/checks").object(200);
    assert_eq!(check["items"][0]["code"], "shadow.missing", "{check}");
    let order = |codes: &[&str]| json!({"digest": check["digest"], "codes": codes}).to_string();
    problem(&nas.rest.post("/checks/repair", &order(&["odd"])), 422, "invalid-values", &[("codes", "no_such")]);
    let old = json!({"digest": "0000"}).to_string();
    problem(&nas.rest.post("/checks/repair", &old), 409, "conflict", &[("digest", "changed")]);
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), None);
    let repaired = nas.rest.post("/checks/repair", &order(&["shadow.missing"])).object(200);
    assert_eq!(repaired["items"][0]["done"], true, "{repaired}");
    assert!(nas.disk.line("/etc/shadow", "anna").is_some());
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
}
