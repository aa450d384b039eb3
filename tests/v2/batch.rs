//! `/users:batch` and `/jobs`: many changes in one request.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::freenas::keys::KEY;
use crate::rest::Answer;
use crate::world::wait_for;

impl Nas {
    pub fn batch(&self, query: &str, items: &Value) -> Answer {
        self.rest.post(&format!("/users:batch{query}"), &items.to_string())
    }

    /// What came of a job, once it is over.
    pub fn over(&self, answer: &Answer) -> Value {
        let location = answer.header("location").unwrap().trim_start_matches("/api/v2").to_owned();
        let state = || self.rest.get(&location).object(200)["state"].as_str().unwrap().to_owned();
        wait_for("the end of the job", || !matches!(&*state(), "waiting" | "running"));
        self.rest.get(&location).object(200)
    }
}

fn outcomes(body: &Value) -> Vec<&str> {
    body["items"].as_array().unwrap().iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

#[test]
fn users_are_made_changed_and_deleted_in_one_change() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "crew"}));
    for name in ["anna", "berta"] {
        nas.post("/users", &json!({"username": name, "home": format!("/mnt/tank/{name}")}));
    }
    let items = json!([
        {"op": "create", "username": "carla", "home": "/mnt/tank/carla", "groups": ["crew"], "keys": [KEY]},
        {"op": "update", "user": "anna", "full_name": "Anna", "groups": ["crew"], "locked": true},
        {"op": "delete", "user": "berta", "delete_home": true},
    ]);
    let body = nas.batch("", &items).object(200);
    assert_eq!((outcomes(&body), &body["done"], &body["refused"]), (vec!["done"; 3], &json!(3), &json!(0)));
    assert_eq!(body["items"][0]["id"], nas.rest.get("/users/carla").object(200)["id"]);
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "Anna");
    assert!(nas.disk.field("/etc/shadow", "anna", 1).starts_with('!'));
    let members = nas.disk.field("/etc/group", "crew", 3);
    assert_eq!(members.split(',').collect::<std::collections::BTreeSet<_>>(), ["anna", "carla"].into());
    assert_eq!(nas.disk.text("/mnt/tank/carla/.ssh/authorized_keys").trim_end(), KEY);
    for file in ["passwd", "shadow", "group", "gshadow"] {
        assert_eq!(nas.disk.line(&format!("/etc/{file}"), "berta"), None, "{file}");
    }
    assert!(!nas.disk.path("/mnt/tank/berta").exists());
    let records = nas.rest.get("/audit?user=root").object(200)["items"].clone();
    let said = |target: &str| {
        let of = records.as_array().unwrap().iter().find(|record| record["target"]["name"] == target);
        of.map(|record| (record["action"].clone(), record["changes"].to_string())).unwrap()
    };
    assert_eq!(said("carla").0, "create_user");
    assert_eq!(said("berta").0, "delete_user");
    assert_eq!(said("anna").0, "update_user");
    assert!(said("anna").1.contains("\"groups\""), "{}", said("anna").1);
}

/// Items, and the status, the type and the errors that they are refused with.
type Refused = (Value, u16, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn one_item_that_is_no_good_keeps_all_from_being_done_and_every_one_is_named() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna"}));
    let before = nas.disk.everything("/etc");
    let homes = nas.disk.everything("/mnt/tank");
    let rows: [Refused; 9] = [
        (
            json!([{"op": "create", "username": "b", "home": "/mnt/tank/b"}, {"op": "create", "username": "-"}, {"op": "update", "user": "anna", "uid": "x"}]),
            422,
            "invalid-values",
            &[("[1].username", "bad_start"), ("[2].uid", "wrong_type")],
        ),
        (
            json!([{"op": "create", "username": "b", "home": "/mnt/tank/b"}, {"op": "create", "username": "anna"}]),
            409,
            "conflict",
            &[("[1].username", "duplicate")],
        ),
        (
            json!([{"op": "create", "username": "b"}, {"op": "create", "username": "B"}]),
            409,
            "conflict",
            &[("[1].username", "duplicate")],
        ),
        (json!([{"op": "delete", "user": "nobody-here"}]), 422, "invalid-values", &[("[0]", "not-found")]),
        (
            json!([{"op": "update", "user": "anna"}, {"op": "delete", "user": "anna"}]),
            422,
            "invalid-values",
            &[("[1].username", "twice")],
        ),
        (
            json!([{"op": "create", "username": "b", "groups": ["none"]}]),
            422,
            "invalid-values",
            &[("[0].groups", "no_such")],
        ),
        (
            json!([{"op": "delete", "user": "anna"}, {"op": "delete", "user": "daemon"}]),
            409,
            "conflict",
            &[("[1]", "builtin")],
        ),
        (
            json!([{"op": "update", "user": "anna", "full_name": "A", "if_match": "old"}]),
            422,
            "invalid-values",
            &[("[0]", "precondition-failed")],
        ),
        (
            json!([{"username": "b"}, {"op": "rename"}, {"op": "delete"}, {"op": "delete", "user": "anna", "home": "/x"}, 7]),
            400,
            "malformed-request",
            &[],
        ),
    ];
    for (items, status, kind, errors) in rows {
        problem(&nas.batch("", &items), status, kind, errors);
        assert!(nas.disk.everything("/etc") == before, "{items}");
    }
    // What would have changed something is recorded as refused, with its item.
    let refused = nas.rest.get("/audit?action=batch&outcome=refused").object(200)["items"].to_string();
    assert!(refused.contains("item 1: user_name is already in use: anna"), "{refused}");
    let items =
        json!([{"username": "b"}, {"op": "rename"}, {"op": "delete"}, {"op": "delete", "user": "anna", "home": "/x"}]);
    let errors =
        [("[0].op", "required"), ("[1].op", "no_such"), ("[2].user", "required"), ("[3].home", "unknown_field")];
    problem(&nas.batch("", &items), 422, "invalid-values", &errors);
    problem(
        &nas.batch("?atomic=yes&x=1", &items),
        400,
        "invalid-query",
        &[("atomic", "wrong_type"), ("x", "unknown_parameter")],
    );
    let many: Vec<Value> =
        (0..10_001).map(|number| json!({"op": "create", "username": format!("u{number}")})).collect();
    problem(&nas.batch("", &json!(many)), 422, "invalid-values", &[("items", "too_many")]);
    assert!(nas.disk.everything("/etc") == before && nas.disk.everything("/mnt/tank") == homes);
}

