//! What others have left in the files and homes never becomes an account's, and what can't be done
//! is found before anything has changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::freenas::keys::KEY;
use crate::freenas::{Nas, new_user};
use crate::running::Running;

const STALE_HASH: &str = "$6$stalestalestale$leftover";

/// As an editor does it that replaces the file.
fn append(nas: &Nas, file: &str, lines: &str) {
    let path = nas.disk.path(file);
    let text = fs::read_to_string(&path).unwrap_or_default() + lines;
    let new = path.with_extension("edited");
    fs::write(&new, text).unwrap();
    if let Ok(status) = fs::metadata(&path) {
        fs::set_permissions(&new, status.permissions()).unwrap();
    }
    fs::rename(new, path).unwrap();
}

fn smb_line(name: &str) -> String {
    format!("{name}:7777:{}:0CB6948805F797BF2A82807973B89537:[U          ]:LCT-65000000:\n", "X".repeat(32))
}

fn put(nas: &Nas, id: u64, change: Value) -> Value {
    nas.rest.put(&format!("/account/users/{id}/"), &change.to_string()).object(200)
}

#[test]
fn the_lines_of_a_former_namesake_do_not_come_back_to_life() {
    let nas = Nas::start();
    for name in ["ghost", "other"] {
        append(&nas, "/etc/shadow", &format!("{name}:{STALE_HASH}:19000:0:99999:7:::\n"));
        append(&nas, "/etc/samba/smbpasswd", &smb_line(name));
        append(&nas, "/etc/group", &format!("of-{name}:x:77{}:{name}\n", name.len() + name.as_bytes()[0] as usize));
        append(&nas, "/etc/gshadow", &format!("of-{name}:!:{name}:{name}\n{name}:!:{name}:\n"));
    }
    let mut request: Value = serde_json::from_str(&new_user("ghost", 3001, "")).unwrap();
    request["bsdusr_password_disabled"] = json!(true);
    let made = nas.rest.post("/account/users/", &request.to_string()).object(201);
    assert_eq!((&made["bsdusr_unixhash"], &made["bsdusr_smbhash"]), (&json!("*"), &json!("*")));
    assert_eq!(nas.disk.line("/etc/samba/smbpasswd", "ghost"), None);
    let id = nas.rest.create_user(&new_user("anna", 3002, "pw"));
    let before = nas.disk.field("/etc/shadow", "anna", 1);
    let renamed = put(&nas, id, json!({"bsdusr_username": "other"}));
    assert_eq!(renamed["bsdusr_unixhash"], json!(before));
    // `line` and `field` fail on a second line of the name.
    assert_eq!(nas.disk.field("/etc/shadow", "other", 1), before);
    assert_eq!(nas.disk.field("/etc/samba/smbpasswd", "other", 1), "3002");
    for name in ["ghost", "other"] {
        assert_eq!(nas.disk.field("/etc/group", &format!("of-{name}"), 3), "");
        let gshadow = nas.disk.line("/etc/gshadow", &format!("of-{name}")).unwrap();
        assert_eq!(gshadow, format!("of-{name}:!::"));
    }
    assert!(nas.world.with_password("other", "pw").logs_in());
}

#[test]
fn a_second_line_of_a_name_does_not_become_an_account_when_the_first_is_renamed() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    append(&nas, "/etc/passwd", "anna:x:0:0::/root:/bin/sh\n");
    put(&nas, id, json!({"bsdusr_username": "berta"}));
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), None);
    assert_eq!(nas.disk.field("/etc/passwd", "berta", 2), "3001");
}

#[test]
fn what_others_have_set_in_the_samba_line_stays() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let flags = || nas.disk.field("/etc/samba/smbpasswd", "anna", 4);
    let set = |flags: &str| {
        let text = nas.disk.text("/etc/samba/smbpasswd").replace("[U          ]", flags);
        fs::write(nas.disk.path("/etc/samba/smbpasswd"), text).unwrap();
    };
    set("[DUX        ]");
    put(&nas, id, json!({"bsdusr_full_name": "Other"}));
    assert_eq!(flags(), "[DUX        ]");
    put(&nas, id, json!({"bsdusr_locked": true}));
    assert_eq!(flags(), "[DUX        ]");
    put(&nas, id, json!({"bsdusr_locked": false}));
    assert_eq!(flags(), "[UX         ]");
}

#[test]
fn keys_and_modes_of_homes_that_are_not_there_are_left_alone() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    fs::remove_dir_all(nas.disk.path("/mnt/tank/home/anna")).unwrap();
    let shown = put(&nas, id, json!({"bsdusr_full_name": "X", "bsdusr_sshpubkey": KEY, "bsdusr_mode": "700"}));
    assert_eq!((&shown["bsdusr_full_name"], &shown["bsdusr_sshpubkey"]), (&json!("X"), &json!("")));
    assert!(!nas.disk.path("/mnt/tank/home/anna").exists());
}

