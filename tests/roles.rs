//! Roles: every operation with every role, what an account administrator may not touch, and the
//! last administrator.

use serde_json::{Value, json};

use crate::freenas::keys::KEY;
use crate::freenas::{Nas, new_user};
use crate::rest::{Answer, Rest};

/// Everybody who asks; the password is the name.
const CALLERS: [&str; 4] = ["chief", "clerk", "auditor", "anna"];

struct Cast {
    nas: Nas,
}

/// What one run of an operation is about.
struct Target {
    user: u64,
    group: u64,
    caller: u64,
    number: u32,
}

/// An operation, and which of the callers may ask for it.
struct Row {
    name: &'static str,
    ask: fn(&Rest, &Target) -> Answer,
    allowed: [bool; 4],
}

const ALL: [bool; 4] = [true, true, true, true];
const READERS: [bool; 4] = [true, true, true, false];
const CHANGERS: [bool; 4] = [true, true, false, false];

const ROWS: [Row; 21] = [
    Row { name: "list users", ask: |rest, _| rest.get("/account/users/"), allowed: READERS },
    Row { name: "show a user", ask: |rest, target| rest.get(&user(target)), allowed: READERS },
    Row { name: "show itself", ask: |rest, target| rest.get(&own(target)), allowed: ALL },
    Row { name: "show a home", ask: |rest, target| rest.get(&format!("{}home/", user(target))), allowed: READERS },
    Row { name: "show its own home", ask: |rest, target| rest.get(&format!("{}home/", own(target))), allowed: ALL },
    Row {
        name: "list memberships",
        ask: |rest, target| rest.get(&format!("{}groups/", user(target))),
        allowed: READERS,
    },
    Row {
        name: "list its own memberships",
        ask: |rest, target| rest.get(&format!("{}groups/", own(target))),
        allowed: ALL,
    },
    Row { name: "list groups", ask: |rest, _| rest.get("/account/groups/"), allowed: READERS },
    Row { name: "show a group", ask: |rest, target| rest.get(&group(target)), allowed: READERS },
    Row {
        name: "create a user",
        ask: |rest, target| rest.post("/account/users/", &new_user(&new(target), target.number + 1, "pw")),
        allowed: CHANGERS,
    },
    Row {
        name: "create users",
        ask: |rest, target| {
            let object: Value = serde_json::from_str(&new_user(&new(target), target.number + 1, "pw")).unwrap();
            rest.json("PATCH", "/account/users/", &json!({"objects": [object]}).to_string())
        },
        allowed: CHANGERS,
    },
    Row {
        name: "change a user",
        ask: |rest, target| rest.put(&user(target), r#"{"bsdusr_full_name": "Other"}"#),
        allowed: CHANGERS,
    },
    Row {
        name: "change its own name",
        ask: |rest, target| rest.put(&own(target), r#"{"bsdusr_full_name": "Own"}"#),
        allowed: CHANGERS,
    },
    Row {
        name: "change somebody's keys",
        ask: |rest, target| rest.put(&user(target), &json!({"bsdusr_sshpubkey": KEY}).to_string()),
        allowed: CHANGERS,
    },
    Row {
        name: "change its own keys",
        ask: |rest, target| rest.put(&own(target), &json!({"bsdusr_sshpubkey": KEY}).to_string()),
        allowed: ALL,
    },
    Row {
        name: "set a password",
        ask: |rest, target| rest.post(&format!("{}password/", user(target)), r#"{"bsdusr_password": "new"}"#),
        allowed: CHANGERS,
    },
    Row {
        name: "set memberships",
        ask: |rest, target| rest.post(&format!("{}groups/", user(target)), r#"["games"]"#),
        allowed: CHANGERS,
    },
    Row { name: "delete a user", ask: |rest, target| rest.delete(&user(target)), allowed: CHANGERS },
    Row {
        name: "create a group",
        ask: |rest, target| {
            let request = json!({"bsdgrp_gid": target.number + 1, "bsdgrp_group": new(target)});
            rest.post("/account/groups/", &request.to_string())
        },
        allowed: CHANGERS,
    },
    Row {
        name: "change a group",
        ask: |rest, target| rest.put(&group(target), &json!({"bsdgrp_group": new(target)}).to_string()),
        allowed: CHANGERS,
    },
    Row { name: "delete a group", ask: |rest, target| rest.delete(&group(target)), allowed: CHANGERS },
];

fn user(target: &Target) -> String {
    format!("/account/users/{}/", target.user)
}

fn own(target: &Target) -> String {
    format!("/account/users/{}/", target.caller)
}

fn group(target: &Target) -> String {
    format!("/account/groups/{}/", target.group)
}

fn new(target: &Target) -> String {
    format!("new{}", target.number)
}

impl Cast {
    fn start() -> Self {
        let nas = Nas::start();
        for (uid, name) in (2501..).zip(CALLERS) {
            nas.rest.create_user(&new_user(name, uid, name));
        }
        for (name, role) in [("chief", "administrators"), ("clerk", "account-administrators"), ("auditor", "auditors")]
        {
            let group = format!("accountd-{role}");
            nas.world.run(&["groupadd", "--force", "--system", &group]);
            nas.world.run(&["usermod", "-a", "-G", &group, name]);
        }
        Self { nas }
    }

    fn client(&self, name: &str) -> Rest {
        self.nas.rest.as_user(name, name)
    }

    fn user(&self, name: &str) -> u64 {
        self.id("users", "bsdusr_username", name)
    }

    fn group(&self, name: &str) -> u64 {
        self.id("groups", "bsdgrp_group", name)
    }

    fn id(&self, kind: &str, field: &str, name: &str) -> u64 {
        let all = self.nas.rest.get(&format!("/account/{kind}/?limit=0")).object(200);
        all.as_array().unwrap().iter().find(|object| object[field] == name).unwrap()["id"].as_u64().unwrap()
    }
}

#[test]
fn every_operation_is_open_to_the_roles_that_it_is_for_and_to_no_other() {
    let cast = Cast::start();
    let mut number = 4000;
    for row in &ROWS {
        for (caller, allowed) in CALLERS.into_iter().zip(row.allowed) {
            number += 2;
            let name = format!("t{number}");
            let made = cast.nas.rest.create_user(&new_user(&name, number, "pw"));
            let request = json!({"bsdgrp_gid": number + 20_000, "bsdgrp_group": format!("g{number}")});
            let group = cast.nas.rest.post("/account/groups/", &request.to_string()).object(201)["id"].as_u64();
            let target = Target { user: made, group: group.unwrap(), caller: cast.user(caller), number };
            let before = cast.nas.disk.everything("/etc");
            let answer = (row.ask)(&cast.client(caller), &target);
            let is_open = (200..300).contains(&answer.status);
            assert_eq!(is_open, allowed, "{caller}: {}: {} {}", row.name, answer.status, answer.body);
            if !allowed {
                assert_eq!(answer.status, 401, "{caller}: {}", row.name);
                assert!(cast.nas.disk.everything("/etc") == before, "{caller}: {}", row.name);
            }
        }
    }
}

#[test]
fn hashes_are_for_administrators() {
    let cast = Cast::start();
    let path = format!("/account/users/{}/", cast.user("anna"));
    assert!(cast.client("chief").get(&path).object(200)["bsdusr_unixhash"].as_str().unwrap().starts_with("$6$"));
    for caller in ["clerk", "auditor", "anna"] {
        let shown = cast.client(caller).get(&path).object(200);
        assert_eq!((&shown["bsdusr_unixhash"], &shown["bsdusr_smbhash"]), (&json!("*"), &json!("*")), "{caller}");
    }
    let listed = cast.client("auditor").get("/account/users/?limit=0").body;
    assert!(!listed.contains("$6$") && !listed.contains("[U"), "{listed}");
    // Their order would say something of them.
    for (caller, status) in [("chief", 200), ("clerk", 401), ("auditor", 401)] {
        for field in ["unixhash", "smbhash"] {
            cast.client(caller).get(&format!("/account/users/?sort(-bsdusr_{field})")).status_is(status);
        }
    }
}

#[test]
fn an_account_administrator_touches_nobody_who_has_more() {
    let cast = Cast::start();
    let nas = &cast.nas;
    let sudoer = nas.rest.create_user(&new_user("sudoer", 2601, "pw"));
    nas.rest.put(&format!("/account/users/{sudoer}/"), r#"{"bsdusr_sudo": true}"#).status_is(200);
    nas.rest.create_user(&new_user("docker-user", 2602, "pw"));
    nas.world.run(&["groupadd", "docker"]);
    nas.world.run(&["usermod", "-a", "-G", "docker", "docker-user"]);
    nas.rest.create_user(&new_user("rooted", 2603, "pw"));
    nas.world.run(&["usermod", "-g", "0", "rooted"]);
    let clerk = cast.client("clerk");
    let before = nas.disk.everything("/etc");
    for name in ["root", "daemon", "chief", "auditor", "sudoer", "docker-user", "rooted"] {
        let path = format!("/account/users/{}/", cast.user(name));
        let answers = [
            clerk.put(&path, r#"{"bsdusr_full_name": "Other"}"#),
            clerk.put(&path, &json!({"bsdusr_sshpubkey": KEY}).to_string()),
            clerk.post(&format!("{path}password/"), r#"{"bsdusr_password": "new"}"#),
            clerk.post(&format!("{path}groups/"), "[]"),
            clerk.post(&format!("{path}home/"), r#"{"repair": true}"#),
            clerk.delete(&path),
        ];
        assert_eq!(answers.map(|answer| answer.status), [401; 6], "{name}");
    }
    assert!(nas.disk.everything("/etc") == before);
    // A peer is no more than the clerk is.
    nas.rest.create_user(&new_user("peer", 2604, "pw"));
    nas.world.run(&["usermod", "-a", "-G", "accountd-account-administrators", "peer"]);
    let path = format!("/account/users/{}/", cast.user("peer"));
    clerk.put(&path, r#"{"bsdusr_full_name": "Other"}"#).status_is(200);
}

#[test]
fn an_account_administrator_grants_nothing_that_it_lacks() {
    let cast = Cast::start();
    let nas = &cast.nas;
    nas.world.run(&["groupadd", "docker"]);
    let clerk = cast.client("clerk");
    let anna = format!("/account/users/{}/", cast.user("anna"));
    let ids = ["docker", "sudo", "root", "accountd-administrators", "accountd-auditors"].map(|name| cast.group(name));
    let with = |key: &str, value: Value| {
        let mut request: Value = serde_json::from_str(&new_user("new", 2701, "pw")).unwrap();
        request[key] = value;
        request.to_string()
    };
    let own_group = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 2702, "bsdgrp_group": "team"}"#).object(201);
    let team = format!("/account/groups/{}/", own_group["id"]);
    let before = nas.disk.everything("/etc");
    let mut answers = vec![
        clerk.put(&anna, r#"{"bsdusr_sudo": true}"#),
        clerk.put(&anna, r#"{"bsdusr_uid": 2501}"#),
        clerk.put(&team, r#"{"bsdgrp_sudo": true}"#),
        clerk.put(&team, r#"{"bsdgrp_group": "wheel"}"#),
        clerk.put(&team, r#"{"bsdgrp_gid": 0}"#),
        clerk.post("/account/groups/", r#"{"bsdgrp_gid": 2703, "bsdgrp_group": "lxd"}"#),
        clerk.post("/account/users/", &with("bsdusr_sudo", json!(true))),
        clerk.post("/account/users/", &with("bsdusr_uid", json!(2501))),
        // Its private group would be a privileged one.
        clerk.post("/account/users/", &new_user("lxd", 2701, "pw")),
        clerk.post(&format!("{anna}groups/"), r#"["docker"]"#),
        clerk.post(&format!("{anna}groups/"), r#"["accountd-account-administrators"]"#),
    ];
    for id in ids {
        answers.push(clerk.put(&anna, &json!({"bsdusr_group": id}).to_string()));
        answers.push(clerk.post("/account/users/", &with("bsdusr_to_group", json!([id]))));
        answers.push(clerk.put(&format!("/account/groups/{id}/"), r#"{"bsdgrp_group": "other"}"#));
        answers.push(clerk.delete(&format!("/account/groups/{id}/")));
    }
    for answer in answers {
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn a_role_ends_with_the_membership() {
    let cast = Cast::start();
    let clerk = cast.client("clerk");
    clerk.get("/account/users/").status_is(200);
    cast.nas.world.run(&["gpasswd", "-d", "clerk", "accountd-account-administrators"]);
    clerk.get("/account/users/").status_is(401);
    clerk.get(&format!("/account/users/{}/", cast.user("clerk"))).status_is(200);
}

#[test]
fn the_last_administrator_who_can_log_in_stays_one() {
    let cast = Cast::start();
    let nas = &cast.nas;
    let (chief, id, group) = (cast.client("chief"), cast.user("chief"), cast.group("accountd-administrators"));
    let (user, group) = (format!("/account/users/{id}/"), format!("/account/groups/{group}/"));
    // Who was made for clients of AList is one too.
    for other in ["root", "admin"] {
        nas.world.run(&["usermod", "-L", other]);
    }
    chief.get("/account/users/").status_is(200);
    let before = nas.disk.everything("/etc");
    let refused = [
        chief.put(&user, r#"{"bsdusr_locked": true}"#),
        chief.put(&user, r#"{"bsdusr_password_disabled": true}"#),
        chief.post(&format!("{user}groups/"), "[]"),
        chief.delete(&user),
    ];
    // The group is there for these clients too, and nobody's to delete.
    chief.put(&group, r#"{"bsdgrp_group": "chiefs"}"#).status_is(409);
    chief.delete(&group).status_is(409);
    for answer in refused {
        assert_eq!(answer.status, 409, "{}", answer.body);
        assert!(answer.body.contains("last administrator"), "{}", answer.body);
    }
    assert!(nas.disk.everything("/etc") == before);
    // With another one there, it may go.
    nas.world.run(&["usermod", "-a", "-G", "accountd-administrators", "anna"]);
    chief.delete(&user).status_is(204);
    cast.client("anna").get("/account/users/").status_is(200);
}
