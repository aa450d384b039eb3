//! What is in the way on another machine: shown, and settled as it was chosen.

use serde_json::{Value, json};

use super::{document, group, said, sealed, so, user};
use crate::freenas::keys::KEY;
use crate::v2::{Nas, problem};
use crate::world::World;

/// A conflict by itself: what is here, the backup, the fault, and a choice with what comes of it.
struct Row {
    what: &'static str,
    here: fn(&Nas),
    backup: fn() -> Value,
    open: &'static [(&'static str, &'static str)],
    choices: Value,
    kind: &'static str,
    settled: (&'static str, &'static [(&'static str, &'static str)]),
}

fn anna() -> [Value; 2] {
    [user("anna", 3101), group("anna", 3101, &[])]
}

fn with(change: impl Fn(&mut Value)) -> Value {
    let [mut user, group] = anna();
    change(&mut user);
    document(&[user], &[group])
}

fn plain() -> Value {
    with(|_| {})
}

fn nothing(_: &Nas) {}

fn rows() -> impl Iterator<Item = Row> {
    numbers().into_iter().chain(names()).chain(places()).chain(relations()).chain(contents())
}

/// What has a number that is taken here.
fn numbers() -> [Row; 3] {
    [
        Row {
            what: "the uid is another's",
            here: |nas| drop(nas.post("/users", &json!({"username": "bob", "uid": 3101, "gid": 60}))),
            backup: plain,
            open: &[("users[0].uid", "duplicate")],
            choices: json!({"on_id": "renumber"}),
            kind: "user",
            settled: ("created", &[("duplicate", "renumbered")]),
        },
        Row {
            what: "the gid is another's",
            here: |nas| drop(nas.post("/groups", &json!({"groupname": "bobs", "gid": 3101}))),
            backup: plain,
            open: &[("groups[0].gid", "duplicate")],
            choices: json!({"accounts": {"anna": {"gid": 3999}}}),
            kind: "group",
            settled: ("created", &[]),
        },
        Row {
            what: "the uid is a service's",
            here: nothing,
            backup: || {
                let uid = 990;
                document(&[user("anna", uid)], &[group("anna", 3101, &[])])
            },
            open: &[("users[0].uid", "service_account")],
            choices: json!({"accounts": {"anna": {"on_id": "renumber"}}}),
            kind: "user",
            settled: ("created", &[("service_account", "renumbered")]),
        },
    ]
}

/// What has a name that is taken here.
fn names() -> [Row; 3] {
    [
        Row {
            what: "the name is another's",
            here: |nas| drop(nas.post("/users", &json!({"username": "anna", "uid": 3105, "full_name": "Here"}))),
            backup: plain,
            open: &[("groups[0].groupname", "duplicate"), ("users[0].username", "duplicate")],
            choices: json!({"on_name": "skip"}),
            kind: "user",
            settled: ("skipped", &[("duplicate", "skipped")]),
        },
        Row {
            what: "the name differs in case",
            here: |nas| drop(nas.post("/users", &json!({"username": "Anna", "gid": 60}))),
            backup: || document(&[with_group(user("anna", 3101), "games")], &[]),
            open: &[("users[0].username", "case_duplicate")],
            choices: json!({"skip": ["anna"]}),
            kind: "user",
            settled: ("skipped", &[]),
        },
        Row {
            what: "the account is built in here",
            here: nothing,
            backup: || document(&[with_group(user("daemon", 3101), "games")], &[]),
            open: &[("users[0].username", "builtin")],
            choices: json!({"on_name": "skip"}),
            kind: "user",
            settled: ("skipped", &[("builtin", "skipped")]),
        },
    ]
}

/// Where an account would lie, and by what it would be started.
fn places() -> [Row; 3] {
    [
        Row {
            what: "the shell is none here",
            here: nothing,
            backup: || with(|user| user["shell"] = json!("/bin/fish")),
            open: &[("users[0].shell", "not_a_shell")],
            choices: json!({"on_shell": "nologin"}),
            kind: "user",
            settled: ("created", &[("not_a_shell", "nologin")]),
        },
        Row {
            what: "the pool has another name here",
            here: nothing,
            backup: || with(|user| user["home"] = json!("/mnt/vault/people/anna")),
            open: &[("users[0].home", "outside_roots")],
            choices: json!({"homes": {"/mnt/vault": "/mnt/tank/old", "/mnt/vault/people": "/mnt/tank"}}),
            kind: "user",
            settled: ("created", &[]),
        },
        Row {
            what: "the home is another's",
            here: |nas| drop(nas.post("/users", &json!({"username": "bob", "home": "/mnt/tank/home/anna"}))),
            backup: plain,
            open: &[("users[0].home", "not_owned"), ("users[0].home", "in_use")],
            choices: json!({"homes": {"/mnt/tank/home/anna": "/mnt/tank/home/anna2"}}),
            kind: "user",
            settled: ("created", &[]),
        },
    ]
}