#[test]
fn each_alone_is_done_whatever_becomes_of_the_others() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "home": "/mnt/tank/anna"}));
    nas.post("/users", &json!({"username": "dora", "uid": 3100}));
    // What is free before all of them need not be free behind one of them.
    let items = json!([
        {"op": "create", "username": "berta", "home": "/mnt/tank/berta"},
        {"op": "update", "user": "dora", "username": "carla"},
        {"op": "create", "username": "carla", "home": "/mnt/tank/carla"},
        {"op": "create", "username": "anna"},
        {"op": "update", "user": "anna", "full_name": "Anna"},
        {"op": "delete", "user": "none"},
    ]);
    let body = nas.batch("?atomic=false", &items).object(200);
    assert_eq!(outcomes(&body), ["done", "done", "refused", "refused", "done", "refused"]);
    assert_eq!((&body["done"], &body["refused"]), (&json!(3), &json!(3)));
    assert_eq!(body["items"][2]["problem"]["errors"][0]["field"], "username");
    assert_eq!(body["items"][3]["problem"]["errors"][0]["code"], "duplicate");
    assert_eq!(body["items"][5]["problem"]["type"], "not-found");
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "Anna");
    assert!(nas.disk.path("/mnt/tank/berta").exists());
    assert_eq!(nas.disk.field("/etc/passwd", "carla", 2), "3100");
    assert_eq!((nas.disk.line("/etc/passwd", "dora"), nas.disk.line("/etc/group", "carla")), (None, None));
    assert!(!nas.disk.path("/mnt/tank/carla").exists());
    // Nothing is left under a hidden name either.
    let left =
        nas.disk.everything("/mnt/tank").into_keys().filter(|path| path.to_string_lossy().contains("/.accountd"));
    assert_eq!(left.count(), 0);
    assert_eq!(nas.rest.get("/audit/verification").object(200)["flaw"], Value::Null);
}

#[test]
fn what_is_only_tried_changes_nothing_and_says_what_would_come_of_it() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "home": "/mnt/tank/anna"}));
    let everything = || (nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank"));
    let (before, records) = (everything(), nas.rest.get("/audit").object(200)["items"].as_array().unwrap().len());
    let good = json!([
        {"op": "create", "username": "berta", "uid": 3100, "home": "/mnt/tank/berta", "password": "pw", "sudo": true},
        {"op": "delete", "user": "anna", "delete_home": true},
    ]);
    let body = nas.batch("?dry_run=true", &good).object(200);
    assert_eq!((outcomes(&body), &body["items"][0]["id"]), (vec!["done"; 2], &Value::Null));
    // What stands in the way only of one another is found too.
    let bad = json!([{"op": "update", "user": "anna", "username": "carla"}, {"op": "create", "username": "carla"}]);
    let body = nas.batch("?dry_run=true&atomic=false", &bad).object(200);
    assert_eq!(outcomes(&body), ["done", "refused"]);
    problem(&nas.batch("?dry_run=true", &bad), 409, "conflict", &[("[1].username", "duplicate")]);
    assert!(everything() == before);
    assert_eq!(nas.rest.get("/audit").object(200)["items"].as_array().unwrap().len(), records);
    // Tried and made come to the same.
    assert_eq!(outcomes(&nas.batch("", &good).object(200)), ["done", "done"]);
}

