//! A home that is moved.

use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::{Anna, NEW, OLD};
use crate::freenas::keys::KEY;
use crate::freenas::new_user;

#[test]
fn a_move_is_one_rename() {
    let anna = Anna::start();
    anna.put(&json!({"bsdusr_sshpubkey": KEY}));
    anna.sh("mkdir a; echo one > a/one; chmod 711 .");
    let inode = |path: &str| anna.nas.disk.path(path).metadata().unwrap().ino();
    let (home, file) = (inode(OLD), inode(&format!("{OLD}/a/one")));
    let shown = anna.put(&json!({"bsdusr_home": NEW, "bsdusr_home_transfer": "move"}));
    anna.done("move", 0);
    assert_eq!((inode(NEW), inode(&format!("{NEW}/a/one"))), (home, file));
    assert!(!anna.is_there(OLD));
    assert_eq!(shown["bsdusr_sshpubkey"], format!("{KEY}\n"));
    assert_eq!(anna.nas.disk.owner_and_mode(NEW), (3001, 3001, 0o711));
    // Keys, mode, uid and group at the same time.
    let group = anna.nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
    let shown = anna.put(&json!({
        "bsdusr_home": OLD, "bsdusr_home_transfer": "move", "bsdusr_mode": "750", "bsdusr_sshpubkey": "",
        "bsdusr_uid": 4001, "bsdusr_group": group["id"],
    }));
    anna.done("owner", 0);
    assert_eq!((inode(OLD), &shown["bsdusr_sshpubkey"]), (home, &json!("")));
    assert_eq!(anna.nas.disk.owner_and_mode(OLD), (4001, 4200, 0o750));
    assert_eq!(anna.nas.disk.owner_and_mode(&format!("{OLD}/a/one")), (4001, 4200, 0o644));
    assert!(!anna.is_there(NEW) && !anna.is_there(&format!("{OLD}/.ssh/authorized_keys")));
}

#[test]
fn a_home_that_holds_anothers_is_not_moved() {
    let anna = Anna::start();
    anna.nas.rest.create_user(&new_user("bob", 3002, "pw"));
    anna.root(&format!(
        "mkdir {OLD}/b; mv /mnt/tank/home/bob {OLD}/b; sed -i 's#/mnt/tank/home/bob#{OLD}/b/bob#' /etc/passwd"
    ));
    let change = json!({"bsdusr_home": NEW, "bsdusr_home_transfer": "move"});
    anna.put_refused(&change, "{\"bsdusr_home\": [\"The home directory of bob lies in it");
    assert!(anna.is_there(&format!("{OLD}/b/bob")) && !anna.is_there("/mnt/tank/new"));
}

#[test]
fn what_is_not_all_of_the_users_is_copied_and_stays() {
    let anna = Anna::start();
    anna.sh("echo mine > mine; mkdir mounted");
    anna.root(&format!("mount -t tmpfs tmpfs {OLD}/mounted; echo r > {OLD}/roots"));
    anna.put(&json!({"bsdusr_home": NEW, "bsdusr_home_transfer": "move"}));
    anna.done("move", 2);
    assert!(anna.is_there(&format!("{OLD}/mine")) && anna.is_there(&format!("{OLD}/roots")));
    assert_eq!(anna.root(&format!("ls {NEW}")).trim(), "mine");
}

#[test]
fn a_move_to_another_file_system_is_a_copy_first() {
    let anna = Anna::start();
    anna.sh("mkdir a; echo one > a/one");
    anna.root("mkdir /mnt/tank/other; mount -t tmpfs -o mode=755 tmpfs /mnt/tank/other");
    anna.put(&json!({"bsdusr_home": "/mnt/tank/other/anna", "bsdusr_home_transfer": "move"}));
    anna.done("move", 0);
    assert_eq!(anna.root("cat /mnt/tank/other/anna/a/one").trim(), "one");
    assert_eq!(anna.root("ls /mnt/tank/home").trim(), "", "the old home is gone");
}
