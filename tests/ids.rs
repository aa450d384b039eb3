//! Which names and numbers an account gets, and which it can't have.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::freenas::{Nas, new_user};
use crate::rest::Answer;
use crate::world::{World, wait_for};

/// As in production, where the sandbox's own configuration is wider.
const STRICT: &str = "[accounts]\nshared_uid = \"refused\"\n";

/// What the second source has.
const EXTRA_PASSWD: &str = "elsewhere:x:7000:7100::/nonexistent:/bin/sh\n";
const EXTRA_GROUP: &str = "others:x:7100:\nfirst:x:3000:\nsecond:x:3001:\nthird:x:3003:\n";

fn new_group(name: &str, gid: u32) -> String {
    json!({"bsdgrp_group": name, "bsdgrp_gid": gid}).to_string()
}

/// The gid that is chosen for the private group of a new user whose uid is a group's gid already.
#[track_caller]
fn chosen_gid(nas: &Nas, uid: u32) -> u32 {
    nas.rest.post("/account/groups/", &new_group(&format!("g{uid}"), uid)).object(201);
    nas.rest.create_user(&new_user(&format!("u{uid}"), uid, "pw"));
    nas.disk.field("/etc/group", &format!("u{uid}"), 2).parse().unwrap()
}

/// Has libnss-extrausers answer after the files.
fn add_source(nas: &Nas, passwd: &str, group: &str) {
    let directory = nas.disk.path("/var/lib/extrausers");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("passwd"), passwd).unwrap();
    fs::write(directory.join("group"), group).unwrap();
    switch(nas, "files [NOTFOUND=continue] extrausers");
}

fn switch(nas: &Nas, sources: &str) {
    fs::write(nas.disk.path("/etc/nsswitch.conf"), format!("passwd: {sources}\ngroup: {sources}\n")).unwrap();
}

fn with_source() -> Nas {
    let nas = Nas::of(World::start_with(STRICT));
    add_source(&nas, EXTRA_PASSWD, EXTRA_GROUP);
    nas
}

#[test]
fn a_private_group_gets_another_gid_where_a_group_has_the_uid() {
    let nas = Nas::start();
    assert_eq!(chosen_gid(&nas, 6000), 3000);
    assert_eq!(nas.disk.field("/etc/passwd", "u6000", 3), "3000");
    assert_eq!(chosen_gid(&nas, 6001), 3001);
}

