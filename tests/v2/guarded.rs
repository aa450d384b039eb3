//! An account administrator who wants more, or to be somebody with more: every way that this dialect has.

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::freenas::keys::KEY;
use crate::rest::Rest;

/// A sandbox with `chief`, `auditor`, `sudoer` and `peer`, whose password is the name, and with `clerk`, who asks.
fn nas() -> (Nas, Rest) {
    let nas = Nas::start();
    for name in ["chief", "auditor", "clerk", "peer", "anna", "sudoer"] {
        let home = format!("/mnt/tank/home/{name}");
        nas.post("/users", &json!({"username": name, "password": name, "home": home}));
    }
    for (name, role) in [("chief", "administrator"), ("auditor", "auditor"), ("clerk", "account_administrator")] {
        nas.put(&format!("/users/{name}/roles"), &json!({"roles": [role]})).status_is(200);
    }
    nas.patch("/users/sudoer", &json!({"sudo": true})).status_is(200);
    nas.post("/groups", &json!({"groupname": "team"}));
    let clerk = nas.rest.as_user("clerk", "clerk");
    (nas, clerk)
}

fn uid(nas: &Nas, name: &str) -> Value {
    nas.rest.get(&format!("/users/{name}")).object(200)["uid"].clone()
}

/// Each of these is refused, and changes nothing.
#[track_caller]
fn all_refused(nas: &Nas, clerk: &Rest, requests: &[(&str, String, Value)]) {
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    for (method, path, body) in requests {
        let answer = match body {
            Value::Null => clerk.curl(method, path, &[], None),
            body => clerk.json(method, path, &body.to_string()),
        };
        assert_eq!(answer.status, 403, "{method} {path} {body}: {}", answer.body);
        problem(&answer, 403, "not-permitted", &[]);
        assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before, "{method} {path} {body}");
    }
}

#[test]
fn whoever_has_more_than_an_account_administrator_is_out_of_its_reach() {
    let (nas, clerk) = nas();
    for name in ["root", "daemon", "chief", "auditor", "sudoer"] {
        let of = |rest: &str| format!("/users/{name}{rest}");
        let batch = |item: Value| {
            let mut item = item;
            item["user"] = json!(name);
            ("POST", "/users:batch".to_owned(), json!([item]))
        };
        all_refused(
            &nas,
            &clerk,
            &[
                ("PUT", of("/password"), json!({"password": "mine"})),
                ("PUT", of("/password"), json!({"random_password": true})),
                ("PATCH", of(""), json!({"password": "mine"})),
                ("PATCH", of(""), json!({"password_hash": "$6$aaaaaaaa$bbbbbbbb"})),
                ("PATCH", of(""), json!({"username": "nobody-else"})),
                ("PATCH", of(""), json!({"locked": true})),
                ("PATCH", of(""), json!({"uid": 5000})),
                ("PATCH", of(""), json!({"home": "/mnt/tank/home/other"})),
                ("PATCH", of(""), json!({"limits": {"max_sessions": 1}})),
                ("PATCH", of(""), json!({"groups": []})),
                ("PUT", of("/keys"), json!({"keys": [KEY]})),
                ("PUT", of("/groups"), json!({"groups": ["team"]})),
                ("PUT", of("/roles"), json!({"roles": []})),
                ("POST", of("/api-keys"), json!({"name": "mine"})),
                ("DELETE", of("/api-keys/1"), Value::Null),
                ("POST", of("/disable"), json!({})),
                ("DELETE", of(""), Value::Null),
                ("DELETE", of("?delete_home=true"), Value::Null),
                ("PUT", "/groups/team/members".to_owned(), json!({"members": [name]})),
                batch(json!({"op": "update", "password": "mine"})),
                batch(json!({"op": "update", "keys": [KEY]})),
                batch(json!({"op": "update", "locked": true})),
                batch(json!({"op": "delete"})),
            ],
        );
    }
}

