//! A pool whose file system is not mounted: what fstab(5) names is no place for homes as long as nothing is there.

use std::fs;

use serde_json::json;

use crate::freenas::keys::KEY;
use crate::freenas::{Nas, new_user};
use crate::openssh::run;
use crate::world::wait_for;

const SHELL: &str = "/bin/bash";

/// Below a pool that fstab names, which is a directory of the root file system.
fn unmounted() -> Nas {
    let nas = Nas::start();
    nas.world.run(&["sh", "-c", "mkdir /mnt/pool && echo 'none /mnt/pool tmpfs noauto 0 0' >/etc/fstab"]);
    nas
}

fn entries(nas: &Nas) -> usize {
    fs::read_dir(nas.disk.path("/mnt/pool")).unwrap().count()
}

fn user(name: &str) -> String {
    new_user(name, 3005, "pw").replace("/mnt/tank/home", "/mnt/pool/home")
}

#[test]
fn nothing_is_made_on_the_root_file_system_while_a_pool_is_not_mounted() {
    let nas = unmounted();
    let anna = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let create = || nas.rest.post("/account/users/", &user("berta"));
    let refused = create();
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("Nothing is mounted at /mnt/pool"), "{}", refused.body);
    let moved = json!({"bsdusr_home": "/mnt/pool/anna"}).to_string();
    assert_eq!(nas.rest.put(&format!("/account/users/{anna}/"), &moved).status, 409);
    assert_eq!(entries(&nas), 0);
    assert!(nas.disk.line("/etc/passwd", "berta").is_none());

    nas.world.run(&["mount", "/mnt/pool"]);
    create().status_is(201);
    nas.world.run(&["test", "-d", "/mnt/pool/home/berta"]);
    assert_eq!(entries(&nas), 0, "out here nothing is mounted");
}

#[test]
fn a_home_that_is_not_mounted_now_is_said_at_a_login_and_not_deleted() {
    let nas = unmounted();
    nas.world.run(&["mount", "/mnt/pool"]);
    let berta = nas.rest.create_user(&user("berta"));
    let shell = json!({"bsdusr_shell": SHELL}).to_string();
    nas.rest.put(&format!("/account/users/{berta}/"), &shell).status_is(200);
    let greeting = || nas.world.with_password("berta", "pw").ssh(&["pwd; echo to the end"]);
    let before = greeting();
    assert_eq!(String::from_utf8_lossy(&before.stdout), "/mnt/pool/home/berta\nto the end\n");
    assert!(!String::from_utf8_lossy(&before.stderr).contains("cannot change"));

    wait_for("the end of the session in it", || nas.world.exec(&["umount", "/mnt/pool"]).status.success());
    let said = greeting();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "/\nto the end\n");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(errors.contains("cannot change to the home /mnt/pool/home/berta: No such file or directory"), "{errors}");
    // The account would be gone and the home not, and nobody would know of it.
    let kept = nas.rest.json("DELETE", &format!("/account/users/{berta}/"), r#"{"delete_home": true}"#);
    assert_eq!(kept.status, 409, "{}", kept.body);
    assert!(kept.body.contains("nothing is mounted at /mnt/pool"), "{}", kept.body);
    nas.rest.delete(&format!("/account/users/{berta}/")).status_is(204);
    assert_eq!(entries(&nas), 0);
}

#[test]
fn a_key_file_of_a_change_that_never_was_is_removed_at_the_next_start() {
    let nas = Nas::start();
    let request = json!({"bsdusr_sshpubkey": KEY}).to_string();
    let anna = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.rest.put(&format!("/account/users/{anna}/"), &request).status_is(200);
    nas.world.hold("agent");
    nas.world.kill("agent");
    // As an agent leaves it that is killed before its commit.
    let left = "/mnt/tank/home/anna/.ssh/.authorized_keys.accountd";
    let script = format!("echo of-nobody >{left} && chmod 600 {left} && chown 3001:3001 {left}");
    assert!(run(nas.world.inside(&["sh", "-c", &script]), b"").status.success());
    nas.world.release("agent");
    wait_for("the end of what was left", || !nas.disk.path(left).exists());
    assert!(nas.disk.text("/mnt/tank/home/anna/.ssh/authorized_keys").contains(KEY));
}
