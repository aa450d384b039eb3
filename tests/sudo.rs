//! `bsdusr_sudo` and `bsdgrp_sudo`: what sudo itself makes of the drop-ins.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::freenas::{Nas, new_user};

const DIRECTORY: &str = "/etc/sudoers.d";

/// What sudo lets a user do as root, asked inside the sandbox.
fn may_do_all(nas: &Nas, user: &str) -> bool {
    let output = nas.world.exec(&["sudo", "-l", "-U", user]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("parse error") && !said.contains("syntax error"), "{said}");
    said.contains("(ALL) ALL")
}

fn drop_ins(nas: &Nas) -> Vec<PathBuf> {
    let listed = fs::read_dir(nas.disk.path(DIRECTORY)).unwrap().map(|entry| entry.unwrap().path());
    listed.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("accountd")).collect()
}

fn put(nas: &Nas, path: &str, change: &Value) -> Value {
    nas.rest.put(path, &change.to_string()).object(200)
}

fn with(request: &str, key: &str, value: Value) -> String {
    let mut request: Value = serde_json::from_str(request).unwrap();
    request[key] = value;
    request.to_string()
}

#[test]
fn a_user_may_use_sudo_from_the_beginning_to_the_end_of_the_grant() {
    let nas = Nas::start();
    let made = nas.rest.post("/account/users/", &with(&new_user("anna", 3001, "pw"), "bsdusr_sudo", json!(true)));
    let made = made.object(201);
    assert_eq!(made["bsdusr_sudo"], true);
    let path = format!("/account/users/{}/", made["id"]);
    let files = drop_ins(&nas);
    assert_eq!(files.len(), 1);
    let status = fs::metadata(&files[0]).unwrap();
    assert_eq!((status.permissions().mode() & 0o7777, status.uid(), status.gid()), (0o440, 0, 0));
    assert!(!files[0].file_name().unwrap().to_str().unwrap().contains('.'), "sudo would not read it");
    assert!(may_do_all(&nas, "anna"));
    // Whatever else is changed leaves it; what turns it off, removes it.
    assert_eq!(put(&nas, &path, &json!({"bsdusr_full_name": "Other"}))["bsdusr_sudo"], true);
    assert_eq!(put(&nas, &path, &json!({"bsdusr_sudo": false}))["bsdusr_sudo"], false);
    assert!(drop_ins(&nas).is_empty() && !may_do_all(&nas, "anna"));
    assert_eq!(put(&nas, &path, &json!({"bsdusr_sudo": "true"}))["bsdusr_sudo"], true);
    assert!(may_do_all(&nas, "anna"));
    nas.rest.delete(&path).status_is(204);
    assert!(drop_ins(&nas).is_empty());
}

#[test]
fn a_grant_follows_its_account_to_another_name_and_never_stays_for_a_namesake() {
    let nas = Nas::start();
    let made = nas.rest.post("/account/users/", &with(&new_user("anna", 3001, "pw"), "bsdusr_sudo", json!(true)));
    let path = format!("/account/users/{}/", made.object(201)["id"]);
    put(&nas, &path, &json!({"bsdusr_username": "berta"}));
    nas.rest.create_user(&with(&new_user("anna", 3002, "pw"), "bsdusr_home", json!("/nonexistent")));
    assert!(may_do_all(&nas, "berta") && !may_do_all(&nas, "anna"));
    // Others rename: the grant goes along with what somebody has narrowed it to.
    let file = drop_ins(&nas).remove(0);
    let narrowed = fs::read_to_string(&file).unwrap().replace("ALL=(ALL) ALL", "ALL=(root) /bin/ls");
    fs::write(&file, narrowed).unwrap();
    nas.world.run(&["usermod", "-l", "carla", "berta"]);
    assert_eq!(nas.rest.get(&path).object(200)["bsdusr_sudo"], true);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"carla\" ALL=(root) /bin/ls\n") && !text.contains("berta"), "{text}");
    // Others delete: nothing is left for the next of that name.
    nas.world.run(&["userdel", "carla"]);
    nas.rest.get(&path).status_is(404);
    assert!(drop_ins(&nas).is_empty());
}

