//! passwd(1) as the user: everything that accountd makes of a password follows it.

use std::fs;

use serde_json::json;

use super::{PATIENT, Stage};
use crate::world::World;

/// As the user, who shows the present one.
fn passwd(stage: &Stage, uid: u32, (old, new): (&str, &str)) -> super::Said {
    stage.says_as(uid, &["passwd"], &format!("{old}\n{new}\n{new}\n"))
}

fn nt_hash(stage: &Stage, name: &str) -> String {
    stage.nas.disk.field("/etc/samba/smbpasswd", name, 3)
}

/// Of what a client of Samba would make of a password, by a program of Samba's.
fn pdbedit(stage: &Stage, name: &str) -> String {
    let config = "[global]\npassdb backend = smbpasswd:/etc/samba/smbpasswd\n";
    fs::write(stage.path("/etc/samba/smb.conf"), config).unwrap();
    fs::create_dir_all(stage.path("/var/lib/samba/private")).unwrap();
    let line = stage.nas.world.run(&["pdbedit", "-L", "-w", "-u", name]);
    line.trim().split(':').nth(3).unwrap().to_owned()
}

#[test]
fn sambas_hash_is_that_of_the_new_password_when_passwd_has_ended() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    let before = nt_hash(&stage, "anna");
    passwd(&stage, 3001, ("Pass-word1", "Other-word2")).yes();
    let after = nt_hash(&stage, "anna");
    assert_ne!(after, before);
    assert_eq!(pdbedit(&stage, "anna"), after);
    // The same password set here gives the same hash.
    stage.add("berta", 3002);
    stage.set("berta", json!({"password": "Other-word2"}));
    assert_eq!(nt_hash(&stage, "berta"), after);
    assert_eq!(stage.nas.rest.as_user("anna", "Other-word2").get("/users/~").status, 200);
    assert_eq!(stage.nas.rest.as_user("anna", "Pass-word1").get("/users/~").status, 401);
    let trail = stage.nas.rest.get("/audit?target=anna&action=set_password").object(200).to_string();
    assert!(trail.contains("smb_password") && !trail.contains(&after), "{trail}");
}

#[test]
fn a_password_that_was_not_changed_changes_nothing() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    let before = nt_hash(&stage, "anna");
    assert!(!passwd(&stage, 3001, ("wrong", "Other-word2")).ok);
    assert_eq!(nt_hash(&stage, "anna"), before);
    // A stack that hands over another one than it has written.
    stage.service("lies", "password required /var/lib/pam_accountd.so\n");
    let lies = "password required pam_exec.so expose_authtok /bin/true\npassword required /var/lib/pam_accountd.so\n";
    stage.service("lies", lies);
    stage.of_service("lies", "anna", ("Other-word2\nOther-word2\n", &["chauthtok"])).no("");
    assert_eq!(nt_hash(&stage, "anna"), before);
}

#[test]
fn the_last_passwords_are_remembered_whoever_has_set_them() {
    let stage = Stage::of(World::start_with(&format!("{PATIENT}\n[passwords]\nhistory = 4\n")));
    stage.add("anna", 3001);
    passwd(&stage, 3001, ("Pass-word1", "Other-word2")).yes();
    passwd(&stage, 3001, ("Other-word2", "Third-word3")).yes();
    let again = |password: &str| {
        let body = json!({"password": password});
        stage.nas.patch("/users/anna", &body).status
    };
    assert_eq!([again("Pass-word1"), again("Other-word2"), again("Third-word3")], [422; 3]);
    assert_eq!(again("Fourth-word4"), 200);
}

#[test]
fn who_has_a_password_that_must_be_changed_changes_it_on_the_way_in() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    stage.add("berta", 3002);
    stage.nas.world.run(&["chage", "-d", "0", "anna"]);
    let input = "Pass-word1\nPass-word1\nOther-word2\nOther-word2\n";
    let said = stage.says_as(3002, &["su", "anna", "-c", "id -un"], input);
    assert!(said.ok && said.text.contains("anna"), "{said:?}");
    assert_eq!(stage.nas.rest.as_user("anna", "Other-word2").get("/users/~").status, 200);
    assert_eq!(pdbedit(&stage, "anna"), nt_hash(&stage, "anna"));
}

#[test]
fn what_root_sets_follows_too_and_root_itself_does_not() {
    let stage = Stage::start();
    stage.add("anna", 3001);
    let before = nt_hash(&stage, "anna");
    stage.says(&["passwd", "anna"], "Other-word2\nOther-word2\n").yes();
    assert_ne!(nt_hash(&stage, "anna"), before);
    let said = stage.says(&["chpasswd"], "anna:Third-word3\n");
    said.yes();
    assert_eq!(stage.nas.rest.as_user("anna", "Third-word3").get("/users/~").status, 200);
    let smbpasswd = stage.nas.disk.text("/etc/samba/smbpasswd");
    let roots = |text: &str| text.lines().find(|line| line.starts_with("root:")).map(str::to_owned);
    stage.says(&["passwd", "root"], "Fourth-word4\nFourth-word4\n").yes();
    assert_eq!(roots(&stage.nas.disk.text("/etc/samba/smbpasswd")), roots(&smbpasswd));
}
