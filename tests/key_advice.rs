//! Keys that would be refused: the answer says why, a repair on request mends it, and the servers
//! agree.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::freenas::keys::KEY;
use crate::freenas::{Nas, new_user};
use crate::home_deletion::set_home;
use crate::rest::Answer;

const HOME: &str = "/mnt/tank/home/anna";
const ADVICE: &str = "bsdusr_sshpubkey_advice";

/// A sandbox with `anna` (uid 3001), who has this key, and the path of her user.
fn nas_with_anna(key: &str) -> (Nas, String) {
    let nas = Nas::start();
    let mut request: Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
    request["bsdusr_sshpubkey"] = json!(key);
    let made = nas.rest.post("/account/users/", &request.to_string()).object(201);
    assert_eq!(made.get(ADVICE), None);
    let path = format!("/account/users/{}/", made["id"]);
    (nas, path)
}

fn sh(nas: &Nas, script: &str) {
    nas.world.run(&["sh", "-c", &format!("cd {HOME} && {script}")]);
}

fn repair(nas: &Nas, path: &str) -> Answer {
    nas.rest.post(&format!("{path}home/"), r#"{"repair": true}"#)
}

#[test]
fn every_reason_is_told_with_what_to_change() {
    let (nas, path) = nas_with_anna(KEY);
    let rows = [
        (
            "chmod 775 .",
            "",
            "is writable by its group (mode 0775): keys are refused; remove the permission with mode 0755.",
        ),
        (
            "chmod 757 .",
            "",
            "is writable by everybody (mode 0757): keys are refused; remove the permission with mode 0755.",
        ),
        ("chown 3009 .", "", "belongs to uid 3009: keys are refused; change its owner to uid 3001."),
        (
            "chmod 777 .ssh",
            "/.ssh",
            "is writable by its group and everybody (mode 0777): keys are refused; remove the permission with mode 0700.",
        ),
        (
            "chmod 755 .ssh && chown 3009 .ssh",
            "/.ssh",
            "belongs to uid 3009: keys are refused; change its owner to uid 3001.",
        ),
        (
            "chmod 666 .ssh/authorized_keys",
            "/.ssh/authorized_keys",
            "is writable by its group and everybody (mode 0666): keys are refused; remove the permission with mode 0600.",
        ),
        (
            "chmod 0 .ssh/authorized_keys",
            "/.ssh/authorized_keys",
            "cannot be entered or read by the user: keys are refused; let its owner read and enter it.",
        ),
        (
            "mv .ssh real && ln -s real .ssh",
            "/.ssh",
            "is a symbolic link: keys are refused; put what it leads to in its place.",
        ),
        (
            "mv .ssh/authorized_keys k && ln -s ../k .ssh/authorized_keys",
            "/.ssh/authorized_keys",
            "is a symbolic link: keys are refused; put what it leads to in its place.",
        ),
        (
            "rm .ssh/authorized_keys && mkfifo -m 600 .ssh/authorized_keys",
            "/.ssh/authorized_keys",
            "is not a regular file: keys are refused; remove it.",
        ),
        (
            "head -c 65537 /dev/zero > .ssh/authorized_keys",
            "/.ssh/authorized_keys",
            "is longer than 65536 bytes: keys are refused; shorten it.",
        ),
        (
            "echo 'no key' > .ssh/authorized_keys",
            "/.ssh/authorized_keys",
            "has no line that is a public key: write the keys again.",
        ),
    ];
    for (script, below, text) in rows {
        sh(&nas, &format!("cp -a . ../saved && {script}"));
        let expected = json!([format!("{HOME}{below} {text}")]);
        // An unrelated change says it too; a list does not look.
        let changed = nas.rest.put(&path, r#"{"bsdusr_full_name": "Some One"}"#).object(200);
        assert_eq!(changed[ADVICE], expected, "{script}");
        assert_eq!(nas.rest.get(&path).object(200)[ADVICE], expected, "{script}");
        assert_eq!(nas.rest.json("PATCH", &path, "{}").object(202)[ADVICE], expected, "{script}");
        assert!(!nas.rest.get("/account/users/?limit=0").body.contains(ADVICE));
        nas.world.run(&["sh", "-c", &format!("rm -rf {HOME} && mv /mnt/tank/home/saved {HOME}")]);
        assert_eq!(nas.rest.get(&path).object(200).get(ADVICE), None, "{script}");
    }
}

#[test]
fn a_key_that_comes_with_an_open_home_or_without_a_home_is_told() {
    let nas = Nas::start();
    let mut request: Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
    (request["bsdusr_sshpubkey"], request["bsdusr_mode"]) = (json!(KEY), json!("777"));
    let made = nas.rest.post("/account/users/", &request.to_string()).object(201);
    let text =
        "is writable by its group and everybody (mode 0777): keys are refused; remove the permission with mode 0755.";
    assert_eq!(made[ADVICE], json!([format!("{HOME} {text}")]));
    let path = format!("/account/users/{}/", made["id"]);
    let closed = nas.rest.put(&path, r#"{"bsdusr_mode": "700"}"#).object(200);
    assert_eq!(closed.get(ADVICE), None);
    fs::remove_dir_all(nas.disk.path(HOME)).unwrap();
    let shown = nas.rest.put(&path, &json!({"bsdusr_sshpubkey": KEY}).to_string()).object(200);
    let text = "does not exist: there is no place for keys; create it or choose another home directory.";
    assert_eq!(shown[ADVICE], json!([format!("{HOME} {text}")]));
}

#[test]
fn a_key_that_can_not_be_written_is_refused_with_the_reason() {
    let (nas, path) = nas_with_anna("");
    sh(&nas, "ln -s /etc .ssh");
    let refused = nas.rest.put(&path, &json!({"bsdusr_sshpubkey": KEY}).to_string());
    let texts = [
        "The home directory is not writable. Leave this field blank.".to_owned(),
        format!("{HOME}/.ssh is a symbolic link: keys are refused; put what it leads to in its place."),
    ];
    assert_eq!(refused.object(409), json!({"bsdusr_sshpubkey": texts}));
}

#[test]
fn a_key_is_refused_while_the_advice_says_so_and_works_after_the_repair() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    let (private, public) = nas.world.make_key("key", "ed25519");
    nas.rest.put(&path, &json!({"bsdusr_sshpubkey": public}).to_string()).object(200);
    let logs_in = || nas.world.with_key("anna", &private).logs_in();
    assert!(logs_in());
    for script in [
        "chmod 775 .",
        "chmod 2777 .",
        "chmod 770 .ssh",
        "chmod 666 .ssh/authorized_keys",
        "chmod 0 .ssh/authorized_keys",
        "chmod 0 .ssh",
        "chmod 0 .",
        "chown 3009 .",
        "chown 3009 .ssh && chmod 755 .ssh",
        "chown 3009 .ssh/authorized_keys && chmod 644 .ssh/authorized_keys",
        "chown 3009 . .ssh .ssh/authorized_keys && chmod -R a+w .",
        "chown -R 0:0 . && chmod -R a+rX,g+w .",
    ] {
        sh(&nas, script);
        assert!(!logs_in(), "{script}");
        assert_ne!(nas.rest.get(&path).object(200).get(ADVICE), None, "{script}");
        let repaired = repair(&nas, &path).object(200);
        assert_eq!(repaired.get(ADVICE), None, "{script}");
        assert!(logs_in(), "{script}");
        sh(&nas, "chown -R 3001:3001 . && chmod 755 .");
        assert_eq!(nas.disk.owner_and_mode(&format!("{HOME}/.ssh")).2 & 0o077 & 0o022, 0);
    }
}

#[test]
fn a_repair_changes_nothing_that_is_not_the_users_to_have() {
    let (nas, path) = nas_with_anna(KEY);
    nas.rest.create_user(&new_user("berta", 3002, "pw"));
    fs::write(nas.disk.path("/mnt/tank/orphaned"), "text").unwrap();
    let keys = format!("{HOME}/.ssh/authorized_keys");
    let rows = [
        (
            "mv .ssh real && ln -s /root .ssh",
            format!("{HOME}/.ssh is a symbolic link: keys are refused; put what it leads to in its place."),
        ),
        ("rm -r .ssh && touch .ssh", format!("{HOME}/.ssh is not a directory: keys are refused; replace it by one.")),
        (
            "ln -sf /etc/shadow .ssh/authorized_keys",
            format!("{keys} is a symbolic link: keys are refused; put what it leads to in its place."),
        ),
        (
            "rm .ssh/authorized_keys && mkfifo .ssh/authorized_keys",
            format!("{keys} is not a regular file: keys are refused; remove it."),
        ),
        ("chown 3002 .ssh", format!("{HOME}/.ssh belongs to \"berta\" and was not changed.")),
        ("chown 3002 .", format!("{HOME} belongs to \"berta\" and was not changed.")),
        (
            "chown 3009 ../../orphaned && ln -f ../../orphaned .ssh/authorized_keys",
            format!("{keys} has other names (hard links) and was not changed."),
        ),
        (
            "chmod 777 .. && chown 3009 .",
            format!("{HOME} lies in a directory that others than root can change and was not changed."),
        ),
    ];
    for (script, text) in rows {
        sh(&nas, &format!("cp -a . ../saved && chmod 775 . && {script}"));
        let before = nas.disk.everything("/mnt");
        assert_eq!(repair(&nas, &path).object(409), json!({"bsdusr_sshpubkey": [text]}), "{script}");
        assert!(nas.disk.everything("/mnt") == before, "{script}");
        nas.world.run(&[
            "sh",
            "-c",
            &format!("chmod 755 /mnt/tank/home && rm -rf {HOME} && mv /mnt/tank/home/saved {HOME}"),
        ]);
    }
    symlink("/etc", nas.disk.path("/mnt/tank/home/link")).unwrap();
    set_home(&nas, "anna", "/mnt/tank/home/link");
    let before = nas.disk.owner_and_mode("/etc");
    assert_eq!(repair(&nas, &path).status, 409);
    assert_eq!(nas.disk.owner_and_mode("/etc"), before);
}

#[test]
fn a_repair_has_to_be_asked_for_in_its_own_words() {
    let (nas, path) = nas_with_anna(KEY);
    let at = format!("{path}home/");
    for body in ["{}", r#"{"repair": false}"#] {
        nas.rest.post(&at, body).is(409, r#"{"repair": ["This field is required."]}"#);
    }
    nas.rest.post(&at, "{").is(400, r#"{"error": "Request is not valid JSON."}"#);
    assert_eq!(nas.rest.post("/account/users/999/home/", r#"{"repair": true}"#).status, 404);
    assert_eq!(nas.rest.post("/account/users/999/home/", "{}").status, 404);
    let options = nas.rest.curl("PUT", &at, &[], None);
    assert_eq!((options.status, options.header("allow")), (405, Some("POST,GET")));
    // An account that came with the system has its home from there.
    let users = nas.rest.get("/account/users/?limit=0").object(200);
    let daemon = users.as_array().unwrap().iter().find(|user| user["bsdusr_username"] == "daemon").unwrap();
    assert_eq!(repair(&nas, &format!("/account/users/{}/", daemon["id"])).status, 409);
}
