//! `accountctl key`, beside the key file.

use std::fs;

use crate::freenas::keys::KEY;
use crate::v2::Nas;

const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKMQjwvXPnl108pxlJCx6g+3rjCq04pOp7xwFeQnqWJ8 other@there";
const FILE: &str = "/mnt/tank/home/anna/.ssh/authorized_keys";

#[test]
fn keys_are_added_removed_and_replaced() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--home", "/mnt/tank/home/anna"]);
    nas.done(&["key", "add", "anna", KEY]);
    let file = nas.world.client_file("other.pub");
    fs::write(&file, format!("# a comment\n{OTHER}\n")).unwrap();
    let two = nas.done(&["key", "add", "anna", KEY, "--key-file", file.to_str().unwrap()]);
    assert_eq!(nas.disk.text(FILE), format!("{KEY}\n{OTHER}\n"), "one that is there is not there twice");
    let answer = nas.rest.get("/users/anna/keys");
    assert_eq!(nas.json(&["key", "list", "anna"]), answer.value());
    assert_eq!(nas.done(&["--json", "key", "list", "anna"]), format!("{}\n", answer.body));
    let fingerprint = answer.value()["keys"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert!(two.starts_with(&format!("{fingerprint}\tssh-ed25519\tsomeone@somewhere\t\t{KEY}\n")), "{two}");
    nas.done(&["key", "remove", "anna", &fingerprint]);
    assert_eq!(nas.disk.text(FILE), format!("{OTHER}\n"));
    nas.ctl(&["key", "remove", "anna", &fingerprint]).fails(1, &["is not among the keys of user anna"]);
    nas.done(&["key", "set", "anna", KEY]);
    assert_eq!(nas.done(&["-q", "key", "list", "anna"]), format!("{fingerprint}\n"));
    nas.done(&["key", "remove", "anna", "someone@somewhere"]);
    assert_eq!(nas.disk.text(FILE), "");
    nas.done(&["key", "set", "anna", KEY]);
    nas.ctl(&["key", "set", "anna", "--none"]).fails(2, &["--yes"]);
    nas.done(&["key", "set", "anna", "--none", "-y"]);
    assert_eq!(nas.disk.text(FILE), "");
}

#[test]
fn what_is_no_key_is_refused_and_a_private_one_is_not_even_sent() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--home", "/mnt/tank/home/anna", "--key", KEY]);
    let said = nas.ctl(&["key", "add", "anna", "rubbish"]);
    said.fails(1, &["LINE (number 1) is not a public key", "Nothing has been changed"]);
    nas.ctl(&["key", "add", "anna", KEY, "rubbish"]).fails(1, &["LINE (number 2) is not a public key"]);
    nas.ctl(&["key", "add", "anna"]).fails(2, &["no key was given"]);
    let said = nas.ctl_with("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", &["key", "add", "anna", "--key-file", "-"]);
    said.fails(2, &["a private key", ".pub"]);
    assert!(!said.err.contains("AAAA"), "{}", said.err);
    assert_eq!(nas.disk.text(FILE), format!("{KEY}\n"));
}

#[test]
fn lines_that_others_wrote_stay_and_can_be_removed_and_advice_is_given() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--home", "/mnt/tank/home/anna", "--key", KEY]);
    fs::write(nas.disk.path(FILE), format!("no key here\n{KEY}\n")).unwrap();
    assert!(nas.done(&["-q", "key", "list", "anna"]).starts_with("no key here\n"));
    nas.done(&["key", "remove", "anna", "no key here"]);
    assert_eq!(nas.disk.text(FILE), format!("{KEY}\n"));
    fs::set_permissions(nas.disk.path("/mnt/tank/home/anna"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    let said = nas.ctl(&["key", "list", "anna"]);
    assert_eq!(said.status, 0);
    assert!(said.err.starts_with("Note: ") && said.err.contains("/mnt/tank/home/anna"), "{}", said.err);
    assert_eq!(nas.done(&["--json", "key", "list", "anna"]), format!("{}\n", nas.rest.get("/users/anna/keys").body));
}
