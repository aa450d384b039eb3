//! Other tools change the account files: the API shows it at once, and nothing of theirs is lost.

use std::fs;

use serde_json::{Value, json};

use crate::freenas::{Nas, new_user};

/// The user of a name in the API's list.
fn user(nas: &Nas, name: &str) -> Option<Value> {
    nas.rest
        .get("/account/users/?limit=0")
        .object(200)
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["bsdusr_username"] == name)
        .cloned()
}

fn group(nas: &Nas, name: &str) -> Option<Value> {
    nas.rest
        .get("/account/groups/?limit=0")
        .object(200)
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["bsdgrp_group"] == name)
        .cloned()
}

#[test]
fn accounts_made_by_useradd_are_there_at_once_and_stay() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.world.run(&["groupadd", "-g", "5000", "byhand"]);
    nas.world.run(&[
        "useradd",
        "-m",
        "-d",
        "/mnt/tank/byhand",
        "-u",
        "5001",
        "-g",
        "byhand",
        "-s",
        "/bin/sh",
        "-c",
        "By Hand",
        "byhand",
    ]);
    let seen = user(&nas, "byhand").expect("the user is listed");
    assert_eq!((&seen["bsdusr_uid"], &seen["bsdusr_full_name"]), (&json!(5001), &json!("By Hand")));
    assert_eq!(group(&nas, "byhand").unwrap()["bsdgrp_gid"], 5000);
    let lines: Vec<_> =
        ["passwd", "shadow", "group", "gshadow"].map(|file| nas.disk.line(&format!("/etc/{file}"), "byhand")).into();
    // A change over the API leaves them as they are.
    nas.rest.create_user(&new_user("bert", 3002, "pw"));
    let after: Vec<_> =
        ["passwd", "shadow", "group", "gshadow"].map(|file| nas.disk.line(&format!("/etc/{file}"), "byhand")).into();
    assert_eq!(lines, after);
    // Its id stays, through a rename and a change of its number too.
    nas.world.run(&["usermod", "-u", "5002", "byhand"]);
    assert_eq!(user(&nas, "byhand").unwrap()["id"], seen["id"]);
    nas.world.run(&["usermod", "-l", "renamed", "byhand"]);
    assert_eq!(user(&nas, "renamed").unwrap()["id"], seen["id"]);
    nas.world.run(&["userdel", "renamed"]);
    assert_eq!(user(&nas, "renamed"), None);
    assert_eq!(nas.rest.get(&format!("/account/users/{}/", seen["id"])).status, 404);
    nas.world.run(&["useradd", "-u", "5002", "renamed"]);
    assert_ne!(user(&nas, "renamed").unwrap()["id"], seen["id"], "an id is never given twice");
}

#[test]
fn a_password_set_by_passwd_counts_and_outlives_a_change_over_the_api() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "first"));
    let mut chpasswd = nas.world.inside(&["passwd", "anna"]);
    let output = crate::openssh::run(
        {
            chpasswd.env("LC_ALL", "C");
            chpasswd
        },
        b"second\nsecond\n",
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hash = nas.disk.field("/etc/shadow", "anna", 1);
    assert_eq!(user(&nas, "anna").unwrap()["bsdusr_unixhash"], hash);
    assert!(nas.world.with_password("anna", "second").logs_in());
    assert!(!nas.world.with_password("anna", "first").logs_in());
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_full_name": "New Name"}"#).object(200);
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), hash);
    assert!(nas.world.with_password("anna", "second").logs_in());
}