/// What accounts refer to.
fn relations() -> [Row; 3] {
    [
        Row {
            what: "the primary group is not here",
            here: nothing,
            backup: || document(&[with_group(user("anna", 3101), "ghosts")], &[]),
            open: &[("users[0].gid", "no_such")],
            choices: json!({"skip": ["anna"]}),
            kind: "user",
            settled: ("skipped", &[]),
        },
        Row {
            what: "a member is not here",
            here: nothing,
            backup: || document(&[], &[group("team", 4100, &["ghost"])]),
            open: &[("groups[0].members", "no_such")],
            choices: json!({"on_missing": "drop"}),
            kind: "group",
            settled: ("created", &[("no_such", "dropped")]),
        },
        Row {
            what: "a command of sudo is not here",
            here: nothing,
            backup: || {
                with(|user| {
                    let header = "# Written by accountd. A change by hand stays until the grant is taken away.\n";
                    user["sudo"] = json!(format!("{header}\"anna\" ALL=(ALL) PASSWD: /usr/bin/no-such-program\n"));
                })
            },
            open: &[("users[0].sudo.commands[0]", "no_such")],
            choices: json!({"on_missing": "drop"}),
            kind: "user",
            settled: ("created", &[("no_such", "dropped")]),
        },
    ]
}

/// What is in the way by itself.
fn contents() -> [Row; 2] {
    [
        Row {
            what: "a line of the key file is not understood",
            here: nothing,
            backup: || with(|user| user["keys"] = json!(format!("{KEY}\nnonsense\n"))),
            open: &[("users[0].keys[1]", "bad_key")],
            choices: json!({"on_keys": "drop"}),
            kind: "user",
            settled: ("created", &[("bad_key", "dropped")]),
        },
        Row {
            what: "a rule is set otherwise",
            here: |nas| drop(nas.patch("/policy", &json!({"password": {"min_length": 9}})).object(200)),
            backup: || {
                let mut backup = document(&[], &[]);
                backup["password_rules"] = json!({"min_length": 5});
                sealed(&backup)
            },
            open: &[("password_rules.password.min_length", "set_otherwise")],
            choices: json!({"on_policy": "overwrite"}),
            kind: "password_rules",
            settled: ("changed", &[("set_otherwise", "overwritten")]),
        },
    ]
}

fn with_group(mut user: Value, group: &str) -> Value {
    user["group"] = json!(group);
    user
}

#[test]
fn every_kind_of_conflict_is_shown_and_can_be_settled() {
    for Row { what, here, backup, open, choices, kind, settled } in rows() {
        let nas = Nas::start();
        here(&nas);
        let mut backup = backup();
        if what == "the uid is a service's" {
            backup["users"][0]["uid"] = json!(nas.disk.field("/etc/passwd", "accountd-api", 2).parse::<u32>().unwrap());
            backup = sealed(&backup);
        }
        let (before, homes) = (nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank"));
        let tried = nas.imported("?dry_run=true", &backup, &json!({}));
        assert!(tried["refused"].as_u64().unwrap() > 0, "{what}: {tried}");
        let answer = nas.import("", &backup, &json!({}));
        let status = if open.iter().any(|(_, code)| *code == "bad_key") { 422 } else { 409 };
        problem(&answer, status, if status == 409 { "conflict" } else { "invalid-values" }, open);
        let name = if kind == "password_rules" { "" } else { "of " };
        assert!(answer.object(status)["detail"].as_str().unwrap().contains(name), "{what}");
        let tried = nas.imported("?dry_run=true", &backup, &choices);
        assert_eq!(tried["refused"], 0, "{what}: {tried}");
        assert!(nas.disk.everything("/etc") == before && nas.disk.everything("/mnt/tank") == homes, "{what}");
        let report = nas.imported("", &backup, &choices);
        let item = report["items"].as_array().unwrap().iter().find(|item| item["kind"] == kind).unwrap();
        let name = item["name"].as_str().unwrap();
        assert_eq!(said(&report, kind, name), so(settled.0, settled.1), "{what}: {report}");
        assert_eq!(said(&tried, kind, name), said(&report, kind, name), "{what}");
        assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]), "{what}");
    }
}

#[test]
fn a_renumbered_account_has_free_numbers_and_the_report_says_which() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "bob", "uid": 3101}));
    let [anna, group_of_anna] = anna();
    let team = group("team", 4100, &["anna"]);
    let report = nas.imported("", &document(&[anna], &[group_of_anna, team]), &json!({"on_id": "renumber"}));
    let item = |kind: &str| report["items"].as_array().unwrap().iter().find(|item| item["kind"] == kind).unwrap();
    let (user, group) = (&item("user")["conflicts"][0], &item("group")["conflicts"][0]);
    assert_eq!(item("user")["name"], "anna", "{report}");
    assert_eq!((&user["from"], &group["from"]), (&json!(3101), &json!(3101)), "{report}");
    let [uid, gid] = [2, 3].map(|field| nas.disk.field("/etc/passwd", "anna", field));
    assert_eq!((&user["to"].to_string(), &group["to"].to_string()), (&uid, &gid));
    assert_eq!(nas.disk.field("/etc/group", "anna", 2), gid);
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/anna").0.to_string(), uid);
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna");
    assert!(nas.world.with_password("anna", "pw").logs_in());
}

