//! Nothing that is half made is shown or left over.

use std::fs;

use serde_json::json;

use super::{Stage, succeeds};
use crate::world::wait_for;

fn left(stage: &Stage) -> Vec<String> {
    let entries = fs::read_dir(stage.disk("")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with(".accountd"));
    names.sort_unstable();
    names
}

#[test]
fn an_agent_that_is_killed_while_it_makes_repositories_leaves_them_whole_or_not_at_all() {
    let stage = Stage::start();
    let path = stage.disk("");
    for round in 0..6 {
        stage.nas.world.hold("agent");
        let before = stage.nas.world.process("agent");
        std::thread::scope(|scope| {
            let rest = &stage.nas.rest;
            let creators: Vec<_> = (0..4)
                .map(|number| {
                    scope.spawn(move || {
                        for more in 0..20 {
                            let body =
                                json!({"name": format!("k{round}/n{number}/{more}"), "kind": "git", "owner": "anna"});
                            if rest.post("/repositories", &body.to_string()).status != 201 {
                                return;
                            }
                        }
                    })
                })
                .collect();
            wait_for("a repository that is begun", || path.join(format!("k{round}")).exists());
            stage.nas.world.kill("agent");
            creators.into_iter().for_each(|creator| creator.join().unwrap());
        });
        assert_eq!(stage.nas.world.process("agent"), before);
        stage.nas.world.release("agent");
    }
    let listed = stage.nas.rest.get("/repositories").object(200);
    let listed: Vec<String> =
        listed["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    for name in &listed {
        let head = fs::read_to_string(stage.disk(name).join("HEAD")).unwrap();
        assert_eq!(head, "ref: refs/heads/main\n");
    }
    let mut found = Vec::new();
    for name in left(&stage) {
        let output = succeeds(
            &std::process::Command::new("find").arg(stage.disk(&name)).args(["-name", "HEAD"]).output().unwrap(),
        );
        found.extend(output.lines().map(|line| line.trim_end_matches("/HEAD").to_owned()));
    }
    let expected: Vec<String> = listed.iter().map(|name| stage.disk(name).display().to_string()).collect();
    found.sort_unstable();
    let mut expected = expected;
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(fs::read_dir(stage.disk(".accountd-new")).unwrap().count(), 0);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let stage = Stage::start();
    let mount = "mkdir -p /mnt/tank/repositories && mount -t tmpfs -o size=64k,nr_inodes=40,mode=755 none \
                 /mnt/tank/repositories";
    let agent = stage.nas.world.process("agent").to_string();
    let inside = |script: &str| stage.nas.world.exec(&["nsenter", "-t", &agent, "-m", "sh", "-c", script]);
    succeeds(&inside(mount));
    let mut made = 0;
    let refused = loop {
        let body = json!({"name": format!("r{made}"), "kind": "git", "owner": "anna"});
        let answer = stage.nas.rest.post("/repositories", &body.to_string());
        if answer.status != 201 {
            break answer;
        }
        made += 1;
    };
    assert!(made > 0);
    assert_eq!(refused.object(507)["type"], "no-space");
    assert_eq!(stage.nas.rest.get("/repositories").object(200)["total"], made);
    let names = succeeds(&inside("ls -A /mnt/tank/repositories; ls -A /mnt/tank/repositories/.accountd-new"));
    assert_eq!(names.lines().filter(|name| name.starts_with('r')).count(), made as usize, "{names}");
    // What goes makes room.
    stage.nas.rest.delete("/repositories/r0").status_is(204);
    wait_for("the room of a repository that is gone", || {
        let body = json!({"name": "again", "kind": "git", "owner": "anna"}).to_string();
        stage.nas.rest.post("/repositories", &body).status == 201
    });
}

#[test]
fn a_repository_that_is_deleted_is_gone_at_once_and_its_content_soon() {
    let stage = Stage::start();
    stage.create("a/r", "git", &json!({}));
    let first = stage.nas.rest.get("/repositories/a%2Fr").object(200)["id"].as_u64().unwrap();
    stage.clone_and_push("anna", "a/r", "one");
    stage.nas.rest.delete(&format!("/repositories/{first}")).status_is(204);
    assert!(!stage.disk("a").exists() && !stage.can_read("anna", "a/r"));
    stage.nas.rest.get("/repositories/a%2Fr").status_is(404);
    let trash = stage.disk(".accountd-trash");
    wait_for("the trash to be emptied", || fs::read_dir(&trash).unwrap().count() == 0);
    let again = stage.create("a/r", "git", &json!({}));
    assert!(again["id"].as_u64().unwrap() > first, "an id is given once");
    let audit = stage.nas.rest.get("/audit?target=a/r").object(200);
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create_repository", "delete_repository", "create_repository"]);
}

#[test]
fn repositories_and_who_may_what_are_there_after_a_restart() {
    let mut stage = Stage::start();
    stage.create("r", "git", &json!({"description": "for all", "clone_uri": "https://u:hunter2@h.invalid/x"}));
    stage.grant("r", &json!({"user": "berta"}), "admin");
    let before = stage.nas.rest.get("/repositories/r").object(200);
    assert_eq!(before["clone_uri"], "https://***@h.invalid/x");
    stage.nas.world.restart();
    let nas = crate::v2::Nas {
        rest: crate::rest::Rest::v2(&stage.nas.world.api(), "root", crate::world::PASSWORD),
        ..stage.nas
    };
    let stage = Stage { nas };
    assert_eq!(stage.nas.rest.get("/repositories/r").object(200), before);
    assert_eq!(stage.grants("r"), ["user berta admin", "others none"]);
    assert!(!stage.nas.world.log().contains("hunter2"));
    let audit = stage.nas.rest.get("/audit?target=r").body;
    assert!(audit.contains("grant_repository") && !audit.contains("hunter2"), "{audit}");
}