#[test]
fn keys_that_can_not_be_written_are_refused_before_anything_has_changed() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    fs::create_dir(nas.disk.path("/mnt/tank/elsewhere")).unwrap();
    symlink("/mnt/tank/elsewhere", nas.disk.path("/mnt/tank/home/anna/.ssh")).unwrap();
    // A home that is there and whose `.ssh` leads away.
    let home = nas.disk.path("/mnt/tank/home/berta");
    fs::create_dir(&home).unwrap();
    symlink("/etc", home.join(".ssh")).unwrap();
    std::os::unix::fs::chown(&home, Some(3002), Some(3002)).unwrap();
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    let change = json!({"bsdusr_full_name": "X", "bsdusr_sshpubkey": KEY, "bsdusr_mode": "700"});
    let refused = nas.rest.put(&format!("/account/users/{id}/"), &change.to_string());
    assert_eq!((refused.status, refused.body.contains("bsdusr_sshpubkey")), (409, true), "{}", refused.body);
    let mut request: Value = serde_json::from_str(&new_user("berta", 3002, "pw")).unwrap();
    request["bsdusr_sshpubkey"] = json!(KEY);
    let refused = nas.rest.post("/account/users/", &request.to_string());
    assert_eq!((refused.status, refused.body.contains("bsdusr_sshpubkey")), (409, true), "{}", refused.body);
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before);
}

#[test]
fn a_change_that_is_refused_takes_its_keys_and_mode_back() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.world.run(&["sh", "-c", "mkdir -m 700 /mnt/tank/home/anna/.ssh && chown 3001:3001 /mnt/tank/home/anna/.ssh"]);
    // The commit can't write the new files.
    nas.world.run(&["mount", "-o", "remount,bind,ro", "/etc"]);
    let before = nas.disk.everything("/mnt");
    let change = json!({"bsdusr_full_name": "X", "bsdusr_sshpubkey": KEY, "bsdusr_mode": "700"});
    let failed = nas.rest.put(&format!("/account/users/{id}/"), &change.to_string());
    nas.world.run(&["mount", "-o", "remount,bind,rw", "/etc"]);
    assert!(failed.status >= 500, "{} {}", failed.status, failed.body);
    assert!(nas.disk.everything("/mnt") == before);
    put(&nas, id, change);
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/anna").2, 0o700);
    assert!(nas.disk.text("/mnt/tank/home/anna/.ssh/authorized_keys").contains(KEY));
}

#[test]
fn a_new_home_has_the_mode_and_the_keys_of_the_old_one() {
    let nas = Nas::start();
    let mut request: Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
    (request["bsdusr_mode"], request["bsdusr_sshpubkey"]) = (json!("710"), json!(KEY));
    let id = nas.rest.create_user(&request.to_string());
    let moved = put(&nas, id, json!({"bsdusr_home": "/mnt/tank/new/anna"}));
    assert_eq!(moved["bsdusr_sshpubkey"], json!(format!("{KEY}\n")));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/new/anna"), (3001, 3001, 0o710));
    // Into a directory that is the user's already, and with another uid at the same time.
    nas.world.run(&["install", "-d", "-o", "4001", "-g", "3001", "/mnt/tank/own"]);
    let moved = put(&nas, id, json!({"bsdusr_home": "/mnt/tank/own", "bsdusr_uid": 4001}));
    assert_eq!(moved["bsdusr_sshpubkey"], json!(format!("{KEY}\n")));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/own/.ssh/authorized_keys"), (4001, 3001, 0o600));
}

#[test]
fn uid_and_keys_change_together_in_a_home_that_keeps_its_owner() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    put(&nas, id, json!({"bsdusr_uid": 4001, "bsdusr_sshpubkey": KEY}));
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 2), "4001");
    assert!(nas.disk.text("/mnt/tank/home/anna/.ssh/authorized_keys").contains(KEY));
}

#[test]
fn a_password_that_is_set_while_passwords_are_disabled_waits() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "old"));
    put(&nas, id, json!({"bsdusr_password_disabled": true}));
    let body = json!({"bsdusr_password": "new"}).to_string();
    let set = nas.rest.post(&format!("/account/users/{id}/password/"), &body).object(200);
    assert_eq!(set["bsdusr_password_disabled"], json!(true));
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), "*");
    assert_eq!(nas.disk.field("/etc/samba/smbpasswd", "anna", 4), "[DU         ]");
    assert!(!nas.world.with_password("anna", "new").logs_in());
    put(&nas, id, json!({"bsdusr_password_disabled": false}));
    assert!(nas.world.with_password("anna", "new").logs_in());
    assert!(!nas.world.with_password("anna", "old").logs_in());
}

#[test]
fn the_primary_group_is_no_supplementary_one() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.rest.post(&format!("/account/users/{id}/groups/"), r#"["anna","ftp"]"#).is(202, r#"["ftp"]"#);
    assert_eq!(nas.disk.field("/etc/group", "anna", 3), "");
}