#[test]
fn a_group_may_use_sudo_also_a_builtin_one() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let made = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4000, "bsdgrp_group": "ops", "bsdgrp_sudo": true}"#);
    let path = format!("/account/groups/{}/", made.object(201)["id"]);
    nas.world.run(&["gpasswd", "-a", "anna", "ops"]);
    assert!(may_do_all(&nas, "anna"));
    put(&nas, &path, &json!({"bsdgrp_group": "OPS2"}));
    assert!(may_do_all(&nas, "anna"));
    nas.rest.delete(&path).status_is(204);
    assert!(!may_do_all(&nas, "anna") && drop_ins(&nas).is_empty());
    let groups = nas.rest.get("/account/groups/?limit=0").object(200);
    let wheel = groups.as_array().unwrap().iter().find(|group| group["bsdgrp_group"] == "wheel").unwrap();
    let path = format!("/account/groups/{}/", wheel["id"]);
    assert_eq!(put(&nas, &path, &json!({"bsdgrp_sudo": true}))["bsdgrp_sudo"], true);
    nas.world.run(&["gpasswd", "-a", "anna", "wheel"]);
    assert!(may_do_all(&nas, "anna"));
    let sorted = nas.rest.get("/account/groups/?sort(-bsdgrp_sudo)&limit=1").object(200);
    assert_eq!(sorted[0]["bsdgrp_group"], "wheel");
}

#[test]
fn what_an_administrator_does_to_the_directory_counts() {
    let nas = Nas::start();
    let made = nas.rest.post("/account/users/", &with(&new_user("anna", 3001, "pw"), "bsdusr_sudo", json!(true)));
    let path = format!("/account/users/{}/", made.object(201)["id"]);
    fs::remove_file(drop_ins(&nas).remove(0)).unwrap();
    assert_eq!(nas.rest.get(&path).object(200)["bsdusr_sudo"], false);
    // A file of ours for an account that there is not, or for another one, is nobody's.
    let directory = nas.disk.path(DIRECTORY);
    fs::write(directory.join("accountd-user-4711"), "\"root\" ALL=(ALL) NOPASSWD: ALL\n").unwrap();
    let id = path.split('/').nth(3).unwrap();
    fs::write(directory.join(format!("accountd-user-{id}")), "\"somebody\" ALL=(ALL) ALL\n").unwrap();
    fs::write(directory.join("by-hand"), "anna ALL=(ALL) ALL\n").unwrap();
    assert_eq!(nas.rest.get(&path).object(200)["bsdusr_sudo"], false);
    assert!(drop_ins(&nas).is_empty() && directory.join("by-hand").exists());
}

#[test]
fn what_sudo_would_not_read_is_refused_and_changes_nothing() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    let sudoers = nas.disk.text("/etc/sudoers");
    fs::write(nas.disk.path("/etc/sudoers"), "root ALL=(ALL) ALL\n").unwrap();
    let refused = nas.rest.put(&path, r#"{"bsdusr_sudo": true, "bsdusr_full_name": "Other"}"#).object(409);
    assert!(refused["bsdusr_sudo"][0].as_str().unwrap().contains("sudoers"), "{refused}");
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "Some One");
    fs::write(nas.disk.path("/etc/sudoers"), sudoers).unwrap();
    // A name that others have made, and that can't be written into sudoers.
    nas.world.run(&["useradd", "--badname", "-M", "#0"]);
    let users = nas.rest.get("/account/users/?limit=0").object(200);
    let odd = users.as_array().unwrap().iter().find(|user| user["bsdusr_username"] == "#0");
    if let Some(odd) = odd {
        let refused = nas.rest.put(&format!("/account/users/{}/", odd["id"]), r#"{"bsdusr_sudo": true}"#).object(409);
        assert_eq!(refused["bsdusr_sudo"][0], "This name cannot be given sudo rights.");
    }
    assert!(drop_ins(&nas).is_empty());
    assert!(!may_do_all(&nas, "anna"));
}
