//! Users: made, changed, deleted; each answer beside what is on disk.

use serde_json::json;

use super::{Nas, new_user};

#[test]
fn a_new_user_is_in_every_file_and_has_a_home() {
    let nas = Nas::start();
    let sent = r#"{"bsdusr_username":"myuser","bsdusr_creategroup":true,"bsdusr_full_name":"My User",
        "bsdusr_password":"test","bsdusr_uid":1111,"bsdusr_home":"/mnt/tank/home","bsdusr_email":"my@example.org"}"#;
    let answer = nas.rest.post("/account/users/", sent);
    let user = answer.object(201);
    let location = format!("/api/v1.0/account/users/{}/", user["id"]);
    assert_eq!(answer.header("location"), Some(location.as_str()));

    assert_eq!(
        nas.disk.line("/etc/passwd", "myuser").as_deref(),
        Some("myuser:x:1111:1111:My User:/mnt/tank/home/myuser:/bin/csh")
    );
    assert_eq!(nas.disk.line("/etc/group", "myuser").as_deref(), Some("myuser:x:1111:"));
    assert!(nas.disk.line("/etc/gshadow", "myuser").is_some());
    let hash = nas.disk.field("/etc/shadow", "myuser", 1);
    assert!(hash.starts_with("$6$") && hash.split('$').nth(2).is_some_and(|salt| salt.len() == 16), "{hash}");
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/myuser"), (1111, 1111, 0o755));

    assert_eq!(user["bsdusr_unixhash"], hash);
    assert_eq!(user["bsdusr_smbhash"], nas.disk.line("/etc/samba/smbpasswd", "myuser").unwrap());
    assert_eq!(user["bsdusr_home"], "/mnt/tank/home/myuser");
    assert_eq!(user["bsdusr_group"], 1111);
    assert_eq!(user["bsdusr_email"], "my@example.org");
    assert_eq!(user.get("bsdusr_password"), None);
    assert_eq!(nas.rest.get(&format!("/account/users/{}/", user["id"])).object(200), user);
}

#[test]
fn numbers_and_checkboxes_may_be_texts() {
    let nas = Nas::start();
    let id = nas.rest.create_user(
        r#"{"bsdusr_username":"texts","bsdusr_uid":" 2201.0 ","bsdusr_creategroup":"on","bsdusr_full_name":"T",
            "bsdusr_password_disabled":"True","bsdusr_locked":"0","bsdusr_home":"/mnt/tank/texts","bsdusr_mode":750,
            "bsdusr_shell":"/bin/sh","bsdusr_nonsense":[{}]}"#,
    );
    assert_eq!(nas.disk.line("/etc/passwd", "texts").as_deref(), Some("texts:x:2201:2201:T:/mnt/tank/texts:/bin/sh"));
    assert_eq!(nas.disk.field("/etc/shadow", "texts", 1), "*");
    assert_eq!(nas.disk.line("/etc/samba/smbpasswd", "texts"), None);
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/texts"), (2201, 2201, 0o750));
    let user = nas.rest.get(&format!("/account/users/{id}/")).object(200);
    assert_eq!((&user["bsdusr_password_disabled"], &user["bsdusr_locked"]), (&json!(true), &json!(false)));
    assert_eq!((&user["bsdusr_unixhash"], &user["bsdusr_smbhash"]), (&json!("*"), &json!("*")));
}

#[test]
fn a_primary_group_is_given_by_id_and_shown_by_gid() {
    let nas = Nas::start();
    let group = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
    let user = nas.rest.post(
        "/account/users/",
        &json!({"bsdusr_username": "member", "bsdusr_uid": 4201, "bsdusr_full_name": "M", "bsdusr_password": "pw",
            "bsdusr_group": group["id"]})
        .to_string(),
    );
    let user = user.object(201);
    assert_eq!(user["bsdusr_group"], 4200);
    assert_eq!(nas.disk.line("/etc/passwd", "member").as_deref(), Some("member:x:4201:4200:M:/nonexistent:/bin/csh"));
    assert_eq!(nas.disk.line("/etc/group", "member"), None);
}