#[test]
fn a_table_makes_a_user_of_each_line() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "crew"}));
    let csv = |query: &str, table: &str| {
        let options = ["-H", "Content-Type: text/csv"];
        nas.rest.curl("POST", &format!("/users:batch{query}"), &options, Some(table.as_bytes()))
    };
    let table = "username,full_name,uid,groups,locked\r\nanna,\"Müller, Anna\",3101,crew,\r\nberta,,,,true\r\n";
    assert_eq!(outcomes(&csv("", table).object(200)), ["done", "done"]);
    assert_eq!(
        nas.disk.line("/etc/passwd", "anna").unwrap(),
        "anna:x:3101:3101:Müller, Anna:/nonexistent:/usr/sbin/nologin"
    );
    assert_eq!(nas.disk.field("/etc/group", "crew", 3), "anna");
    assert!(nas.disk.field("/etc/shadow", "berta", 1).starts_with('!'));
    let before = nas.disk.everything("/etc");
    let bad = "username,uid,locked,nonsense\ncarla,x,maybe,\ndora,,,1\n";
    let errors = [("[0].locked", "wrong_type"), ("[0].uid", "wrong_type"), ("[1].nonsense", "unknown_field")];
    let mut found = csv("", bad);
    found.body = found.body.clone();
    let body = found.object(422);
    let mut named: Vec<(String, String)> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["field"].as_str().unwrap().to_owned(), e["code"].as_str().unwrap().to_owned()))
        .collect();
    named.sort();
    assert_eq!(named, errors.map(|(field, code)| (field.to_owned(), code.to_owned())));
    problem(&csv("", "username\nanna\u{0}"), 422, "invalid-values", &[("[0].username", "bad_characters")]);
    problem(&csv("", "username,uid\ncarla\n"), 400, "malformed-request", &[]);
    problem(
        &nas.rest.curl("POST", "/users:batch", &["-H", "Content-Type: text/plain"], Some(b"x")),
        415,
        "unsupported-media-type",
        &[],
    );
    assert!(nas.disk.everything("/etc") == before);
    let table = "op,user,full_name,delete_home\nupdate,anna,Other,\ndelete,berta,,false\n";
    assert_eq!(outcomes(&csv("", table).object(200)), ["done", "done"]);
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "Other");
    assert_eq!(nas.disk.line("/etc/passwd", "berta"), None);
}

#[test]
fn the_last_administrator_stays_one_in_a_batch_too() {
    let nas = Nas::start();
    let items = json!([{"op": "create", "username": "anna"}, {"op": "update", "user": "root", "groups": []}]);
    nas.batch("", &items).status_is(200);
    nas.world.run(&["groupadd", "--force", "--system", "accountd-administrators"]);
    nas.post("/users", &json!({"username": "chief", "password": "pw", "groups": ["accountd-administrators"]}));
    for other in ["root", "admin"] {
        nas.world.run(&["passwd", "-l", other]);
    }
    let chief = nas.rest.as_user("chief", "pw");
    let send = |query: &str, items: &Value| chief.post(&format!("/users:batch{query}"), &items.to_string());
    let lock =
        json!([{"op": "update", "user": "anna", "full_name": "A"}, {"op": "update", "user": "chief", "locked": true}]);
    problem(&send("", &lock), 409, "last-administrator", &[]);
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "");
    let body = send("?atomic=false&dry_run=true", &lock).object(200);
    assert_eq!(
        (outcomes(&body), &body["items"][1]["problem"]["type"]),
        (vec!["done", "refused"], &json!("last-administrator"))
    );
    let body = send("?atomic=false", &lock).object(200);
    assert_eq!(outcomes(&body), ["done", "refused"]);
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "A");
    assert!(!nas.disk.field("/etc/shadow", "chief", 1).starts_with('!'));
}

