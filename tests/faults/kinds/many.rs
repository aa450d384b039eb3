//! Changes of several accounts in one request.

use serde_json::{Value, json};

use super::signs::*;
use super::{Kind, NO_HOME, POOL, Signs};
use crate::backup::{document, group, sealed, user};
use crate::faults::stage::{Stage, Subject};
use crate::freenas::keys::KEY;
use crate::rest::Answer;

pub const KINDS: &[Kind] = &[
    Kind {
        name: "two users created in one request",
        prepare: |_, _| {},
        request: |stage, subject| {
            let second = Subject { name: subject.new.clone(), number: subject.number + 1, ..subject.clone() };
            let objects = [stage.new_user(subject, NO_HOME), stage.new_user(&second, NO_HOME)];
            stage.nas.rest.json("PATCH", "/account/users/", &json!({"objects": objects}).to_string())
        },
        signs: |stage, subject| {
            let second = Subject { name: subject.new.clone(), ..subject.clone() };
            [user_is_there(stage, subject), user_is_there(stage, &second)].concat()
        },
    },
    Kind {
        name: "one user created and another deleted in a batch",
        prepare: make_user_with_home,
        request: |stage, subject| {
            let create = json!({"op": "create", "username": subject.new, "uid": subject.number + 1,
                "home": format!("{POOL}/{}", subject.new), "keys": [KEY], "sudo": true, "password": "pw", "groups": ["team"]});
            let items = json!([create, {"op": "delete", "user": subject.id, "delete_home": true}]);
            over(stage, own(stage).post("/users:batch", &items.to_string()))
        },
        signs: |stage, subject| {
            let second = Subject { name: subject.new.clone(), ..subject.clone() };
            let gone = user_is_there(stage, subject).into_iter().map(|(what, there)| (format!("no {what}"), !there));
            let mut signs: Signs = gone.chain(user_is_there(stage, &second)).collect();
            signs.push(sign("keys", keys(stage, &format!("{POOL}/{}", subject.new)).contains(KEY)));
            signs.push(sign("no home", !stage.nas.disk.path(&format!("{POOL}/{}", subject.name)).exists()));
            signs
        },
    },
    Kind {
        name: "two users taken over from a backup",
        prepare: |_, _| {},
        request: |stage, subject| {
            import(
                stage,
                &backup_of_new_users(subject),
                &json!({
                    "on_name": "skip", "accounts": {format!("{}x", subject.name): {"rename": subject.new}},
                }),
            )
        },
        signs: |stage, subject| {
            let second = Subject { name: subject.new.clone(), ..subject.clone() };
            let mut signs = [user_is_there(stage, subject), user_is_there(stage, &second)].concat();
            let id = shown_user(stage, &subject.name)["id"].as_u64().unwrap_or_default();
            signs.push(sign("drop-in", !drop_in(stage, &Subject { id, ..subject.clone() }).is_empty()));
            signs.push(sign("alias", stage.nas.disk.line("/etc/aliases", &subject.name).is_some()));
            signs.push(sign("keys", keys(stage, &format!("{POOL}/{}", subject.name)).contains(KEY)));
            signs
        },
    },
    Kind {
        name: "user made like a backup",
        prepare: make_user_with_home,
        request: |stage, subject| import(stage, &backup_of_changed_user(subject), &json!({"on_name": "overwrite"})),
        signs: |stage, subject| {
            let shown = shown_user(stage, &subject.name);
            vec![
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 4) == "Other"),
                sign("no Samba", stage.nas.disk.line("/etc/samba/smbpasswd", &subject.name).is_none()),
                sign("drop-in", !drop_in(stage, subject).is_empty()),
                sign("alias", stage.nas.disk.line("/etc/aliases", &subject.name).is_some()),
                sign("rest", shown["bsdusr_full_name"] == "Other"),
            ]
        },
    },
    Kind {
        name: "keys taken over from a backup",
        prepare: |stage, subject| {
            make_user_with_home(stage, subject);
            subject.before = vec![own(stage).get("/backups/current").object(200).to_string()];
        },
        request: |stage, subject| {
            let mut backup: Value = serde_json::from_str(&subject.before[0]).unwrap();
            let mut users = backup["users"].as_array_mut().unwrap().iter_mut();
            let user = users.find(|user| user["name"] == *subject.name).unwrap();
            user["keys"] = json!(format!("{KEY}\n"));
            user["full_name"] = json!("Other");
            import(stage, &sealed(&backup), &json!({"on_name": "overwrite"}))
        },
        signs: |stage, subject| {
            let shown = shown_user(stage, &subject.name)["bsdusr_sshpubkey"].as_str().unwrap().contains(KEY);
            vec![
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 4) == "Other"),
                sign("file", keys(stage, &format!("{POOL}/{}", subject.name)).contains(KEY)),
                sign("rest", shown),
            ]
        },
    },
    Kind {
        name: "keys of two users in a batch",
        prepare: |stage, subject| {
            make_user_with_home(stage, subject);
            let second = json!({"username": subject.new, "uid": subject.number + 1,
                "home": format!("{POOL}/{}", subject.new), "keys": [KEY]});
            own(stage).post("/users", &second.to_string()).status_is(201);
        },
        request: |stage, subject| {
            let items = json!([
                {"op": "update", "user": subject.name, "full_name": "Other", "keys": [KEY]},
                {"op": "update", "user": subject.new, "full_name": "Other", "keys": []},
            ]);
            over(stage, own(stage).post("/users:batch", &items.to_string()))
        },
        signs: |stage, subject| {
            let names = [&subject.name, &subject.new];
            let named = names.map(|name| field(stage, "/etc/passwd", name, 4) == "Other");
            let [first, second] = names.map(|name| keys(stage, &format!("{POOL}/{name}")).contains(KEY));
            let placed = [sign("keys", first), sign("no keys", !second)];
            names.iter().zip(named).map(|(name, named)| sign(name, named)).chain(placed).collect()
        },
    },
];

fn import(stage: &Stage, backup: &Value, choices: &Value) -> Answer {
    let body = json!({"backup": backup, "choices": choices});
    over(stage, own(stage).post("/backups/import", &body.to_string()))
}

/// Everything that a user can have.
fn user_with_everything(name: &str, number: u32) -> Value {
    let mut user = user(name, number);
    user["home"] = json!(format!("{POOL}/{name}"));
    user["email"] = json!("some@example.org");
    user["sudo"] = json!(format!("\"{name}\" ALL=(ALL) ALL\n"));
    user["keys"] = json!(format!("{KEY}\n"));
    user
}

/// Two users, of whom the second is called otherwise, and the group that is always there.
fn backup_of_new_users(subject: &Subject) -> Value {
    let (name, other, number) = (&subject.name, format!("{}x", subject.name), subject.number);
    let [mut first, mut second] = [user_with_everything(name, number), user(&other, number + 1)];
    second["home"] = json!(NO_HOME);
    let samba = json!({"lm_hash": "X".repeat(32), "nt_hash": "A".repeat(32), "flags": "[U          ]", "changed": "LCT-654321AB"});
    (first["samba"], second["samba"]) = (samba.clone(), samba);
    let team = group("team", 2900, &[name, &other]);
    document(&[first, second], &[team, group(name, number, &[]), group(&other, number + 1, &[])])
}

fn backup_of_changed_user(subject: &Subject) -> Value {
    let (name, number) = (&subject.name, subject.number);
    let mut changed = user_with_everything(name, number);
    (changed["full_name"], changed["keys"]) = (json!("Other"), Value::Null);
    document(&[changed], &[group("team", 2900, &[name]), group(name, number, &[])])
}