#[test]
fn an_overwritten_account_is_like_the_backup_but_for_numbers_and_home() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "old"}));
    nas.post(
        "/users",
        &json!({"username": "anna", "uid": 3105, "home": "/mnt/tank/anna", "full_name": "Here", "password": "here",
            "groups": ["old", "games"], "sudo": true}),
    );
    let [mut anna, group_of_anna] = anna();
    anna["full_name"] = json!("Anna");
    anna["email"] = json!("anna@example.org");
    anna["keys"] = json!(format!("{KEY}\n"));
    let backup = document(&[anna], &[group_of_anna, group("team", 4100, &["anna"])]);
    let report = nas.imported("", &backup, &json!({"on_name": "overwrite"}));
    let kept = [("duplicate", "overwritten"), ("set_otherwise", "kept"), ("set_otherwise", "kept"), ("in_use", "kept")];
    let (outcome, conflicts) = said(&report, "user", "anna");
    assert_eq!(outcome, "changed");
    assert!(conflicts.iter().all(|(code, by)| kept.contains(&(code, by))), "{conflicts:?}");
    assert!(conflicts.len() >= 3, "{conflicts:?}");
    let field = |index| nas.disk.field("/etc/passwd", "anna", index);
    assert_eq!((field(2), field(4), field(5)), ("3105".into(), "Anna".into(), "/mnt/tank/anna".into()));
    assert_eq!(nas.disk.text("/mnt/tank/anna/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/anna/.ssh/authorized_keys").0, 3105);
    let shown = nas.rest.get("/users/anna").object(200);
    assert_eq!((&shown["groups"], &shown["email"]), (&json!(["team"]), &json!("anna@example.org")));
    assert_eq!(shown["sudo"], Value::Null, "{shown}");
    assert!(nas.world.with_password("anna", "pw").logs_in() && !nas.world.with_password("anna", "here").logs_in());
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
}

#[test]
fn accountctl_shows_conflicts_and_says_how_to_settle_them() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "bob", "uid": 3101, "gid": 60}));
    let file = nas.world.client_file("backup.json");
    std::fs::write(&file, plain().to_string()).unwrap();
    let file = file.to_str().unwrap();
    let said = nas.ctl(&["--yes", "backup", "import", file]);
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(said.out, "user\tanna\trefused\tuid is already in use: bob\n");
    assert!(said.err.contains("--on-id") && nas.disk.line("/etc/passwd", "anna").is_none(), "{said:?}");
    nas.ctl(&["backup", "import", file, "--uid", "anna=zero"]).fails(2, &["number"]);
    nas.ctl(&["--yes", "backup", "import", file, "--skip", "nobody-here"]).fails(1, &["--skip", "nobody-here"]);
    let said =
        nas.ctl(&["--yes", "backup", "import", file, "--uid", "anna=3777", "--home", "/mnt/tank/home=/mnt/tank/h"]);
    assert_eq!(said.status, 0, "{said:?}");
    let line = nas.disk.line("/etc/passwd", "anna").unwrap();
    assert_eq!(line, "anna:x:3777:3101::/mnt/tank/h/anna:/bin/sh");
    let shown = nas.json(&["backup", "show", file]);
    assert_eq!((&shown["usernames"], &shown["encrypted"]), (&json!(["anna"]), &json!(false)));
}

#[test]
fn two_of_a_backup_share_a_uid_only_where_that_is_allowed() {
    let groups = [group("anna", 3101, &[]), group("bert", 3102, &[])];
    let backup = document(&[user("anna", 3101), user("bert", 3101)], &groups);
    let nas = Nas::of(World::start_with("[accounts]\nshared_uid = \"refused\"\n"));
    problem(&nas.import("", &backup, &json!({})), 409, "conflict", &[("users[1].uid", "duplicate")]);
    let nas = Nas::of(World::start_with("[accounts]\nshared_uid = \"allowed\"\n"));
    assert_eq!(nas.imported("", &backup, &json!({}))["created"], 4);
    let other = document(&[user("carl", 3101)], &[group("carl", 3103, &[])]);
    problem(&nas.import("", &other, &json!({})), 409, "conflict", &[("users[0].uid", "duplicate")]);
    nas.imported("", &other, &json!({"accounts": {"carl": {"uid": 3101}}}));
    assert_eq!(nas.disk.field("/etc/passwd", "carl", 2), "3101");
}
