//! aliases(5) and Samba's username map follow the mail addresses of accounts.

use std::fs;

use serde_json::{Value, json};

use crate::freenas::{Nas, new_user};

const ALIASES: &str = "/etc/aliases";
const MAP: &str = "/etc/samba/smbusername.map";

fn create(nas: &Nas, name: &str, uid: u32, email: &str) -> String {
    let mut request: Value = serde_json::from_str(&new_user(name, uid, "pw")).unwrap();
    request["bsdusr_email"] = json!(email);
    let made = nas.rest.post("/account/users/", &request.to_string()).object(201);
    assert_eq!(made["bsdusr_email"], email);
    format!("/account/users/{}/", made["id"])
}

fn put(nas: &Nas, path: &str, change: Value) -> Value {
    nas.rest.put(path, &change.to_string()).object(200)
}

#[test]
fn an_alias_follows_its_account_from_the_first_address_to_the_end() {
    let nas = Nas::start();
    let before = nas.disk.text(ALIASES);
    let anna = create(&nas, "anna", 3001, "anna@example.org");
    assert_eq!(nas.disk.text(ALIASES), format!("{before}anna: anna@example.org\n"));
    put(&nas, &anna, json!({"bsdusr_email": "a2@example.org"}));
    assert_eq!(nas.disk.text(ALIASES), format!("{before}anna: a2@example.org\n"));
    put(&nas, &anna, json!({"bsdusr_username": "berta"}));
    assert_eq!(nas.disk.text(ALIASES), format!("{before}berta: a2@example.org\n"));
    put(&nas, &anna, json!({"bsdusr_email": ""}));
    assert_eq!(nas.disk.text(ALIASES), before);
    put(&nas, &anna, json!({"bsdusr_email": "b@example.org"}));
    nas.rest.delete(&anna).status_is(204);
    assert_eq!(nas.disk.text(ALIASES), before);
}

#[test]
fn lines_of_others_stay_and_a_line_of_the_name_is_replaced_whole() {
    let nas = Nas::start();
    let text = "# by hand\npostmaster: root\nroot: carla,\n    zoe\nanna: zoe,\n\t|/bin/sh\nlist: :include:/x";
    fs::write(nas.disk.path(ALIASES), text).unwrap();
    create(&nas, "anna", 3001, "anna@example.org");
    assert_eq!(nas.disk.text(ALIASES), text.replace("anna: zoe,\n\t|/bin/sh", "anna: anna@example.org"));
    // An account without an address leaves a line that somebody has written for it.
    let plain = create(&nas, "list", 3002, "");
    nas.rest.delete(&plain).status_is(204);
    assert!(nas.disk.text(ALIASES).ends_with("list: :include:/x"));
}

#[test]
fn an_address_that_a_mailer_would_take_for_something_else_is_refused() {
    let nas = Nas::start();
    let before = nas.disk.text(ALIASES);
    for email in
        ["/etc/passwd@b.cd", "|sh@b.cd", "-oQ@b.cd", "a@b.cd, c@d.ef", ":include:/x@b.cd", "a@b.cd\nroot: x@y.zz"]
    {
        let mut request: Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
        request["bsdusr_email"] = json!(email);
        let refused = nas.rest.post("/account/users/", &request.to_string()).object(409);
        assert_eq!(refused, json!({"bsdusr_email": ["Enter a valid email address."]}), "{email}");
    }
    assert_eq!(nas.disk.text(ALIASES), before);
}

#[test]
fn a_microsoft_account_is_known_to_samba_by_its_address() {
    let nas = Nas::start();
    let anna = create(&nas, "anna", 3001, "anna@example.org");
    assert!(!nas.disk.path(MAP).exists());
    put(&nas, &anna, json!({"bsdusr_microsoft_account": true}));
    assert_eq!(nas.disk.text(MAP), "anna = anna@example.org\n");
    put(&nas, &anna, json!({"bsdusr_username": "berta", "bsdusr_email": "b@example.org"}));
    assert_eq!(nas.disk.text(MAP), "berta = b@example.org\n");
    put(&nas, &anna, json!({"bsdusr_microsoft_account": false}));
    assert_eq!(nas.disk.text(MAP), "");
}
