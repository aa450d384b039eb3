//! Changes of one user.

use serde_json::json;

use super::signs::*;
use super::{Kind, NO_HOME, POOL, Signs};
use crate::freenas::keys::KEY;

pub const KINDS: &[Kind] = &[
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
        name: "full name and keys changed",
        prepare: make_user_with_home,
        request: |stage, subject| {
            put_user(stage, subject, json!({"bsdusr_sshpubkey": KEY, "bsdusr_full_name": "Other"}))
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
];