#[test]
fn an_account_administrator_makes_nobody_more_than_it_is_and_becomes_no_more_itself() {
    let (nas, clerk) = nas();
    nas.post("/groups", &json!({"groupname": "docker"}));
    let chief = uid(&nas, "chief");
    let gid = |group: &str| nas.rest.get(&format!("/groups/{group}")).object(200)["gid"].clone();
    let mut requests = vec![
        ("POST", "/backups/import".to_owned(), super::roles::empty_backup()),
        ("GET", "/backups/current".to_owned(), Value::Null),
        ("POST", "/checks/repair".to_owned(), json!({"digest": "0"})),
        ("PATCH", "/policy".to_owned(), json!({"password": {"min_length": 1}})),
        ("POST", "/users".to_owned(), json!({"username": "new", "uid": 0})),
        ("POST", "/users".to_owned(), json!({"username": "new", "uid": chief})),
        ("POST", "/users".to_owned(), json!({"username": "new", "sudo": {"commands": ["/usr/bin/id"]}})),
        ("POST", "/users".to_owned(), json!({"username": "docker"})),
        ("POST", "/groups".to_owned(), json!({"groupname": "new", "gid": 0})),
        ("POST", "/groups".to_owned(), json!({"groupname": "new", "sudo": true})),
        ("POST", "/groups".to_owned(), json!({"groupname": "Wheel"})),
        ("PATCH", "/groups/team".to_owned(), json!({"groupname": "lxd"})),
        ("PATCH", "/groups/team".to_owned(), json!({"gid": 0})),
        ("PATCH", "/groups/team".to_owned(), json!({"sudo": true})),
    ];
    for user in ["anna", "~", "peer"] {
        let of = |rest: &str| format!("/users/{user}{rest}");
        requests.extend([
            ("PATCH", of(""), json!({"uid": 0})),
            ("PATCH", of(""), json!({"uid": chief})),
            ("PATCH", of(""), json!({"sudo": true})),
            ("PUT", of("/roles"), json!({"roles": ["administrator"]})),
        ]);
        for group in ["root", "sudo", "docker", "shadow", "accountd-administrators", "accountd-auditors"] {
            requests.extend([
                ("PATCH", of(""), json!({"groups": [group]})),
                ("PATCH", of(""), json!({"gid": gid(group)})),
                ("PUT", of("/groups"), json!({"groups": [group]})),
                ("PUT", format!("/groups/{group}/members"), json!({"members": [user]})),
                ("DELETE", format!("/groups/{group}"), Value::Null),
                ("PATCH", format!("/groups/{group}"), json!({"groupname": "other"})),
                ("POST", "/users:batch".to_owned(), json!([{"op": "update", "user": user, "groups": [group]}])),
                ("POST", "/users:batch".to_owned(), json!([{"op": "create", "username": "new", "groups": [group]}])),
            ]);
        }
    }
    all_refused(&nas, &clerk, &requests);
    // One item that it may not is enough, whatever stands before it.
    let items = json!([
        {"op": "update", "user": "anna", "full_name": "Other"}, {"op": "update", "user": "chief", "full_name": "Other"}
    ]);
    for path in ["/users:batch", "/users:batch?atomic=false", "/users:batch?dry_run=true"] {
        all_refused(&nas, &clerk, &[("POST", path.to_owned(), items.clone())]);
    }
    assert_eq!(clerk.get("/users/~/roles").object(200), json!({"roles": ["account_administrator"]}));
}

