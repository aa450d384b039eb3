//! Who may do what, and that it takes effect at once.

use serde_json::json;

use super::{Stage, said, succeeds};
use crate::v2::problem;

#[test]
fn who_may_read_does_not_push_who_may_write_does_and_what_is_taken_away_is_gone_at_once() {
    let stage = Stage::start();
    stage.create("r", "git", &json!({}));
    stage.clone_and_push("anna", "r", "one");
    assert!(!stage.can_read("berta", "r"));
    stage.grant("r", &json!({"user": "berta"}), "read");
    let clone = stage.clone("berta", "r", "bertas");
    stage.commit("berta", &clone, "two");
    let refused = stage.push("berta", &clone);
    assert!(!refused.status.success(), "{}", said(&refused));
    stage.grant("r", &json!({"user": "berta"}), "write");
    succeeds(&stage.push("berta", &clone));
    stage.grant("r", &json!({"user": "berta"}), "read");
    stage.commit("berta", &clone, "three");
    assert!(!stage.push("berta", &clone).status.success());
    // Not by the files that were berta's either.
    let write = ["runuser", "-u", "berta", "--", "sh", "-c", "echo x > /mnt/tank/repositories/r/refs/heads/main"];
    assert!(!stage.nas.world.exec(&write).status.success());
    assert!(stage.can_read("berta", "r"));
    stage.grant("r", &json!({"user": "berta"}), "none");
    assert!(!stage.can_read("berta", "r"));
    assert!(stage.can_read("anna", "r"));
}

#[test]
fn a_groups_permission_follows_the_file_of_groups() {
    let stage = Stage::start();
    stage.nas.post("/groups", &json!({"groupname": "devs"}));
    stage.create("r", "git", &json!({}));
    stage.clone_and_push("anna", "r", "one");
    stage.grant("r", &json!({"group": "devs"}), "write");
    assert!(!stage.can_read("berta", "r"));
    let group = stage.nas.disk.path("/etc/group");
    let before = std::fs::read_to_string(&group).unwrap();
    let with = before.lines().map(|line| if line.starts_with("devs:") { format!("{line}berta") } else { line.into() });
    std::fs::write(&group, with.map(|line: String| line + "\n").collect::<String>()).unwrap();
    crate::world::wait_for("the group that was changed by hand", || stage.can_read("berta", "r"));
    stage.clone_and_push("berta", "r", "two");
    std::fs::write(&group, before).unwrap();
    crate::world::wait_for("the group that was changed back", || !stage.can_read("berta", "r"));
}

#[test]
fn a_public_repository_is_read_by_everybody_and_written_by_nobody_else() {
    let stage = Stage::start();
    stage.create("r", "git", &json!({"private": false}));
    stage.clone_and_push("anna", "r", "one");
    let clone = stage.clone("carla", "r", "carlas");
    stage.commit("carla", &clone, "two");
    assert!(!stage.push("carla", &clone).status.success());
    assert_eq!(stage.grants("r"), ["others read"]);
    let private = stage.nas.patch("/repositories/r", &json!({"private": true}));
    assert_eq!(private.object(200)["private"], true);
    assert!(!stage.can_read("carla", "r"));
    stage.grant("r", &json!({"others": true}), "read");
    assert_eq!(stage.nas.rest.get("/repositories/r").object(200)["private"], false);
    assert!(stage.clone("carla", "r", "again").join("one").exists());
}