#[test]
fn what_takes_long_is_a_job_that_is_followed_and_seen_by_nobody_else() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "clerk", "password": "pw"}));
    // Hashing that many passwords takes seconds.
    let items: Vec<Value> =
        (0..2_000).map(|number| json!({"op": "create", "username": format!("u{number}"), "password": "pw"})).collect();
    let answer = nas.batch("", &json!(items));
    let body = answer.object(202);
    let path = format!("/jobs/{}", body["id"].as_str().unwrap());
    assert_eq!(answer.header("location").unwrap(), format!("/api/v2{path}"));
    assert_eq!((&body["kind"], &body["progress"]["total"]), (&json!("batch"), &json!(2_000)));
    let clerk = nas.rest.as_user("clerk", "pw");
    problem(&clerk.get(&path), 404, "not-found", &[]);
    problem(&clerk.delete(&path), 404, "not-found", &[]);
    assert_eq!(clerk.get("/jobs").object(200)["total"], 0);
    let events = nas.rest.get(&format!("{path}/events"));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let data: Vec<Value> =
        events.body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok()).collect();
    assert!(data.len() >= 2, "{}", events.body);
    assert_eq!(data.last().unwrap()["state"], "done");
    let job = nas.over(&answer);
    assert_eq!(
        (&job["state"], &job["result"]["done"], &job["progress"]["done"]),
        (&json!("done"), &json!(2_000), &json!(2_000))
    );
    assert_eq!(nas.rest.get("/jobs").object(200)["items"][0]["state"], "done");
    assert!(nas.disk.field("/etc/shadow", "u1999", 1).starts_with('$'));
    for path in ["/jobs/0000000000000000", "/jobs/x", "/jobs/x/events"] {
        problem(&nas.rest.get(path), 404, "not-found", &[]);
    }
}

#[test]
fn a_job_that_is_cancelled_in_time_has_changed_nothing() {
    let nas = Nas::start();
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank"));
    let item = |number: u32| json!({"op": "create", "username": format!("u{number}"), "password": "pw", "home": format!("/mnt/tank/u{number}")});
    let answer = nas.batch("", &json!((0..3_000).map(item).collect::<Vec<_>>()));
    let path = format!("/jobs/{}", answer.object(202)["id"].as_str().unwrap());
    nas.rest.delete(&path).status_is(200);
    let job = nas.over(&answer);
    assert_eq!((&job["state"], &job["result"]), (&json!("cancelled"), &Value::Null));
    assert!(job["progress"]["done"].as_u64().unwrap() < 3_000);
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank")) == before);
    // It stays so.
    assert_eq!(nas.rest.delete(&path).object(200)["state"], "cancelled");
}

#[test]
fn a_batch_whose_agent_is_killed_is_made_whole_or_not_at_all() {
    let nas = Nas::start();
    for round in 0..6 {
        let item = |number: u32| json!({"op": "create", "username": format!("r{round}n{number}"), "home": format!("/mnt/tank/r{round}n{number}")});
        let items = json!((0..60).map(item).collect::<Vec<_>>());
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| nas.batch("", &items));
            // At another moment each time; what it is does not matter.
            std::thread::sleep(Duration::from_millis(40 * round));
            nas.world.kill("agent");
            let answer = sent.join().unwrap();
            wait_for("the agent again", || nas.rest.get("/system").status == 200);
            let made = |file: &str| (0..60).filter(|n| nas.disk.line(file, &format!("r{round}n{n}")).is_some()).count();
            let files = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"].map(made);
            assert!(files == [0; 4] || files == [60; 4], "{files:?}");
            let homes = (0..60).filter(|n| nas.disk.path(&format!("/mnt/tank/r{round}n{n}")).exists()).count();
            assert_eq!(homes, files[0]);
            assert!(answer.status != 200 || files[0] == 60);
        });
    }
    assert_eq!(nas.rest.get("/audit/verification").object(200)["flaw"], Value::Null);
}

#[test]
fn many_come_into_one_group_with_one_line_of_it() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "crew", "gid": 4200}));
    nas.post("/users", &json!({"username": "first", "groups": ["crew"]}));
    let item = |number: u32| json!({"op": "create", "username": format!("u{number}"), "groups": ["crew", "ftp"]});
    let mut items: Vec<Value> = (0..500).map(item).collect();
    // Their primary group names nobody, and who goes meanwhile is in no list.
    items.push(json!({"op": "create", "username": "own", "gid": 4200, "groups": ["crew", "ftp"]}));
    items.insert(250, json!({"op": "delete", "user": "first"}));
    let answer = nas.batch("", &json!(items));
    let result = if answer.status == 202 { nas.over(&answer)["result"].clone() } else { answer.object(200) };
    assert_eq!(result["done"], 502);
    for file in ["/etc/group", "/etc/gshadow"] {
        let members = |group: &str| nas.disk.field(file, group, 3).split(',').map(str::to_owned).collect::<Vec<_>>();
        let expected: Vec<String> = (0..500).map(|number| format!("u{number}")).collect();
        assert_eq!(members("crew"), expected, "{file}");
        assert_eq!(members("ftp"), [&expected[..], &["own".to_owned()]].concat(), "{file}");
    }
    let record = nas.rest.get("/audit?target=u499").object(200)["items"][0].clone();
    let groups = record["changes"].as_array().unwrap().iter().find(|change| change["field"] == "groups").unwrap();
    assert_eq!(groups["new"], "crew,ftp");
}