#[test]
fn an_account_administrator_lets_nobody_into_the_private_group_of_whoever_has_more() {
    let (nas, clerk) = nas();
    for name in ["chief", "auditor", "sudoer"] {
        let group = |rest: &str| format!("/groups/{name}{rest}");
        let gid = nas.rest.get(&group("")).object(200)["gid"].clone();
        all_refused(
            &nas,
            &clerk,
            &[
                ("PUT", group("/members"), json!({"members": ["anna"]})),
                ("PATCH", group(""), json!({"groupname": "other"})),
                ("PATCH", group(""), json!({"gid": 7000})),
                ("PATCH", group(""), json!({"limits": {"max_sessions": 1}})),
                ("DELETE", group(""), Value::Null),
                ("PUT", "/users/anna/groups".to_owned(), json!({"groups": [name]})),
                ("PATCH", "/users/anna".to_owned(), json!({"groups": [name]})),
                ("PATCH", "/users/~".to_owned(), json!({"gid": gid})),
                ("POST", "/users".to_owned(), json!({"username": "new", "groups": [name]})),
                ("POST", "/users".to_owned(), json!({"username": "new", "gid": gid})),
                ("POST", "/users:batch".to_owned(), json!([{"op": "update", "user": "anna", "groups": [name]}])),
                ("POST", "/groups".to_owned(), json!({"groupname": "same", "gid": gid})),
                ("PATCH", "/groups/team".to_owned(), json!({"gid": gid})),
            ],
        );
    }
    // Those of ordinary users, of itself and of services are to share files with.
    for group in ["peer", "clerk", "games"] {
        let members = json!({"members": ["anna"]}).to_string();
        clerk.put(&format!("/groups/{group}/members"), &members).status_is(200);
    }
    let groups = json!({"groups": ["peer"]}).to_string();
    clerk.put("/users/anna/groups", &groups).status_is(200);
    // Everybody's group is nobody's own, also where an administrator has it as the primary one.
    let team = nas.rest.get("/groups/team").object(200)["gid"].clone();
    nas.patch("/users/chief", &json!({"gid": team})).status_is(200);
    clerk.put("/groups/team/members", r#"{"members": ["anna"]}"#).status_is(200);
}

#[test]
fn what_is_left_of_a_former_namesake_makes_nobody_more() {
    let (nas, clerk) = nas();
    let add = |group: &str, name: &str| {
        for file in ["/etc/group", "/etc/gshadow"] {
            let text = nas.disk.text(file);
            let lines = text.lines().map(|line| match line.starts_with(&format!("{group}:")) {
                true => format!("{line}{}{name}\n", if line.ends_with(':') { "" } else { "," }),
                false => format!("{line}\n"),
            });
            std::fs::write(nas.disk.path(file), lines.collect::<String>()).unwrap();
        }
    };
    for group in ["sudo", "accountd-administrators"] {
        add(group, "ghost");
        add(group, "spirit");
    }
    clerk.post("/users", r#"{"username": "ghost", "password": "ghost"}"#).object(201);
    clerk.json("PATCH", "/users/anna", r#"{"username": "spirit"}"#).object(200);
    for name in ["ghost", "spirit"] {
        assert_eq!(nas.rest.get(&format!("/users/{name}/roles")).object(200), json!({"roles": []}), "{name}");
        assert!(!nas.disk.field("/etc/group", "sudo", 3).contains(name));
    }
    nas.rest.as_user("ghost", "ghost").get("/users").status_is(403);
}

#[test]
fn a_home_gives_nobody_what_is_somebody_elses() {
    let (nas, clerk) = nas();
    let before = nas.disk.everything("/mnt");
    for home in [
        "/mnt/tank/home/chief",
        "/mnt/tank/home/chief/inside",
        "/mnt/tank/home",
        "/mnt/tank",
        "/mnt",
        "/root",
        "/etc",
        "/etc/cron.d",
        "/usr/local/bin",
        "/mnt/tank/../../etc",
        "/mnt/tank/home/../../../etc/cron.d",
    ] {
        for answer in [
            clerk.post("/users", &json!({"username": "new", "home": home, "keys": [KEY]}).to_string()),
            clerk.json("PATCH", "/users/anna", &json!({"home": home, "keys": [KEY]}).to_string()),
            clerk.json("PATCH", "/users/anna", &json!({"home": home, "home_transfer": "move"}).to_string()),
        ] {
            assert!((400..500).contains(&answer.status), "{home}: {} {}", answer.status, answer.body);
            assert!(nas.disk.everything("/mnt") == before, "{home}");
        }
    }
}

#[test]
fn hashes_are_in_no_answer_to_whoever_is_no_administrator() {
    let (nas, _) = nas();
    nas.put("/users/anna/password", &json!({"password": "anna"})).status_is(204);
    let hash = nas.disk.field("/etc/shadow", "anna", 1);
    let nt = nas.disk.field("/etc/samba/smbpasswd", "anna", 3);
    assert!(hash.starts_with("$6$") && nt.len() == 32, "{hash} {nt}");
    let description: Value = serde_json::from_str(include_str!("../../src/api/v2/openapi.json")).unwrap();
    let paths = description["paths"].as_object().unwrap().keys().filter(|path| path.starts_with("/api/v2"));
    for caller in ["clerk", "auditor", "anna"] {
        let rest = nas.rest.as_user(caller, caller);
        for path in paths.clone() {
            // What is not there says nothing.
            let path =
                path["/api/v2".len()..].replace("{user}", "anna").replace("{group}", "anna").replace("{id}", "1");
            let shown = rest.get(&path).body;
            assert!(!shown.contains("$6$") && !shown.contains(&nt), "{caller}: {path}: {shown}");
        }
        for (base, path) in [("/api/v1.0", "/account/users/?limit=0"), ("/api/v1", "/user?limit=500")] {
            let rest = Rest { base: format!("{}{base}", nas.world.api()), ..rest.clone() };
            let shown = rest.get(path).body;
            assert!(!shown.contains("$6$") && !shown.contains(&nt), "{caller}: {path}: {shown}");
        }
    }
}