#[test]
fn callers_see_and_change_what_they_may() {
    let stage = Stage::start();
    for (name, private) in [("annas", true), ("bertas", true), ("public", false)] {
        let owner = if name == "bertas" { "berta" } else { "anna" };
        stage.create(name, "git", &json!({"owner": owner, "private": private}));
    }
    let as_anna = stage.nas.rest.as_user("anna", "pw");
    let names = |rest: &crate::rest::Rest| -> Vec<String> {
        let listed = rest.get("/repositories").object(200);
        listed["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&stage.nas.rest), ["annas", "bertas", "public"]);
    assert_eq!(names(&as_anna), ["annas", "public"]);
    as_anna.get("/repositories/bertas").status_is(404);
    let new = json!({"name": "x", "kind": "git"}).to_string();
    as_anna.post("/repositories", &new).status_is(403);
    let as_berta = stage.nas.rest.as_user("berta", "pw");
    let admin = json!({"user": "berta", "access": "admin"}).to_string();
    as_berta.post("/repositories/public/grants", &admin).status_is(403);
    as_anna.post("/repositories/public/grants", &admin).status_is(200);
    assert_eq!(stage.grants("public"), ["user berta admin", "others read"]);
    let carla = json!({"user": "carla", "access": "write"}).to_string();
    as_berta.post("/repositories/public/grants", &carla).status_is(200);
    as_berta.delete("/repositories/public").status_is(204);
    assert_eq!(names(&as_anna), ["annas"]);
}

#[test]
fn users_make_repositories_where_that_is_configured_and_for_themselves_alone() {
    let mut settings = super::SETTINGS.replace("[repositories]\n", "[repositories]\ncreate = \"users\"\n");
    settings.push('\n');
    let stage = Stage { nas: crate::v2::Nas::of(crate::world::World::start_with(&settings)) };
    stage.nas.post("/users", &json!({"username": "anna", "full_name": "A", "password": "pw"}));
    let as_anna = stage.nas.rest.as_user("anna", "pw");
    let made = as_anna.post("/repositories", &json!({"name": "mine", "kind": "hg"}).to_string()).object(201);
    assert_eq!(made["owner"]["username"], "anna");
    let other = json!({"name": "x", "kind": "git", "owner": "root"}).to_string();
    as_anna.post("/repositories", &other).status_is(403);
}

#[test]
fn what_can_not_be_meant_is_named() {
    let stage = Stage::start();
    stage.create("a/b", "git", &json!({}));
    let refused = |body: serde_json::Value, field: &str, code: &str, status: u16| {
        let answer = stage.nas.rest.post("/repositories", &body.to_string());
        let kind = if status == 409 { "conflict" } else { "invalid-values" };
        problem(&answer, status, kind, &[(field, code)]);
    };
    let new = |name: &str| json!({"name": name, "kind": "git", "owner": "anna"});
    for name in ["../escape", "/etc/x", "a/../c", "we ird/../x", ".hidden", "-x", "a.git", "", "a//b"] {
        let answer = stage.nas.rest.post("/repositories", &new(name).to_string());
        answer.status_is(422);
        assert_eq!(answer.value()["errors"][0]["field"], "name", "{name}");
    }
    refused(new("a/b"), "name", "duplicate", 409);
    refused(new("a/b/c"), "name", "nested", 409);
    refused(new("a"), "name", "nested", 409);
    let with = |field: &str, value: &str| {
        let mut body = new("ok");
        body[field] = value.into();
        body
    };
    refused(with("owner", "nobody-there"), "owner", "no_such", 422);
    refused(with("kind", "svn"), "kind", "no_such", 422);
    for uri in ["file:///etc", "/srv/x", "ext::sh -c id", "-u", "ftp://h/x"] {
        refused(with("clone_uri", uri), "clone_uri", "bad_scheme", 422);
    }
    let answer = stage.nas.rest.post("/repositories/a%2Fb/grants", r#"{"user": "anna", "access": "read"}"#);
    problem(&answer, 409, "conflict", &[("grantee", "is_owner")]);
    let answer = stage.nas.rest.delete("/users/anna");
    problem(&answer, 409, "conflict", &[("username", "owns_repositories")]);
    assert!(answer.body.contains("a/b"));
    stage.nas.rest.delete("/repositories/a%2Fb").status_is(204);
    assert!(!stage.disk("a").exists(), "an empty directory above it goes too");
    stage.nas.rest.delete("/users/anna").status_is(204);
}
