//! The kinds of transactions. A new one is an entry in [`KINDS`].

use serde_json::{Value, json};

use super::stage::{FILES, Stage, Subject};
use crate::freenas::keys::KEY;
use crate::rest::{Answer, Rest};
use crate::world::wait_for;

const POOL: &str = "/mnt/tank/home";
const NO_HOME: &str = "/nonexistent";

/// What is visible of a change, and whether it is there. All of them are or none.
pub type Signs = Vec<(String, bool)>;

pub struct Kind {
    pub name: &'static str,
    /// Makes what the request is about.
    pub prepare: fn(&Stage, &mut Subject),
    pub request: fn(&Stage, &Subject) -> Answer,
    pub signs: fn(&Stage, &Subject) -> Signs,
}

pub const KINDS: [Kind; 25] = [
    Kind {
        name: "user created with everything",
        prepare: |_, _| {},
        request: |stage, subject| {
            let mut request = stage.new_user(subject, POOL);
            request["bsdusr_sshpubkey"] = json!(KEY);
            stage.nas.rest.post("/account/users/", &request.to_string())
        },
        signs: |stage, subject| {
            let mut signs = user_is_there(stage, subject);
            let home = format!("{POOL}/{}", subject.name);
            signs.push(sign("home", stage.nas.disk.path(&home).is_dir()));
            signs.push(sign("keys", keys(stage, &home).contains(KEY)));
            signs
        },
    },
    Kind {
        name: "user created without home",
        prepare: |_, _| {},
        request: |stage, subject| stage.nas.rest.post("/account/users/", &stage.new_user(subject, NO_HOME).to_string()),
        signs: user_is_there,
    },
    Kind {
        name: "full name changed",
        prepare: make_user,
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_full_name": "Other"})),
        signs: |stage, subject| {
            let shown = shown_user(stage, &subject.name);
            vec![
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 4) == "Other"),
                sign("rest", shown["bsdusr_full_name"] == "Other"),
            ]
        },
    },
    Kind {
        name: "user renamed",
        prepare: make_user,
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_username": subject.new})),
        signs: |stage, subject| {
            let mut signs = Signs::new();
            for file in ["/etc/passwd", "/etc/shadow", "/etc/samba/smbpasswd"] {
                signs.push(sign(file, stage.nas.disk.line(file, &subject.new).is_some()));
                signs.push(sign(&format!("old in {file}"), stage.nas.disk.line(file, &subject.name).is_none()));
            }
            signs.extend(["/etc/group", "/etc/gshadow"].map(|file| sign(file, is_member(stage, file, &subject.new))));
            signs.push(sign("rest", stage.shown("users", "bsdusr_username", &subject.new).is_some()));
            signs
        },
    },
    Kind {
        name: "uid changed",
        prepare: make_user,
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_uid": subject.number + 1})),
        signs: |stage, subject| {
            let (new, name) = ((subject.number + 1).to_string(), &subject.name);
            vec![
                sign("passwd", field(stage, "/etc/passwd", name, 2) == new),
                sign("smbpasswd", field(stage, "/etc/samba/smbpasswd", name, 1) == new),
                sign("rest", shown_user(stage, name)["bsdusr_uid"] == subject.number + 1),
            ]
        },
    },
    Kind {
        name: "password set",
        prepare: |stage, subject| {
            make_user(stage, subject);
            subject.before = passwords(stage, subject);
        },
        request: |stage, subject| {
            let path = format!("/account/users/{}/password/", subject.id);
            stage.nas.rest.post(&path, r#"{"bsdusr_password": "another"}"#)
        },
        signs: |stage, subject| {
            let pairs = passwords(stage, subject).into_iter().zip(&subject.before);
            pairs.map(|(now, before)| sign("password", now != *before)).collect()
        },
    },
    Kind {
        name: "user locked",
        prepare: make_user,
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_locked": true})),
        signs: |stage, subject| {
            vec![
                sign("shadow", field(stage, "/etc/shadow", &subject.name, 1).starts_with('!')),
                sign("smbpasswd", field(stage, "/etc/samba/smbpasswd", &subject.name, 4).contains('D')),
                sign("rest", shown_user(stage, &subject.name)["bsdusr_locked"] == true),
            ]
        },
    },
    Kind {
        name: "user with a crontab locked",
        prepare: |stage, subject| {
            make_user(stage, subject);
            std::fs::write(crontab(stage, subject), "@daily true\n").unwrap();
        },
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_locked": true})),
        signs: |stage, subject| {
            vec![
                sign("shadow", field(stage, "/etc/shadow", &subject.name, 1).starts_with('!')),
                sign("no crontab", !crontab(stage, subject).exists()),
                sign("rest", shown_user(stage, &subject.name)["bsdusr_locked"] == true),
            ]
        },
    },
    Kind {
        name: "user with a crontab unlocked",
        prepare: |stage, subject| {
            make_user(stage, subject);
            std::fs::write(crontab(stage, subject), "@daily true\n").unwrap();
            put_user(stage, subject, json!({"bsdusr_locked": true})).object(200);
        },
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_locked": false})),
        signs: |stage, subject| {
            vec![
                sign("shadow", !field(stage, "/etc/shadow", &subject.name, 1).starts_with('!')),
                sign("crontab", crontab(stage, subject).exists()),
                sign("rest", shown_user(stage, &subject.name)["bsdusr_locked"] == false),
            ]
        },
    },
    Kind {
        name: "keys changed",
        prepare: make_user_with_home,
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_sshpubkey": KEY})),
        signs: |stage, subject| {
            let shown = shown_user(stage, &subject.name)["bsdusr_sshpubkey"].as_str().unwrap().contains(KEY);
            vec![sign("file", keys(stage, &format!("{POOL}/{}", subject.name)).contains(KEY)), sign("rest", shown)]
        },
    },
    Kind {
        name: "home changed",
        prepare: make_user_with_home,
        request: |stage, subject| {
            put_user(stage, subject, json!({"bsdusr_home": format!("/mnt/tank/new/{}", subject.name)}))
        },
        signs: |stage, subject| {
            let new = format!("/mnt/tank/new/{}", subject.name);
            vec![
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 5) == new),
                sign("home", stage.nas.disk.path(&new).is_dir()),
                sign("rest", shown_user(stage, &subject.name)["bsdusr_home"] == new),
            ]
        },
    },
    Kind {
        name: "home moved",
        prepare: |stage, subject| {
            make_user_with_home(stage, subject);
            let note = stage.nas.disk.path(&format!("{POOL}/{}/note", subject.name));
            std::fs::write(&note, "some").unwrap();
            std::os::unix::fs::chown(&note, Some(subject.number), None).unwrap();
        },
        request: |stage, subject| {
            let home = format!("/mnt/tank/new/{}", subject.name);
            put_user(stage, subject, json!({"bsdusr_home": home, "bsdusr_home_transfer": "move"}))
        },
        signs: |stage, subject| {
            let new = format!("/mnt/tank/new/{}", subject.name);
            vec![
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 5) == new),
                sign("new home", stage.nas.disk.path(&new).is_dir()),
                sign("note", note_is_kept(stage, subject, &new)),
                sign("old home gone", old_home_is_gone(stage, subject)),
            ]
        },
    },
    Kind {
        name: "sudo granted and address set",
        prepare: make_user,
        request: |stage, subject| {
            put_user(stage, subject, json!({"bsdusr_sudo": true, "bsdusr_email": "some@example.org"}))
        },
        signs: |stage, subject| {
            let shown = shown_user(stage, &subject.name);
            vec![
                sign("drop-in", drop_in(stage, subject).contains(&format!("\"{}\" ALL=", subject.name))),
                sign("alias", stage.nas.disk.line("/etc/aliases", &subject.name).is_some()),
                sign("sudo in rest", shown["bsdusr_sudo"] == true),
                sign("address in rest", shown["bsdusr_email"] == "some@example.org"),
            ]
        },
    },
    Kind {
        name: "user with sudo and address renamed",
        prepare: |stage, subject| {
            make_user(stage, subject);
            put_user(stage, subject, json!({"bsdusr_sudo": true, "bsdusr_email": "some@example.org"})).object(200);
        },
        request: |stage, subject| put_user(stage, subject, json!({"bsdusr_username": subject.new})),
        signs: |stage, subject| {
            vec![
                sign("passwd", stage.nas.disk.line("/etc/passwd", &subject.new).is_some()),
                sign("drop-in", drop_in(stage, subject).contains(&format!("\"{}\" ALL=", subject.new))),
                sign("alias", stage.nas.disk.line("/etc/aliases", &subject.new).is_some()),
                sign("no old alias", stage.nas.disk.line("/etc/aliases", &subject.name).is_none()),
            ]
        },
    },
    Kind {
        name: "user deleted with sudo, crontab and home",
        prepare: |stage, subject| {
            make_user_with_home(stage, subject);
            put_user(stage, subject, json!({"bsdusr_sudo": true})).object(200);
            std::fs::write(crontab(stage, subject), "@daily true\n").unwrap();
        },
        request: |stage, subject| {
            let json = ["-H", "Content-Type: application/json"];
            let path = format!("/account/users/{}/", subject.id);
            stage.nas.rest.curl("DELETE", &path, &json, Some(br#"{"delete_home": true}"#))
        },
        signs: |stage, subject| {
            let there = user_is_there(stage, subject).into_iter();
            let mut signs: Signs = there.map(|(what, there)| (format!("no {what}"), !there)).collect();
            signs.push(sign("no drop-in", drop_in(stage, subject).is_empty()));
            signs.push(sign("no crontab", !crontab(stage, subject).exists()));
            signs.push(sign("no home", !stage.nas.disk.path(&format!("{POOL}/{}", subject.name)).exists()));
            signs
        },
    },
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
            // A home that takes no key file behind the commit is told of.
            let told = [0, 1].map(|index| named[index] && is_refused_item(stage, index));
            let placed = [sign("keys", first || told[0]), sign("no keys", !second || told[1])];
            names.iter().zip(named).map(|(name, named)| sign(name, named)).chain(placed).collect()
        },
    },
    Kind {
        name: "memberships set",
        prepare: make_user,
        request: |stage, subject| {
            stage.nas.rest.post(&format!("/account/users/{}/groups/", subject.id), r#"["ftp","games"]"#)
        },
        signs: |stage, subject| {
            let mut signs = Signs::new();
            for file in ["/etc/group", "/etc/gshadow"] {
                let member = |group: &str| members(stage, file, group).contains(&subject.name);
                signs.extend(["ftp", "games"].map(|group| sign(&format!("{group} in {file}"), member(group))));
                signs.push(sign(&format!("out of team in {file}"), !member("team")));
            }
            signs
        },
    },
    Kind {
        name: "user deleted",
        prepare: make_user,
        request: |stage, subject| stage.nas.rest.delete(&format!("/account/users/{}/", subject.id)),
        signs: |stage, subject| {
            user_is_there(stage, subject).into_iter().map(|(what, there)| (format!("no {what}"), !there)).collect()
        },
    },
    Kind {
        name: "policy set",
        prepare: |stage, _| {
            own(stage).json("PATCH", "/policy", r#"{"password": {"warn_days": null}}"#).status_is(200);
        },
        request: |stage, subject| {
            let change = json!({"password": {"warn_days": subject.number}});
            own(stage).json("PATCH", "/policy", &change.to_string())
        },
        signs: |stage, subject| {
            let shown = own(stage).get("/policy").object(200);
            vec![
                sign("number", shown["password"]["warn_days"] == subject.number),
                sign("source", shown["source"]["password"]["warn_days"] == "api"),
            ]
        },
    },
    Kind { name: "group created", prepare: |_, _| {}, request: create_group, signs: group_is_there },
    Kind {
        name: "group renamed",
        prepare: make_group,
        request: |stage, subject| put_group(stage, subject, json!({"bsdgrp_group": subject.new})),
        signs: |stage, subject| {
            let renamed = Subject { name: subject.new.clone(), ..subject.clone() };
            let mut signs = group_is_there(stage, &renamed);
            signs.extend(
                group_is_there(stage, subject).into_iter().map(|(what, there)| (format!("no old {what}"), !there)),
            );
            signs
        },
    },
    Kind {
        name: "gid changed",
        prepare: make_user_of_own_group,
        request: |stage, subject| put_group(stage, subject, json!({"bsdgrp_gid": subject.number + 1})),
        signs: |stage, subject| {
            let new = (subject.number + 1).to_string();
            let shown = stage.shown("groups", "bsdgrp_group", &subject.name).unwrap();
            vec![
                sign("group", field(stage, "/etc/group", &subject.name, 2) == new),
                sign("passwd", field(stage, "/etc/passwd", &subject.name, 3) == new),
                sign("rest", shown["bsdgrp_gid"] == subject.number + 1),
            ]
        },
    },
    Kind {
        name: "group deleted",
        prepare: make_user_of_own_group,
        request: |stage, subject| stage.nas.rest.delete(&format!("/account/groups/{}/", subject.id)),
        signs: |stage, subject| {
            let there = group_is_there(stage, subject).into_iter();
            let mut signs: Signs = there.map(|(what, there)| (format!("no {what}"), !there)).collect();
            let gid = field(stage, "/etc/passwd", &subject.name, 3);
            signs.push(sign("passwd", gid != subject.number.to_string()));
            signs
        },
    },
];

fn sign(what: &str, done: bool) -> (String, bool) {
    (what.to_owned(), done)
}

/// What came of a job, where the answer does not say it yet.
fn over(stage: &Stage, answer: Answer) -> Answer {
    let Some(location) = answer.header("location").filter(|_| answer.status == 202) else { return answer };
    let location = location.trim_start_matches("/api/v2").to_owned();
    loop {
        let job = own(stage).get(&location);
        match (job.status, job.value()["state"].as_str()) {
            (200, Some("waiting" | "running")) => {}
            (200, Some("done")) => return job,
            _ => return Answer { status: 500, ..job },
        }
    }
}

/// The other dialect, which has policy and batches.
fn own(stage: &Stage) -> Rest {
    Rest::v2(&stage.world().api(), "root", &stage.world().admin_password())
}

fn make_user(stage: &Stage, subject: &mut Subject) {
    subject.id = stage.nas.rest.create_user(&stage.new_user(subject, NO_HOME).to_string());
}

fn make_user_with_home(stage: &Stage, subject: &mut Subject) {
    subject.id = stage.nas.rest.create_user(&stage.new_user(subject, POOL).to_string());
}

/// The request is about the group.
fn make_user_of_own_group(stage: &Stage, subject: &mut Subject) {
    make_user(stage, subject);
    subject.id = stage.shown("groups", "bsdgrp_group", &subject.name).unwrap()["id"].as_u64().unwrap();
}

fn make_group(stage: &Stage, subject: &mut Subject) {
    subject.id = create_group(stage, subject).object(201)["id"].as_u64().unwrap();
}

fn create_group(stage: &Stage, subject: &Subject) -> Answer {
    let request = json!({"bsdgrp_gid": subject.number, "bsdgrp_group": subject.name});
    stage.nas.rest.post("/account/groups/", &request.to_string())
}

fn put_user(stage: &Stage, subject: &Subject, change: Value) -> Answer {
    stage.nas.rest.put(&format!("/account/users/{}/", subject.id), &change.to_string())
}

fn put_group(stage: &Stage, subject: &Subject, change: Value) -> Answer {
    stage.nas.rest.put(&format!("/account/groups/{}/", subject.id), &change.to_string())
}

fn user_is_there(stage: &Stage, subject: &Subject) -> Signs {
    let name = &subject.name;
    let mut signs: Signs = FILES.iter().map(|file| sign(file, stage.nas.disk.line(file, name).is_some())).collect();
    for file in ["/etc/group", "/etc/gshadow"] {
        signs.push(sign(&format!("team in {file}"), is_member(stage, file, name)));
    }
    signs.push(sign("rest", stage.shown("users", "bsdusr_username", name).is_some()));
    signs.push(sign("group in rest", stage.shown("groups", "bsdgrp_group", name).is_some()));
    signs
}

fn group_is_there(stage: &Stage, subject: &Subject) -> Signs {
    let mut signs: Signs =
        FILES[2..4].iter().map(|file| sign(file, stage.nas.disk.line(file, &subject.name).is_some())).collect();
    signs.push(sign("rest", stage.shown("groups", "bsdgrp_group", &subject.name).is_some()));
    signs
}

/// Empty where there is no such line.
fn field(stage: &Stage, file: &str, name: &str, index: usize) -> String {
    let line = stage.nas.disk.line(file, name).unwrap_or_default();
    line.split(':').nth(index).unwrap_or_default().to_owned()
}

fn members(stage: &Stage, file: &str, group: &str) -> Vec<String> {
    field(stage, file, group, 3).split(',').map(str::to_owned).collect()
}

fn is_member(stage: &Stage, file: &str, name: &str) -> bool {
    members(stage, file, "team").iter().any(|member| member == name)
}

fn passwords(stage: &Stage, subject: &Subject) -> Vec<String> {
    let places = [("/etc/shadow", 1), ("/etc/samba/smbpasswd", 3)];
    places.map(|(file, index)| field(stage, file, &subject.name, index)).to_vec()
}

fn keys(stage: &Stage, home: &str) -> String {
    stage.nas.disk.text(&format!("{home}/.ssh/authorized_keys"))
}

/// Whether a transfer says of itself that something was left behind. Waits for its end.
fn is_told(stage: &Stage, subject: &Subject) -> bool {
    let transfer =
        || stage.nas.rest.get(&format!("/account/users/{}/home/", subject.id)).object(200)["transfer"].clone();
    let is_under_way = |transfer: &Value| transfer["state"] == "waiting" || transfer["state"] == "running";
    wait_for("the transfer to end", || !is_under_way(&transfer()));
    let transfer = transfer();
    transfer["state"] == "failed" || transfer["left_alone"].as_u64().is_some_and(|count| count > 0)
}

/// Whether nothing is where the home was, unless that is told.
fn old_home_is_gone(stage: &Stage, subject: &Subject) -> bool {
    is_told(stage, subject) || !stage.nas.disk.path(&format!("{POOL}/{}", subject.name)).exists()
}

/// Whether what was in the home is in the new one; or in the old one still, and that is told.
fn note_is_kept(stage: &Stage, subject: &Subject, new: &str) -> bool {
    let is_in = |home: &str| stage.nas.disk.text(&format!("{home}/note")) == "some";
    (is_told(stage, subject) && is_in(&format!("{POOL}/{}", subject.name))) || is_in(new)
}

/// Whether the last batch has said that of one of its items something was left undone.
fn is_refused_item(stage: &Stage, index: usize) -> bool {
    let own = own(stage);
    let jobs = own.get("/jobs").object(200);
    let Some(id) = jobs["items"][0]["id"].as_str() else { return false };
    own.get(&format!("/jobs/{id}")).object(200)["result"]["items"][index]["outcome"] == "refused"
}

/// The text of the user's drop-in; empty where there is none.
fn drop_in(stage: &Stage, subject: &Subject) -> String {
    stage.nas.disk.text(&format!("/etc/sudoers.d/accountd-user-{}", subject.id))
}

fn crontab(stage: &Stage, subject: &Subject) -> std::path::PathBuf {
    stage.nas.disk.path(&format!("/var/spool/cron/crontabs/{}", subject.name))
}

fn shown_user(stage: &Stage, name: &str) -> Value {
    stage.shown("users", "bsdusr_username", name).unwrap_or_default()
}