#[test]
fn two_requests_for_one_home_do_not_share_it() {
    let nas = Nas::start();
    let ids: Vec<u64> =
        ["a", "b"].iter().zip(3001..).map(|(name, uid)| nas.rest.create_user(&new_user(name, uid, "pw"))).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = ids
            .iter()
            .map(|id| {
                let (rest, body) = (&nas.rest, json!({"bsdusr_home": "/mnt/tank/wanted"}).to_string());
                scope.spawn(move || rest.put(&format!("/account/users/{id}/"), &body).status)
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut sorted = statuses.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [200, 409]);
    let winner = 3001 + u32::try_from(statuses.iter().position(|status| *status == 200).unwrap()).unwrap();
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/wanted").0, winner);
}

#[test]
fn locks_that_a_power_cut_has_left_stop_nobody() {
    let mut nas = Nas::start();
    for (file, content) in [("passwd", ""), ("shadow", "1\0"), ("group", "garbage"), ("gshadow", "99999999\0")] {
        let lock = nas.disk.path(&format!("/etc/{file}.lock"));
        fs::write(&lock, content).unwrap();
        fs::File::options().write(true).open(&lock).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(9)).unwrap();
    }
    nas.world.restart();
    let rest = crate::rest::Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    rest.create_user(&new_user("anna", 3001, "pw"));
    assert!(!nas.disk.path("/etc/passwd.lock").exists());
}

/// A process that edits no accounts, as a number may be given out again.
fn unrelated(nas: &Nas) -> Running {
    Running::start(&mut nas.world.inside(&["sleep", "60"]))
}

#[test]
fn locks_that_nobody_holds_stop_neither_the_api_nor_useradd() {
    let nas = Nas::start();
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    let alive = unrelated(&nas);
    let before_the_boot = UNIX_EPOCH + Duration::from_secs(9);
    let rows = [
        (format!("{}\0", dead.id()), None),
        (format!("{}\0", alive.id()), Some(before_the_boot)),
        (String::new(), None),
        ("garbage".to_owned(), None),
    ];
    for (uid, (content, time)) in (3001..).zip(rows) {
        for file in ["passwd", "shadow", "group", "gshadow"] {
            // Whole at once: the agent takes a lock that is only begun for one that nobody holds.
            let made = nas.disk.path(&format!("/etc/{file}.lock.made"));
            fs::write(&made, &content).unwrap();
            if let Some(time) = time {
                fs::File::options().write(true).open(&made).unwrap().set_modified(time).unwrap();
            }
            fs::rename(&made, nas.disk.path(&format!("/etc/{file}.lock"))).unwrap();
        }
        nas.rest.create_user(&new_user(&format!("rest{uid}"), uid, "pw"));
        nas.world.run(&["useradd", "-M", &format!("tool{uid}")]);
        for name in [format!("rest{uid}"), format!("tool{uid}")] {
            assert!(nas.disk.line("/etc/shadow", &name).is_some(), "{content:?}: {name}");
        }
    }
    alive.end();
}

#[test]
fn while_the_files_can_not_be_believed_nobody_gets_in() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    assert!(nas.world.with_password("anna", "pw").logs_in());
    let group = nas.disk.text("/etc/group");
    nas.world.run(&["sh", "-c", "cp -p /etc/group /etc/group.saved && : > /etc/group"]);
    assert!(!nas.world.with_password("anna", "pw").logs_in());
    assert!(nas.rest.get("/account/users/").status >= 500);
    // What another file says is heard all the same.
    nas.world.run(&["usermod", "-L", "anna"]);
    nas.world.run(&["mv", "/etc/group.saved", "/etc/group"]);
    assert_eq!(nas.disk.text("/etc/group"), group);
    assert!(!nas.world.with_password("anna", "pw").logs_in());
    nas.world.run(&["usermod", "-U", "anna"]);
    assert!(nas.world.with_password("anna", "pw").logs_in());
}

#[test]
fn what_is_shown_can_be_sent_back_whoever_made_it() {
    let nas = Nas::start();
    nas.world.run(&["useradd", "-m", "-d", "/mnt/tank/odd", "-s", "/bin/dash", "a-name-of-21-letters.x"]);
    let keys = "from=10.0.0.1 not a key\n# \u{fc}\n";
    nas.world.run(&["install", "-d", "-m", "700", "-o", "a-name-of-21-letters.x", "/mnt/tank/odd/.ssh"]);
    fs::write(nas.disk.path("/mnt/tank/odd/.ssh/authorized_keys"), keys).unwrap();
    let before = nas.disk.everything("/etc");
    for kind in ["users", "groups"] {
        for shown in nas.rest.get(&format!("/account/{kind}/?limit=0")).object(200).as_array().unwrap() {
            let path = format!("/account/{kind}/{}/", shown["id"]);
            let answer = nas.rest.put(&path, &shown.to_string());
            assert_eq!(answer.status, 200, "{shown}: {}", answer.body);
            let mut answered = answer.value();
            // A list does not look whether the keys count.
            answered.as_object_mut().unwrap().remove("bsdusr_sshpubkey_advice");
            assert_eq!(answered, *shown);
        }
    }
    assert!(nas.disk.everything("/etc") == before);
    assert_eq!(nas.disk.text("/mnt/tank/odd/.ssh/authorized_keys"), keys);
}