#[test]
fn what_an_editor_leaves_in_the_files_is_kept_byte_for_byte() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.rest.create_user(&new_user("bert", 3002, "pw"));
    // As vipw does it: a new file, renamed into place; here with what other tools leave behind.
    let odd = "# a comment\n\n+::::::\nodd line without colons\ntwin:x:6001:6001::/:/bin/sh\ntwin:x:6002:6002::/:/bin/sh\n\
               latin\u{fffd}:x:6003:6003:caf:/:/bin/sh\n";
    let mut bytes = nas.disk.text("/etc/passwd").into_bytes();
    bytes.extend(odd.replace('\u{fffd}', "").as_bytes());
    bytes.extend(b"cafe:x:6004:6004:caf\xe9:/nonexistent:/bin/sh");
    fs::write(nas.disk.path("/etc/passwd.edit"), &bytes).unwrap();
    let path = nas.disk.path("/etc/passwd");
    fs::set_permissions(nas.disk.path("/etc/passwd.edit"), fs::metadata(&path).unwrap().permissions()).unwrap();
    fs::rename(nas.disk.path("/etc/passwd.edit"), &path).unwrap();
    assert_eq!(user(&nas, "cafe").unwrap()["bsdusr_uid"], 6004);
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_full_name": "Anna X"}"#).object(200);
    let expected = String::from_utf8_lossy(&bytes).replace("anna:x:3001:3001:Some One:", "anna:x:3001:3001:Anna X:");
    let after = fs::read(&path).unwrap();
    assert_eq!(String::from_utf8_lossy(&after), expected, "only the one line is another");
    // A new line goes before the first NIS line; the last one has no end and gets none.
    nas.rest.create_user(&new_user("carl", 3003, "pw"));
    let carl = "carl:x:3003:3003:Some One:/mnt/tank/home/carl:/bin/csh\n";
    let expected = expected.replacen("+::::::", &format!("{carl}+::::::"), 1);
    let after = fs::read(&path).unwrap();
    assert_eq!(String::from_utf8_lossy(&after), expected);
    assert_eq!(nas.rest.delete(&format!("/account/users/{id}/")).status, 204);
    let left = fs::read(&path).unwrap();
    assert_eq!(after.len() - left.len(), "anna:x:3001:3001:Anna X:/mnt/tank/home/anna:/bin/csh\n".len());
}

#[test]
fn names_and_numbers_that_others_have_taken_are_refused() {
    let nas = Nas::start();
    nas.world.run(&["useradd", "-u", "5001", "-U", "taken"]);
    assert!(user(&nas, "taken").is_some());
    let before = nas.disk.everything("/etc");
    let same_name = nas.rest.post("/account/users/", &new_user("taken", 5005, "pw"));
    assert_eq!(same_name.status, 409);
    assert!(same_name.body.contains("bsdusr_username"), "{}", same_name.body);
    let other_case = nas.rest.post("/account/users/", &new_user("TAKEN", 5005, "pw"));
    assert_eq!(other_case.status, 409);
    let group = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 5001, "bsdgrp_group": "other"}"#);
    assert_eq!(group.status, 409);
    assert!(group.body.contains("bsdgrp_gid"), "{}", group.body);
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn mode_owner_and_inode_of_the_files_are_what_other_tools_expect() {
    let nas = Nas::start();
    let before: Vec<_> =
        ["passwd", "group", "shadow", "gshadow"].map(|file| nas.disk.owner_and_mode(&format!("/etc/{file}"))).into();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let after: Vec<_> =
        ["passwd", "group", "shadow", "gshadow"].map(|file| nas.disk.owner_and_mode(&format!("/etc/{file}"))).into();
    assert_eq!(before, after);
    assert_eq!(after[2], (0, 42, 0o640));
    let left: Vec<String> = fs::read_dir(nas.disk.path("/etc"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".lock") && name != ".pwd.lock" || name.contains(".accountd"))
        .collect();
    assert_eq!(left, [""; 0], "nothing of ours is left beside them");
    for tool in [&["pwck", "-r", "-q"][..], &["grpck", "-r"]] {
        let output = nas.world.exec(tool);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("anna"), "{tool:?} says {said}");
    }
    assert_eq!(nas.world.run(&["id", "anna"]).trim(), "uid=3001(anna) gid=3001(anna) groups=3001(anna)");
}
