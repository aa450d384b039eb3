//! Passwords: hashes, the Samba line, lock and disable, and the credential of the API itself.

use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::{Nas, new_user};

#[test]
fn unix_and_samba_hash_are_made_of_the_same_password() {
    let vectors = [
        ("test", "0CB6948805F797BF2A82807973B89537"),
        ("password", "8846F7EAEE8FB117AD06BDD830B7586C"),
        ("pä€ss", "E19DAD189C9BF54DD0A31D42FFABDE48"),
    ];
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("hashed", 3001, "first"));
    for (password, nt) in vectors {
        let path = format!("/account/users/{id}/password/");
        let user = nas.rest.post(&path, &json!({"bsdusr_password": password}).to_string()).object(200);
        let samba = nas.disk.line("/etc/samba/smbpasswd", "hashed").unwrap();
        let fields: Vec<&str> = samba.split(':').collect();
        let unknown = "X".repeat(32);
        assert_eq!(fields[..5], ["hashed", "3001", unknown.as_str(), nt, "[U          ]"], "{password}");
        let time = fields[5].strip_prefix("LCT-").unwrap();
        assert!(time.len() == 8 && time.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')), "{samba}");
        assert_eq!(fields[6..], [""]);
        let hash = nas.disk.field("/etc/shadow", "hashed", 1);
        assert_eq!(hash, by_openssl(password, hash.split('$').nth(2).unwrap()));
        assert_eq!((&user["bsdusr_unixhash"], &user["bsdusr_smbhash"]), (&json!(hash), &json!(samba)));
        assert_eq!(nas.disk.owner_and_mode("/etc/samba/smbpasswd"), (0, 0, 0o600));
    }
}

fn by_openssl(password: &str, salt: &str) -> String {
    let output = Command::new("openssl").args(["passwd", "-6", "-salt", salt, password]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_lock_keeps_the_hash_and_lifting_it_gives_it_back() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("locked", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    let hash = nas.disk.field("/etc/shadow", "locked", 1);
    let user = nas.rest.put(&path, r#"{"bsdusr_locked": true}"#).object(200);
    assert_eq!((&user["bsdusr_locked"], &user["bsdusr_unixhash"]), (&json!(true), &json!(hash)));
    assert_eq!(nas.disk.field("/etc/shadow", "locked", 1), format!("!{hash}"));
    assert_eq!(nas.disk.field("/etc/samba/smbpasswd", "locked", 4), "[DU         ]");
    let user = nas.rest.put(&path, r#"{"bsdusr_locked": false}"#).object(200);
    assert_eq!(user["bsdusr_locked"], false);
    assert_eq!(nas.disk.field("/etc/shadow", "locked", 1), hash);
    assert_eq!(nas.disk.field("/etc/samba/smbpasswd", "locked", 4), "[U          ]");
}

#[test]
fn a_disabled_password_is_kept_aside_and_comes_back() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("keysonly", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    let hash = nas.disk.field("/etc/shadow", "keysonly", 1);
    let user = nas.rest.put(&path, r#"{"bsdusr_password_disabled": "true"}"#).object(200);
    assert_eq!(user["bsdusr_password_disabled"], true);
    assert_eq!(nas.disk.field("/etc/shadow", "keysonly", 1), "*");
    nas.rest.put(&path, r#"{"bsdusr_full_name": "Untouched"}"#).object(200);
    let user = nas.rest.put(&path, r#"{"bsdusr_password_disabled": false}"#).object(200);
    assert_eq!(user["bsdusr_password_disabled"], false);
    assert_eq!(nas.disk.field("/etc/shadow", "keysonly", 1), hash);
}

#[test]
fn an_empty_password_in_a_change_leaves_the_old_one() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("steady", 3001, "pw"));
    let shadow = nas.disk.line("/etc/shadow", "steady");
    for body in [r#"{"bsdusr_password": ""}"#, r#"{"bsdusr_password": null}"#, "{}"] {
        nas.rest.put(&format!("/account/users/{id}/"), body).object(200);
    }
    assert_eq!(nas.disk.line("/etc/shadow", "steady"), shadow);
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_password": " new?: "}"#).object(200);
    let hash = nas.disk.field("/etc/shadow", "steady", 1);
    assert_eq!(hash, by_openssl(" new?: ", hash.split('$').nth(2).unwrap()), "blanks are part of a password");
}

#[test]
fn the_api_opens_to_the_administrator_alone_and_only_with_the_present_password() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("user", 3001, "pw"));
    for stranger in [nas.rest.as_user("root", "wrong"), nas.rest.as_user("user", "pw"), nas.rest.as_user("nobody", "")]
    {
        let answer = stranger.get("/account/users/");
        answer.is(401, "");
        assert_eq!(answer.header("www-authenticate"), Some("Basic Realm=\"django-tastypie\""));
    }
    nas.rest.post("/account/users/1/password/", r#"{"bsdusr_password": "other:one?"}"#).object(200);
    nas.rest.get("/account/users/1/").is(401, "");
    nas.rest.as_user("root", "other:one?").get("/account/users/1/").object(200);
}

/// The hash is made so costly that hashing for each request would take minutes.
#[test]
fn a_client_that_sends_its_password_each_time_pays_for_one_hash() {
    let nas = Nas::start();
    nas.rest.get("/account/users/1/").object(200);
    let password = nas.rest.credential.split_once(':').unwrap().1.to_owned();
    let costly = by_openssl(&password, "rounds=300000$costlysaltcostly");
    assert!(costly.starts_with("$6$rounds=300000$"), "{costly}");
    let shadow = nas.disk.text("/etc/shadow");
    let line = nas.disk.line("/etc/shadow", "root").unwrap();
    let hash = nas.disk.field("/etc/shadow", "root", 1);
    std::fs::write(nas.disk.path("/etc/shadow"), shadow.replace(&line, &line.replace(&hash, &costly))).unwrap();

    let begun = Instant::now();
    nas.rest.get("/account/users/1/").object(200);
    let first = begun.elapsed();
    let begun = Instant::now();
    let many = format!("{}/account/users/1/?number=[1-200]", nas.rest.base);
    let options = ["-s", "-o", "/dev/null", "-w", "%{http_code}\n", "-u", &nas.rest.credential, &many];
    let output = Command::new("curl").args(options).output().unwrap();
    let codes = String::from_utf8(output.stdout).unwrap();
    assert_eq!(codes, "200\n".repeat(200));
    assert!(begun.elapsed() < first * 50, "200 requests took {:?}, one hash {first:?}", begun.elapsed());
}
