//! `bsdusr_sshpubkey`: the key file of a user.

use serde_json::json;

use super::{Nas, new_user};

pub const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDbfk0o0Xy2IjCd9kA2ZzVI/PktohQNUbgWHshY2z+Jv someone@somewhere";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKMQjwvXPnl108pxlJCx6g+3rjCq04pOp7xwFeQnqWJ8";

#[test]
fn keys_are_written_for_sshd_to_accept_and_read_back() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("keyed", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    let two = format!("{KEY}\n{OTHER}\n");
    let user = nas.rest.put(&path, &json!({"bsdusr_sshpubkey": two}).to_string()).object(200);
    assert_eq!(user["bsdusr_sshpubkey"], two);
    assert_eq!(nas.disk.text("/mnt/tank/home/keyed/.ssh/authorized_keys"), two);
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/keyed/.ssh"), (3001, 3001, 0o700));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/keyed/.ssh/authorized_keys"), (3001, 3001, 0o600));

    nas.rest.put(&path, r#"{"bsdusr_full_name": "Still Keyed"}"#).object(200);
    assert_eq!(nas.disk.text("/mnt/tank/home/keyed/.ssh/authorized_keys"), two, "an unrelated change keeps them");

    let user = nas.rest.put(&path, r#"{"bsdusr_sshpubkey": ""}"#).object(200);
    assert_eq!(user["bsdusr_sshpubkey"], "");
    assert!(!nas.disk.path("/mnt/tank/home/keyed/.ssh/authorized_keys").exists());
    assert!(nas.disk.path("/mnt/tank/home/keyed/.ssh").is_dir());
}

#[test]
fn keys_may_come_with_the_user() {
    let nas = Nas::start();
    let mut sent: serde_json::Value = serde_json::from_str(&new_user("born", 3001, "pw")).unwrap();
    sent["bsdusr_sshpubkey"] = json!(KEY);
    let user = nas.rest.post("/account/users/", &sent.to_string()).object(201);
    assert_eq!(user["bsdusr_sshpubkey"], format!("{KEY}\n"));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/born/.ssh/authorized_keys"), (3001, 3001, 0o600));
}

#[test]
fn root_is_user_1_and_can_be_given_a_key() {
    let nas = Nas::start();
    let root = nas.rest.put("/account/users/1/", &json!({"bsdusr_sshpubkey": KEY}).to_string()).object(200);
    assert_eq!((&root["bsdusr_username"], &root["bsdusr_uid"]), (&json!("root"), &json!(0)));
    assert_eq!(nas.disk.text("/root/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert_eq!(nas.disk.owner_and_mode("/root/.ssh/authorized_keys"), (0, 0, 0o600));
}

/// In one answer of the agent, these would be more than the 64 MiB that it may have.
#[test]
fn many_users_with_long_key_files_are_listed_all_the_same() {
    let nas = Nas::start();
    let home = nas.disk.path("/mnt/tank/home/crowd");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    let keys = format!("#{}\n", "\u{1}".repeat(64 * 1024 - 2));
    std::fs::write(home.join(".ssh/authorized_keys"), &keys).unwrap();
    let mut passwd = nas.disk.text("/etc/passwd");
    for number in 0..200 {
        passwd.push_str(&format!("crowd{number}:x:{}:100:Crowd:/mnt/tank/home/crowd:/bin/sh\n", 5000 + number));
    }
    std::fs::write(nas.disk.path("/etc/passwd"), passwd).unwrap();
    let answer = nas.rest.get("/account/users/?limit=0");
    assert!(answer.body.len() > 64 << 20, "{} bytes", answer.body.len());
    let users = answer.object(200);
    let with_keys = users.as_array().unwrap().iter().filter(|user| user["bsdusr_sshpubkey"] == keys.as_str()).count();
    assert_eq!(with_keys, 200);
}

#[test]
fn a_user_without_a_home_has_no_place_for_keys() {
    let nas = Nas::start();
    let id = nas.rest.create_user(
        r#"{"bsdusr_username":"homeless","bsdusr_uid":3001,"bsdusr_creategroup":true,"bsdusr_full_name":"H",
            "bsdusr_password":"pw"}"#,
    );
    nas.rest
        .put(&format!("/account/users/{id}/"), &json!({"bsdusr_sshpubkey": KEY}).to_string())
        .is(409, r#"{"bsdusr_sshpubkey": ["The home directory is not writable. Leave this field blank."]}"#);
}

#[test]
fn keys_of_a_new_account_come_into_the_home_that_is_its_own_already() {
    let nas = Nas::start();
    let home = "/mnt/tank/home/anna";
    nas.world.run(&["install", "-d", "-o", "3001", "-g", "3001", "-m", "700", home]);
    nas.world.run(&["install", "-o", "3001", "-g", "3001", "/dev/null", &format!("{home}/kept")]);
    let mut user: serde_json::Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
    user["bsdusr_sshpubkey"] = KEY.into();
    nas.rest.create_user(&user.to_string());
    let keys = std::fs::read_to_string(nas.disk.path(&format!("{home}/.ssh/authorized_keys"))).unwrap();
    assert_eq!(keys, format!("{KEY}\n"));
    assert!(nas.disk.path(&format!("{home}/kept")).exists());
}
