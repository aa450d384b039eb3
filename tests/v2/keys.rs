//! The keys of a user, beside the file that they are in.

use serde_json::json;

use super::{Nas, problem};
use crate::freenas::keys::KEY;

const FILE: &str = "/mnt/tank/home/anna/.ssh/authorized_keys";

fn start() -> Nas {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3001, "home": "/mnt/tank/home/anna"}));
    nas
}

#[test]
fn keys_are_shown_as_ssh_keygen_shows_them_and_replaced_as_a_set() {
    let nas = start();
    assert_eq!(nas.rest.get("/users/anna/keys").object(200)["keys"], json!([]));
    let line = format!("from=\"10.0.0.0/8\",no-pty {KEY}");
    let keys = nas.put("/users/anna/keys", &json!({"keys": [KEY, line]})).object(200);
    assert_eq!(nas.disk.text(FILE), format!("{KEY}\n{line}\n"));
    assert_eq!(nas.disk.owner_and_mode(FILE), (3001, 3001, 0o600));
    let public = nas.world.client_file("key.pub");
    std::fs::write(&public, KEY).unwrap();
    let output = std::process::Command::new("ssh-keygen").arg("-lf").arg(&public).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let fingerprint = said.split(' ').nth(1).unwrap();
    let comment = KEY.split_once(' ').and_then(|(_, rest)| rest.split_once(' ')).map(|(_, comment)| comment);
    assert_eq!(
        keys["keys"][0],
        json!({"type": "ssh-ed25519", "fingerprint": fingerprint, "comment": comment, "options": null, "line": KEY})
    );
    assert_eq!(keys["keys"][1]["options"], "from=\"10.0.0.0/8\",no-pty");
    assert_eq!((&keys["keys"][1]["fingerprint"], &keys["keys"][1]["line"]), (&json!(fingerprint), &json!(line)));
    assert_eq!(nas.rest.get("/users/anna/keys").object(200), keys);
    assert_eq!(nas.put("/users/anna/keys", &json!({"keys": []})).object(200)["keys"], json!([]));
    assert_eq!(nas.disk.text(FILE), "");
}

#[test]
fn a_line_that_is_no_key_is_named_by_its_place_and_shown_where_others_wrote_it() {
    let nas = start();
    nas.put("/users/anna/keys", &json!({"keys": [KEY]})).status_is(200);
    let put = |keys: serde_json::Value| nas.put("/users/anna/keys", &json!({"keys": keys}));
    problem(&put(json!([KEY, "rubbish"])), 422, "invalid-values", &[("keys[1]", "bad_key")]);
    problem(
        &put(json!([format!("{KEY}\n{KEY}"), " "])),
        422,
        "invalid-values",
        &[("keys[0]", "bad_characters"), ("keys[1]", "required")],
    );
    problem(&put(json!([1])), 422, "invalid-values", &[("keys", "wrong_type")]);
    problem(&put(json!(vec![KEY; 257])), 422, "invalid-values", &[("keys", "too_many")]);
    problem(&nas.put("/users/anna/keys", &json!({})), 422, "invalid-values", &[("keys", "required")]);
    assert_eq!(nas.disk.text(FILE), format!("{KEY}\n"));
    std::fs::write(nas.disk.path(FILE), format!("# mine\nrubbish here\n{KEY}\n")).unwrap();
    let keys = nas.rest.get("/users/anna/keys").object(200);
    assert_eq!(
        keys["keys"][0],
        json!({"type": null, "fingerprint": null, "comment": null, "options": null, "line": "rubbish here"})
    );
    assert_eq!(keys["keys"][1]["line"], KEY);
}

#[test]
fn keys_that_the_user_has_changed_meanwhile_are_not_overwritten_unseen() {
    let nas = start();
    nas.put("/users/anna/keys", &json!({"keys": [KEY]})).status_is(200);
    let tag = nas.tag("/users/anna/keys");
    std::fs::write(nas.disk.path(FILE), format!("no-pty {KEY}\n")).unwrap();
    let late = nas.send("PUT", "/users/anna/keys", &format!("If-Match: {tag}"), &json!({"keys": []}));
    problem(&late, 412, "precondition-failed", &[]);
    assert_eq!(nas.disk.text(FILE), format!("no-pty {KEY}\n"));
    let again = nas.tag("/users/anna/keys");
    nas.send("PUT", "/users/anna/keys", &format!("If-Match: {again}"), &json!({"keys": []})).status_is(200);
}