#[test]
fn a_change_touches_what_it_names_and_nothing_else() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let shadow = nas.disk.line("/etc/shadow", "anna");
    let group = nas.disk.text("/etc/group");
    let path = format!("/account/users/{id}/");
    let user = nas.rest.put(&path, r#"{"bsdusr_full_name": "Anna Ämter", "bsdusr_shell": "/bin/sh"}"#).object(200);
    assert_eq!((&user["bsdusr_full_name"], &user["bsdusr_uid"]), (&json!("Anna Ämter"), &json!(3001)));
    assert_eq!(
        nas.disk.line("/etc/passwd", "anna").as_deref(),
        Some("anna:x:3001:3001:Anna Ämter:/mnt/tank/home/anna:/bin/sh")
    );
    assert_eq!((nas.disk.line("/etc/shadow", "anna"), nas.disk.text("/etc/group")), (shadow, group));
    let patched = nas.rest.json("PATCH", &path, r#"{"bsdusr_email": "a@example.org", "id": 77}"#).object(202);
    assert_eq!((&patched["bsdusr_email"], &patched["id"]), (&json!("a@example.org"), &json!(id)));
    assert_eq!(patched["bsdusr_full_name"], "Anna Ämter");
}

#[test]
fn a_full_name_has_120_characters_of_any_script() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("writer", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    for character in ["字", "𠀀"] {
        let name = character.repeat(120);
        let user = nas.rest.put(&path, &json!({"bsdusr_full_name": name}).to_string()).object(200);
        assert_eq!(user["bsdusr_full_name"], name);
        assert_eq!(nas.disk.field("/etc/passwd", "writer", 4), name);
    }
    nas.rest
        .put(&path, &json!({"bsdusr_full_name": "字".repeat(121)}).to_string())
        .is(409, r#"{"bsdusr_full_name": ["Ensure this value has at most 120 characters (it has 121)."]}"#);
}

#[test]
fn a_renamed_user_takes_hash_memberships_and_samba_line_along() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("before", 3001, "password"));
    nas.rest.post(&format!("/account/users/{id}/groups/"), r#"["wheel"]"#).is(202, r#"["wheel"]"#);
    let hash = nas.disk.field("/etc/shadow", "before", 1);
    let user = nas
        .rest
        .put(&format!("/account/users/{id}/"), r#"{"bsdusr_username": "after", "bsdusr_uid": 3002}"#)
        .object(200);
    assert_eq!((&user["id"], &user["bsdusr_username"]), (&json!(id), &json!("after")));
    for file in ["/etc/passwd", "/etc/shadow", "/etc/samba/smbpasswd"] {
        assert_eq!(nas.disk.line(file, "before"), None, "{file}");
    }
    assert_eq!(
        nas.disk.line("/etc/passwd", "after").as_deref(),
        Some("after:x:3002:3001:Some One:/mnt/tank/home/before:/bin/csh")
    );
    assert_eq!(nas.disk.field("/etc/shadow", "after", 1), hash);
    assert_eq!(nas.disk.field("/etc/group", "wheel", 3), "after");
    let samba = nas.disk.line("/etc/samba/smbpasswd", "after").unwrap();
    assert!(samba.starts_with("after:3002:") && samba.contains(":8846F7EAEE8FB117AD06BDD830B7586C:"), "{samba}");
    assert!(nas.disk.line("/etc/group", "before").is_some(), "the private group keeps its name");
}

#[test]
fn a_deleted_user_is_in_no_file_and_its_home_stays() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("gone", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    nas.rest.post(&format!("{path}groups/"), r#"["ftp"]"#).is(202, r#"["ftp"]"#);
    nas.rest.put(&path, &json!({"bsdusr_sshpubkey": super::keys::KEY}).to_string()).object(200);
    let answer = nas.rest.delete(&path);
    answer.is(204, "");
    for file in ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/samba/smbpasswd"] {
        assert!(!nas.disk.text(file).contains("gone"), "{file}");
    }
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/gone"), (3001, 3001, 0o755));
    assert!(nas.disk.text("/mnt/tank/home/gone/.ssh/authorized_keys").starts_with("ssh-ed25519 "));
    let gone = nas.rest.get(&path);
    gone.is(404, "");
    assert_eq!(gone.header("content-type"), Some("text/html; charset=utf-8"));
    let canned = r#"{"error_message": "Sorry, this request could not be processed. Please try again later."}"#;
    nas.rest.delete(&path).is(404, canned);
    nas.rest.put(&path, "{}").is(404, "\"Object not found\"");
    assert_ne!(nas.rest.create_user(&new_user("next", 3002, "pw")), id, "ids are not used again");
}

#[test]
fn a_new_home_gets_the_keys_and_the_old_one_stays() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("mover", 3001, "pw"));
    let path = format!("/account/users/{id}/");
    nas.rest.put(&path, &json!({"bsdusr_sshpubkey": super::keys::KEY}).to_string()).object(200);
    let user = nas.rest.put(&path, r#"{"bsdusr_home": "/mnt/tank/elsewhere"}"#).object(200);
    assert_eq!(user["bsdusr_home"], "/mnt/tank/elsewhere");
    assert_eq!(user["bsdusr_sshpubkey"], format!("{}\n", super::keys::KEY));
    assert_eq!(nas.disk.field("/etc/passwd", "mover", 5), "/mnt/tank/elsewhere");
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/elsewhere"), (3001, 3001, 0o755));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/elsewhere/.ssh/authorized_keys"), (3001, 3001, 0o600));
    assert!(nas.disk.path("/mnt/tank/home/mover").is_dir());
}

#[test]
fn a_home_is_made_absolute_and_has_one_spelling() {
    let nas = Nas::start();
    let mut form: serde_json::Value = serde_json::from_str(&new_user("speller", 3001, "pw")).unwrap();
    form["bsdusr_home"] = json!("mnt/tank/./home");
    let user = nas.rest.post("/account/users/", &form.to_string()).object(201);
    assert_eq!(user["bsdusr_home"], "/mnt/tank/home/speller");
    let path = format!("/account/users/{}/", user["id"]);
    let user = nas.rest.put(&path, r#"{"bsdusr_home": "./mnt//tank/./other/"}"#).object(200);
    assert_eq!(user["bsdusr_home"], "/mnt/tank/other");
    assert_eq!(nas.disk.field("/etc/passwd", "speller", 5), "/mnt/tank/other");
    assert!(nas.disk.path("/mnt/tank/other").is_dir());
    nas.rest
        .put(&path, r#"{"bsdusr_home": "/mnt/tank/other/../third"}"#)
        .is(409, r#"{"bsdusr_home": ["The path must not contain \"..\"."]}"#);
}

#[test]
fn the_mode_of_a_home_can_be_changed() {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("modes", 3001, "pw"));
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_mode": "700"}"#).object(200);
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/modes"), (3001, 3001, 0o700));
}