#[test]
fn nobody_and_nothing_are_not_chosen_from_a_range_across_them() {
    let nas = Nas::of(World::start_with("[ids]\ngroups = { first = 65533, last = 65537 }\n"));
    let chosen: Vec<u32> = (6000..6003).map(|uid| chosen_gid(&nas, uid)).collect();
    assert_eq!(chosen, [65_533, 65_536, 65_537]);
    nas.rest.post("/account/groups/", &new_group("g6003", 6003)).object(201);
    nas.rest
        .post("/account/users/", &new_user("u6003", 6003, "pw"))
        .is(409, r#"{"bsdusr_group": ["No number is free for this."]}"#);
}

#[test]
fn a_number_that_a_user_could_become_in_a_namespace_is_refused() {
    let nas = Nas::start();
    fs::write(nas.disk.path("/etc/subuid"), "anna:100000:65536\n").unwrap();
    fs::write(nas.disk.path("/etc/subgid"), "anna:200000:65536\n").unwrap();
    let said = "This is in the subordinate range of \\\"anna\\\", who could become it, and cannot be used.";
    let is_said = |answer: Answer, field: &str| answer.is(409, &format!("{{\"{field}\": [\"{said}\"]}}"));
    is_said(nas.rest.post("/account/users/", &new_user("berta", 100_000, "pw")), "bsdusr_uid");
    is_said(nas.rest.post("/account/groups/", &new_group("team", 265_535)), "bsdgrp_gid");
    let id = nas.rest.create_user(&new_user("carla", 200_000, "pw"));
    assert_eq!(nas.disk.field("/etc/group", "carla", 2), "3000");
    is_said(nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_uid": 165535}"#), "bsdusr_uid");
    fs::write(nas.disk.path("/etc/subuid"), "").unwrap();
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_uid": 165535}"#).object(200);
}

#[test]
fn a_number_whose_account_is_gone_is_not_chosen_again_whoever_deleted_it() {
    let nas = Nas::start();
    nas.rest.post("/account/groups/", &new_group("g6000", 6000)).object(201);
    let id = nas.rest.create_user(&new_user("u6000", 6000, "pw"));
    nas.rest.delete(&format!("/account/users/{id}/")).is(204, "");
    assert_eq!(nas.disk.line("/etc/group", "u6000"), None);
    assert_eq!(chosen_gid(&nas, 6001), 3001);
    nas.world.run(&["userdel", "u6001"]);
    assert_eq!(nas.disk.line("/etc/group", "u6001"), None);
    assert_eq!(chosen_gid(&nas, 6002), 3002);
    // Whoever names it gets it.
    nas.rest.post("/account/groups/", &new_group("asked", 3001)).object(201);
    assert!(nas.world.log().contains("the gid of a group that is gone"));
}

#[test]
fn clients_at_the_same_time_get_a_number_each() {
    let nas = Nas::start();
    let gids: Vec<u32> = std::thread::scope(|scope| {
        let clients: Vec<_> = (6000..6016).map(|uid| (uid, &nas)).collect();
        let threads: Vec<_> = clients.into_iter().map(|(uid, nas)| scope.spawn(move || chosen_gid(nas, uid))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = gids.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (3000..3016).collect::<Vec<u32>>());
}

#[test]
fn whoever_is_in_another_source_is_unknown_to_no_check() {
    let nas = with_source();
    let append = |file: &str, line: &str| {
        let text = fs::read_to_string(nas.disk.path(file)).unwrap();
        fs::write(nas.disk.path(file), format!("{text}{line}\n")).unwrap();
    };
    append("/etc/group", "crew:x:6000:elsewhere,nobody-here");
    append("/etc/passwd", "carla:x:6001:7100::/nonexistent:/usr/sbin/nologin");
    let about = |what: &str| {
        let findings = crate::checks::check(&nas).findings;
        findings.iter().filter(|finding| format!("{finding:?}").contains(what)).count()
    };
    assert_eq!((about("nobody-here"), about("elsewhere"), about("7100")), (1, 0, 0));
    switch(&nas, "files");
    assert_eq!((about("elsewhere"), about("7100")), (1, 1));
}

#[test]
fn what_another_source_has_is_taken() {
    let nas = with_source();
    let id = nas.rest.create_user(&new_user("anna", 5001, "pw"));
    let group = nas.rest.post("/account/groups/", &new_group("team", 5002)).object(201);
    let (user, group) = (format!("/account/users/{id}/"), format!("/account/groups/{}/", group["id"]));
    let before = nas.disk.everything("/etc");
    let refused = |method: &str, path: &str, body: Value, said: &str| {
        nas.rest.json(method, path, &body.to_string()).is(409, said);
        assert!(nas.disk.everything("/etc") == before, "{method} {path} {body} changed something");
    };
    let new: Value = serde_json::from_str(&new_user("berta", 5003, "pw")).unwrap();
    let with = |field: &str, value: Value| {
        let mut form = new.clone();
        form[field] = value;
        form
    };
    let name = r#"{"bsdusr_username": ["The username \"elsewhere\" already exists."]}"#;
    let uid = r#"{"bsdusr_uid": ["The User ID \"7000\" already exists."]}"#;
    let group_name = r#"{"bsdgrp_group": ["A Group with the name \"others\" already exists."]}"#;
    let gid = r#"{"bsdgrp_gid": ["The Group ID \"7100\" already exists."]}"#;
    refused("POST", "/account/users/", with("bsdusr_username", json!("elsewhere")), name);
    refused("POST", "/account/users/", with("bsdusr_uid", json!(7000)), uid);
    let private = r#"{"bsdusr_group": ["A Group with the name \"others\" already exists."]}"#;
    refused("POST", "/account/users/", with("bsdusr_username", json!("others")), private);
    refused("PUT", &user, json!({"bsdusr_username": "elsewhere"}), name);
    refused("PUT", &user, json!({"bsdusr_uid": 7000}), uid);
    refused("POST", "/account/groups/", json!({"bsdgrp_group": "others", "bsdgrp_gid": 5004}), group_name);
    refused("POST", "/account/groups/", json!({"bsdgrp_group": "new", "bsdgrp_gid": 7100}), gid);
    refused("PUT", &group, json!({"bsdgrp_group": "others"}), group_name);
    refused("PUT", &group, json!({"bsdgrp_gid": 7100}), gid);
    nas.rest.put(&user, r#"{"bsdusr_full_name": "Still Anna", "bsdusr_username": "anna"}"#).object(200);
    nas.rest.post("/account/groups/", r#"{"bsdgrp_group": "new", "bsdgrp_gid": 7100, "allow": true}"#).object(201);
}

#[test]
fn the_numbers_of_another_source_are_not_chosen() {
    let nas = with_source();
    assert_eq!(chosen_gid(&nas, 6000), 3002);
    assert_eq!(chosen_gid(&nas, 6001), 3004);
    nas.rest.create_user(&new_user("anna", 7100, "pw"));
    assert_eq!(nas.disk.field("/etc/group", "anna", 2), "3005", "7100 is the gid of another source's group");
    // A thousand in a row are passed too.
    let many: String = (3006..4006).map(|gid| format!("many{gid}:x:{gid}:\n")).collect();
    add_source(&nas, EXTRA_PASSWD, &format!("{EXTRA_GROUP}{many}"));
    assert_eq!(chosen_gid(&nas, 6002), 4006);
}

#[test]
fn a_source_that_is_not_there_has_nothing() {
    let nas = Nas::of(World::start_with(STRICT));
    switch(&nas, "files extrausers nosuchsource");
    nas.rest.create_user(&new_user("anna", 7000, "pw"));
    assert!(nas.world.log().contains("nosuchsource is not installed"));
}

#[test]
fn a_source_that_hangs_is_waited_for_a_while_and_nothing_is_changed() {
    let nas = with_source();
    let id = nas.rest.create_user(&new_user("anna", 5001, "pw"));
    let passwd = nas.disk.path("/var/lib/extrausers/passwd");
    fs::remove_file(&passwd).unwrap();
    assert!(Command::new("mkfifo").args(["-m", "644"]).arg(&passwd).status().unwrap().success());
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    let begun = Instant::now();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let create = |uid: u32| nas.rest.post("/account/users/", &new_user(&format!("u{uid}"), uid, "pw"));
        let threads: Vec<_> = (6000..6004).map(|uid| scope.spawn(move || create(uid))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in answers {
        answer.is(503, r#"{"error_message": "The account database is busy. Please try again later."}"#);
        assert!(answer.header("retry-after").is_some());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before, "something was changed");
    assert!(nas.world.log().contains("the NSS source extrausers gives no answer"));
    // What needs no look-up is done meanwhile.
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_full_name": "Anna"}"#).object(200);
    wait_for("the end of the helper that hung", || helpers(&nas).is_empty());
    fs::remove_file(&passwd).unwrap();
    fs::write(&passwd, EXTRA_PASSWD).unwrap();
    nas.rest.create_user(&new_user("u6000", 6000, "pw"));
}

#[test]
fn a_source_that_fails_may_have_what_was_asked_for() {
    let nas = with_source();
    let passwd = nas.disk.path("/var/lib/extrausers/passwd");
    fs::set_permissions(&passwd, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(nas.rest.post("/account/users/", &new_user("anna", 5001, "pw")).status, 503);
    assert!(nas.world.log().contains("the NSS source extrausers gives no answer: Permission denied"));
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), None);
}

#[test]
fn names_are_looked_up_by_one_process_that_is_nobody_and_is_started_again() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 5001, "pw"));
    assert!(helpers(&nas).is_empty(), "the files alone need none");
    add_source(&nas, EXTRA_PASSWD, EXTRA_GROUP);
    nas.rest.create_user(&new_user("berta", 5002, "pw"));
    nas.rest.create_user(&new_user("carla", 5003, "pw"));
    let [helper] = helpers(&nas)[..] else { panic!("{:?}", helpers(&nas)) };
    let status = fs::read_to_string(format!("/proc/{helper}/status")).unwrap();
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
        "Groups:\t \n",
        "CapPrm:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Threads:\t1",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_for("the end of a killed helper", || !is_alive(helper));
    nas.rest.create_user(&new_user("doris", 5004, "pw"));
    assert_ne!(helpers(&nas), [helper]);
    switch(&nas, "files");
    nas.rest.create_user(&new_user("elena", 7000, "pw"));
}

/// The agent's processes that look up names.
fn helpers(nas: &Nas) -> Vec<i32> {
    let agent = nas.world.process("agent").to_string();
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let is_helper = |pid: &i32| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        command.contains("look-up-in") && status.contains(&format!("PPid:\t{agent}\n"))
    };
    children.filter_map(|name| name.parse().ok()).filter(is_helper).collect()
}

fn is_alive(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}
