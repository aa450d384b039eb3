//! What is on disk is what counts, whoever has written it.

use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::{Stage, succeeds};
use crate::world::wait_for;

#[test]
fn what_rest_gives_getfacl_shows_and_what_setfacl_gives_rest_shows() {
    let stage = Stage::start();
    stage.nas.post("/groups", &json!({"groupname": "devs"}));
    stage.create("r", "git", &json!({}));
    stage.grant("r", &json!({"user": "berta"}), "write");
    stage.grant("r", &json!({"group": "devs"}), "read");
    for (path, berta, devs) in [("r", "rwx", "r-x"), ("r/objects/pack", "rwx", "r-x"), ("r/HEAD", "rw-", "r--")] {
        let acl = stage.acl(path);
        let lines: Vec<&str> = acl.lines().collect();
        assert!(lines.contains(&&*format!("user:berta:{berta}")), "{path}: {acl}");
        assert!(lines.contains(&&*format!("group:devs:{devs}")), "{path}: {acl}");
        assert!(lines.contains(&"group::---") && lines.contains(&"other::---"), "{path}: {acl}");
    }
    assert!(stage.acl("r/refs").contains("default:user:berta:rwx"));
    assert!(!stage.acl("r/config").contains("berta"), "settings are root's");
    let setfacl = |entry: &str| {
        stage.nas.world.run(&["setfacl", "-R", "-m", entry, "/mnt/tank/repositories/r"]);
        stage.nas.world.run(&["setfacl", "-R", "-d", "-m", entry, "/mnt/tank/repositories/r"]);
    };
    setfacl("u:berta:rX");
    setfacl("u:carla:rwX");
    setfacl("o::rX");
    assert_eq!(stage.grants("r"), ["user berta read", "user carla write", "group devs read", "others read"]);
    stage.clone_and_push("carla", "r", "one");
    // Admin takes both: that it was given here, and that the list gives write.
    stage.grant("r", &json!({"user": "berta"}), "admin");
    setfacl("u:berta:rX");
    assert_eq!(stage.grants("r")[0], "user berta read");
    stage.nas.world.run(&["setfacl", "-R", "-x", "u:carla", "/mnt/tank/repositories/r"]);
    assert!(!stage.grants("r").iter().any(|grant| grant.contains("carla")));
}

#[test]
fn files_and_entries_follow_accounts() {
    let stage = Stage::start();
    stage.create("r", "git", &json!({}));
    stage.grant("r", &json!({"user": "berta"}), "write");
    stage.grant("r", &json!({"user": "carla"}), "read");
    stage.clone_and_push("anna", "r", "one");
    stage.nas.patch("/users/anna", &json!({"uid": 4711})).status_is(200);
    let owner = |path: &str| std::fs::metadata(stage.disk(path)).map(|status| status.uid()).unwrap();
    wait_for("the files of an owner whose uid has changed", || owner("r") == 4711);
    assert_eq!(owner("r/objects"), 4711);
    assert_eq!(owner("r/config"), 0);
    stage.clone_and_push("anna", "r", "two");
    stage.clone_and_push("berta", "r", "three");
    stage.nas.patch("/users/berta", &json!({"uid": 4712})).status_is(200);
    wait_for("the entry of a user whose uid has changed", || stage.acl("r/objects").contains("user:berta:rwx"));
    assert_eq!(stage.nas.rest.get("/repositories/r").object(200)["owner"]["username"], "anna");
    stage.nas.patch("/users/anna", &json!({"username": "annette"})).status_is(200);
    assert_eq!(stage.nas.rest.get("/repositories/r").object(200)["owner"]["username"], "annette");
    // Whoever gets the number of somebody who is gone gets nothing by it.
    let uid = stage.nas.rest.get("/users/carla").object(200)["uid"].as_u64().unwrap();
    stage.nas.rest.delete("/users/carla").status_is(204);
    wait_for("the entry of a user who is gone", || !stage.acl("r").contains(&uid.to_string()));
}

#[test]
fn an_owner_whom_another_program_has_removed_is_none() {
    let stage = Stage::start();
    stage.create("r", "git", &json!({"private": false}));
    stage.nas.world.run(&["userdel", "anna"]);
    wait_for("a repository without an owner", || {
        stage.nas.rest.get("/repositories/r").object(200)["owner"]["id"].is_null()
    });
    assert!(stage.can_read("berta", "r"));
    stage.nas.rest.delete("/repositories/r").status_is(204);
}

#[test]
fn a_file_system_without_lists_is_refused_and_nothing_is_left() {
    let stage = Stage::start();
    let inside = "mkdir -p /mnt/tank/repositories && mount -t ramfs none /mnt/tank/repositories && chmod 755 \
                  /mnt/tank/repositories";
    succeeds(&stage.nas.world.exec(&[
        "nsenter",
        "-t",
        &stage.nas.world.process("agent").to_string(),
        "-m",
        "sh",
        "-c",
        inside,
    ]));
    let answer = stage.nas.rest.post("/repositories", r#"{"name": "r", "kind": "git", "owner": "anna"}"#);
    assert_eq!(answer.object(503)["type"], "no-repositories");
    assert!(answer.body.contains("access control lists"), "{}", answer.body);
    assert_eq!(stage.nas.rest.get("/repositories").object(200)["total"], 0);
}
