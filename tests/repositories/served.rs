//! Cloning and pushing over our SSH, by every form that clients write.

use serde_json::json;

use super::{Stage, said, succeeds};

#[test]
fn git_is_cloned_and_pushed_by_accounts_with_a_shell_and_without_one() {
    let stage = Stage::start();
    stage.create("tools/backup", "git", &json!({}));
    stage.grant("tools/backup", &json!({"user": "carla"}), "write");
    let annas = stage.clone_and_push("anna", "tools/backup", "one");
    // By the names that clients make of it.
    for (number, name) in ["tools/backup.git", "tools/backup/", "mnt/tank/repositories/tools/backup"].iter().enumerate()
    {
        let clone = stage.clone("carla", name, &format!("carla-{number}"));
        assert!(clone.join("one").exists(), "{name}");
    }
    stage.clone_and_push("carla", "tools/backup", "two");
    succeeds(&stage.git("anna", &annas, &["pull", "-q", "--ff-only"]));
    assert!(annas.join("two").exists());
    let archive = ["archive", &format!("--remote={}", stage.url("carla", "tools/backup")), "--format=tar", "main"];
    let output = stage.git("carla", &stage.local(""), &archive);
    assert!(succeeds(&output).contains("two"));
    succeeds(&stage.nas.world.exec(&[
        "runuser",
        "-u",
        "anna",
        "--",
        "git",
        "-C",
        "/mnt/tank/repositories/tools/backup",
        "fsck",
        "--strict",
    ]));
}

#[test]
fn hg_is_cloned_and_pushed_by_accounts_with_a_shell_and_without_one() {
    let stage = Stage::start();
    stage.create("tools/mirror", "hg", &json!({}));
    stage.grant("tools/mirror", &json!({"user": "carla"}), "write");
    for (user, file) in [("anna", "one"), ("carla", "two"), ("anna", "three")] {
        let to = stage.local(&format!("hg-{file}"));
        succeeds(&stage.hg(
            user,
            &stage.local(""),
            &["clone", "-q", &stage.url(user, "tools/mirror"), to.to_str().unwrap()],
        ));
        std::fs::write(to.join(file), file).unwrap();
        succeeds(&stage.hg(user, &to, &["commit", "-q", "-A", "-m", file]));
        succeeds(&stage.hg(user, &to, &["push", "-q"]));
    }
    let log = stage.hg("carla", &stage.local("hg-two"), &["incoming", "-q", "--template", "{desc}"]);
    assert_eq!(succeeds(&log), "three");
    let verify = ["runuser", "-u", "anna", "--", "hg", "-R", "/mnt/tank/repositories/tools/mirror", "verify"];
    succeeds(&stage.nas.world.exec(&verify));
}

#[test]
fn two_users_push_in_turn_and_the_owner_collects_garbage() {
    let stage = Stage::start();
    stage.create("shared", "git", &json!({}));
    stage.grant("shared", &json!({"user": "berta"}), "write");
    let annas = stage.clone_and_push("anna", "shared", "first");
    let bertas = stage.clone("berta", "shared", "bertas");
    let collect = || {
        let gc =
            ["runuser", "-u", "anna", "--", "git", "-C", "/mnt/tank/repositories/shared", "gc", "-q", "--prune=now"];
        succeeds(&stage.nas.world.exec(&gc));
    };
    for round in 0..4 {
        for (user, clone) in [("berta", &bertas), ("anna", &annas)] {
            succeeds(&stage.git(user, clone, &["pull", "-q", "--rebase"]));
            stage.commit(user, clone, &format!("{user}-{round}"));
            succeeds(&stage.push(user, clone));
        }
        if round % 2 == 0 {
            collect();
        }
    }
    collect();
    // What is packed by now can be deleted by whoever has not packed it.
    succeeds(&stage.git("berta", &bertas, &["push", "-q", "origin", "HEAD:refs/heads/topic"]));
    collect();
    succeeds(&stage.git("berta", &bertas, &["push", "-q", "origin", ":refs/heads/topic"]));
    assert!(stage.clone("berta", "shared", "again").join("anna-3").exists());
}

#[test]
fn what_is_no_repository_is_as_it_was_before() {
    let stage = Stage::start();
    stage.create("mine", "git", &json!({}));
    for name in ["nothing", "../tank", "mine/objects", "mnt/tank", "tools/../mine/../../x"] {
        for user in ["anna", "carla"] {
            let output = stage.git(user, &stage.local(""), &["ls-remote", &stage.url(user, name)]);
            assert!(!output.status.success(), "{user} {name}: {}", said(&output));
        }
    }
    // A user with a shell has repositories of their own beside these.
    let world = &stage.nas.world;
    succeeds(&world.exec(&["runuser", "-u", "anna", "--", "git", "init", "-q", "--bare", "/mnt/tank/home/anna/own"]));
    assert!(stage.can_read("anna", "mnt/tank/home/anna/own"));
    assert!(!stage.can_read("carla", "mnt/tank/home/anna/own"), "who has no shell does not");
    // One of the other kind is said to be that.
    let output = stage.hg("anna", &stage.local(""), &["identify", &stage.url("anna", "mine")]);
    assert!(said(&output).contains("repository of git"), "{}", said(&output));
}

#[test]
fn services_that_are_named_leave_out_what_is_not() {
    let rule = "[[sessions.rules]]\nusers = [\"carla\"]\nservices = [\"sftp\"]\n\
                [[sessions.rules]]\nusers = [\"anna\"]\nservices = [\"hg\"]\n";
    let stage = Stage::with(rule);
    stage.create("g", "git", &json!({}));
    stage.create("h", "hg", &json!({}));
    stage.grant("g", &json!({"user": "carla"}), "read");
    assert!(!stage.can_read("carla", "g"));
    let output = stage.git("anna", &stage.local(""), &["ls-remote", &stage.url("anna", "g")]);
    assert!(said(&output).contains("git"), "{}", said(&output));
    assert!(!output.status.success());
    succeeds(&stage.hg("anna", &stage.local(""), &["identify", &stage.url("anna", "h")]));
}
