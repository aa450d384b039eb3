//! Another uid or primary group: the home follows.

use serde_json::json;

use super::{Anna, NEW, OLD};
use crate::freenas::new_user;

#[test]
fn after_a_change_of_the_uid_the_home_is_the_users_still() {
    let anna = Anna::start();
    anna.sh("mkdir -m 700 a; echo one > a/one; ln -s a link; echo l > linked");
    anna.root(&format!(
        "cd {OLD}; echo r > roots; echo g > a/grouped; chown 3001:50 a/grouped; ln linked /mnt/tank/linked"
    ));
    anna.put(&json!({"bsdusr_uid": 4001}));
    anna.done("owner", 2);
    let owner = |path: &str| anna.nas.disk.owner_and_mode(&format!("{OLD}/{path}")).0;
    let owners = ["", "a", "a/one", "link", "linked", "roots"].map(owner);
    assert_eq!(owners, [4001, 4001, 4001, 4001, 3001, 0]);
    assert_eq!(anna.nas.disk.owner_and_mode(&format!("{OLD}/a/grouped")), (4001, 50, 0o644));
    anna.nas.world.with_password("anna", "pw").sftp("get a/one /dev/null\nmkdir fresh\n");
    // With another home at the same time.
    anna.put(&json!({"bsdusr_uid": 4002, "bsdusr_home": NEW}));
    anna.transferred();
    assert_eq!(anna.nas.disk.owner_and_mode(&format!("{NEW}/a/one")), (4002, 3001, 0o644));
    assert_eq!(owner("a/one"), 4002);
}

#[test]
fn the_primary_group_goes_where_it_was() {
    let anna = Anna::start();
    let group = anna.nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
    anna.sh("echo one > one");
    anna.root(&format!("cd {OLD}; echo g > grouped; chown 3001:50 grouped"));
    anna.put(&json!({"bsdusr_group": group["id"]}));
    anna.done("owner", 0);
    let ids = |path: &str| anna.nas.disk.owner_and_mode(&format!("{OLD}/{path}"));
    assert_eq!((ids("one").1, ids("grouped").1, ids("").1), (4200, 50, 4200));
}

#[test]
fn the_home_of_another_account_inside_is_not_entered() {
    let anna = Anna::start();
    anna.nas.rest.create_user(&new_user("twin", 3001, "pw"));
    anna.root(&format!(
        "mkdir {OLD}/in; mv /mnt/tank/home/twin {OLD}/in; sed -i 's#/mnt/tank/home/twin#{OLD}/in/twin#' /etc/passwd"
    ));
    anna.root(&format!("chown 3001:3001 {OLD}/in; echo t > {OLD}/in/twin/file; chown 3001 {OLD}/in/twin/file"));
    anna.put(&json!({"bsdusr_uid": 4001}));
    anna.done("owner", 1);
    let owner = |path: &str| anna.nas.disk.owner_and_mode(&format!("{OLD}/{path}")).0;
    assert_eq!(["in", "in/twin", "in/twin/file"].map(owner), [4001, 3001, 3001]);
}
