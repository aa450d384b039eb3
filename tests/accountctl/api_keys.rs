//! `accountctl api-key`, and a key as a token; passwords that are made.

use std::process::Stdio;

use serde_json::json;

use super::Said;
use crate::v2::Nas;

/// A command by a token.
fn by(nas: &Nas, token: &str, arguments: &[&str]) -> Said {
    let mut command = nas.command(arguments);
    command.env("ACCOUNTCTL_TOKEN", token).env_remove("ACCOUNTCTL_SOCKET").stdin(Stdio::null());
    Said::of(command.output().unwrap())
}

#[test]
fn a_key_is_printed_once_and_is_a_token_until_it_is_revoked() {
    let nas = Nas::start();
    nas.ctl_with("pw", &["user", "add", "anna", "--new-password-file", "-"]);
    let as_anna =
        |arguments: &[&str]| nas.ctl_with("pw", &[&["--user", "anna", "--password-file", "-"], arguments].concat());
    let made = as_anna(&["--json", "api-key", "add", "backup", "--expires", "2040-01-01T00:00:00Z"]);
    let made: serde_json::Value = serde_json::from_str(&made.out).unwrap_or_else(|error| panic!("{error}: {made:?}"));
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].to_string());
    let shown = by(&nas, key, &["user", "show"]);
    assert!(shown.out.contains("username\tanna\n"), "{shown:?}");
    let plain = as_anna(&["api-key", "add", "second"]).out;
    assert!(plain.contains("name\tsecond\n") && plain.contains("key\t"), "{plain}");
    assert_eq!(nas.json(&["api-key", "list", "anna"]), nas.rest.get("/users/anna/api-keys").value());
    let listed = nas.done(&["api-key", "list", "anna"]);
    assert!(listed.starts_with(&format!("{id}\tbackup\t")) && !listed.contains(key), "{listed}");
    assert!(by(&nas, key, &["-q", "api-key", "list"]).out.starts_with(&format!("{id}\n")));
    assert!(nas.done(&["api-key", "show", "anna", &id]).contains("name\tbackup\n"));
    // What is said only once is not left out.
    as_anna(&["--quiet", "api-key", "add", "third"]).fails(2, &["--quiet", "Nothing has been changed"]);
    as_anna(&["api-key", "add", "second"]).fails(1, &["NAME is already in use: second"]);
    as_anna(&["api-key", "add", "x", "--expires", "tomorrow"]).fails(1, &["--expires has to be a moment in UTC"]);
    by(&nas, key, &["api-key", "add", "x"]).fails(4, &["You may not do this"]);
    nas.ctl(&["api-key", "delete", "anna", &id]).fails(2, &["Revoke the API key backup of anna", "--yes"]);
    assert_eq!(nas.done(&["api-key", "delete", "anna", &id, "--yes"]), "");
    by(&nas, key, &["user", "show"]).fails(4, &["the token"]);
    nas.ctl(&["-y", "api-key", "delete", "anna", &id]).fails(1, &["No such API key"]);
    assert_eq!(nas.json(&["api-key", "list", "anna"])["total"], 1);
}

#[test]
fn a_password_that_is_made_is_printed_once() {
    let nas = Nas::start();
    let made = nas.done(&["user", "add", "anna", "--random-password"]);
    let password = made.lines().find_map(|line| line.strip_prefix("password\t")).unwrap();
    nas.rest.as_user("anna", password).get("/users/~").status_is(200);
    let another = nas.done(&["user", "passwd", "anna", "--random"]);
    nas.rest.as_user("anna", password).get("/users/~").status_is(401);
    nas.rest.as_user("anna", another.strip_suffix('\n').unwrap()).get("/users/~").status_is(200);
    let third = nas.json(&["user", "passwd", "anna", "--random"]);
    nas.rest.as_user("anna", third["password"].as_str().unwrap()).get("/users/~").status_is(200);
    nas.ctl(&["-q", "user", "add", "berta", "--random-password"]).fails(2, &["--quiet"]);
    assert_eq!(nas.disk.line("/etc/passwd", "berta"), None);
    nas.ctl(&["user", "add", "berta", "--random-password", "--ask-password"]).fails(2, &["cannot be used with"]);
    nas.ctl(&["user", "passwd", "anna", "--random", "--new-password-file", "-"]).fails(2, &["cannot be used with"]);
}

#[test]
fn the_policy_is_shown_rule_by_rule_and_set() {
    let nas = Nas::start();
    let shown = nas.done(&["policy", "show"]);
    assert!(shown.starts_with("min_length\t1\tdefault\nmin_classes\t1\tdefault\n"), "{shown}");
    let tag = nas.done(&["policy", "show", "--etag"]);
    assert_eq!(Some(tag.trim()), nas.rest.get("/policy").header("etag"));
    let set = nas.done(&["policy", "set", "--min-length", "10", "--history", "3", "--if-match", tag.trim()]);
    assert!(set.contains("min_length\t10\tapi\n") && set.contains("history\t3\tapi\n"), "{set}");
    assert_eq!(nas.json(&["policy", "show"]), nas.rest.get("/policy").value());
    nas.ctl(&["policy", "set", "--history", "4", "--if-match", tag.trim()]).fails(1, &["If-Match"]);
    nas.ctl(&["policy", "set", "--min-length", "0"]).fails(1, &["--min-length is not from 1 to 511"]);
    nas.ctl(&["policy", "set", "--min-length", "few"]).fails(2, &["has to be a number, or file"]);
    let back = nas.done(&["policy", "set", "--min-length", "file", "--history", "file"]);
    assert!(back.contains("min_length\t1\tdefault\n"), "{back}");
    assert_eq!(nas.rest.get("/policy").object(200)["source"]["password"]["history"], json!("default"));
}
