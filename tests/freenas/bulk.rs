//! Many users in one request, and hashes instead of passwords.

use serde_json::{Value, json};

use super::{Nas, new_user};
use crate::world::World;

/// `$6$` of "correct horse", as mkpasswd(1) makes it.
fn hash_of(nas: &Nas, password: &str) -> String {
    nas.world.run(&["openssl", "passwd", "-6", "-salt", "saltsaltsaltsalt", password]).trim().to_owned()
}

fn object(name: &str, uid: u32, hash: &str) -> Value {
    let mut object: Value = serde_json::from_str(&new_user(name, uid, "")).unwrap();
    object.as_object_mut().unwrap().remove("bsdusr_password");
    object["bsdusr_password_hash"] = json!(hash);
    object
}

#[test]
fn all_users_of_a_request_are_made_and_log_in_with_what_they_had() {
    let nas = Nas::start();
    let hash = hash_of(&nas, "correct horse");
    let mut objects: Vec<Value> =
        (1..=3).map(|number| object(&format!("many{number}"), 3000 + number, &hash)).collect();
    objects[1]["bsdusr_home"] = json!("/nonexistent");
    objects[2]["bsdusr_sudo"] = json!(true);
    let made = nas.rest.json("PATCH", "/account/users/", &json!({"objects": objects}).to_string()).object(202);
    let made = made["objects"].as_array().unwrap();
    for (number, object) in (1..=3).zip(made) {
        let name = format!("many{number}");
        assert_eq!(object["bsdusr_username"], name);
        let shown = nas.rest.get(&format!("/account/users/{}/", object["id"])).object(200);
        assert_eq!((&shown["bsdusr_username"], &shown["bsdusr_unixhash"]), (&json!(name), &json!(hash)));
        assert_eq!((&shown["bsdusr_smbhash"], &shown["bsdusr_sudo"]), (&json!("*"), &json!(number == 3)));
        assert_eq!(nas.disk.field("/etc/group", &name, 2), (3000 + number).to_string());
    }
    assert!(nas.world.with_password("many1", "correct horse").logs_in());
    assert!(!nas.world.with_password("many1", "wrong").logs_in());
}

#[test]
fn one_object_that_is_wrong_keeps_all_from_being_made() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3009, "pw"));
    let hash = hash_of(&nas, "pw");
    let before = nas.disk.everything("/mnt");
    let files = || ["passwd", "shadow", "group", "gshadow"].map(|file| nas.disk.text(&format!("/etc/{file}")));
    let etc = files();
    let good = || object("good", 3001, &hash);
    let rows = [
        (
            vec![good(), object("anna", 3002, &hash)],
            json!({"1": {"bsdusr_username": ["The username \"anna\" already exists."]}}),
        ),
        (
            vec![object("a:b", 3001, &hash), good()],
            json!({"0": {"bsdusr_username": ["name contains invalid characters: :"]}}),
        ),
        (
            vec![good(), object("good", 3002, &hash)],
            json!({"1": {"bsdusr_username": ["The username \"good\" already exists."]}}),
        ),
        (
            vec![good(), json!({"id": 1, "bsdusr_full_name": "x"})],
            json!({"1": {"id": ["Only new objects can be sent in a list."]}}),
        ),
        (
            vec![object("other", 3002, "x"), good()],
            json!({"0": {"bsdusr_password_hash": ["This is not a password hash that can be verified here."]}}),
        ),
    ];
    for (objects, faults) in rows {
        let refused = nas.rest.json("PATCH", "/account/users/", &json!({"objects": objects}).to_string()).object(409);
        assert_eq!(refused, json!({"objects": faults}));
        assert!(files() == etc && nas.disk.everything("/mnt") == before, "{objects:?}");
    }
    for body in
        ["{}", "[]", r#"{"objects": {}}"#, r#"{"objects": [1]}"#, r#"{"objects": [], "deleted_objects": ["/1/"]}"#]
    {
        assert_eq!(nas.rest.json("PATCH", "/account/users/", body).status, 400, "{body}");
    }
    let large = json!({"objects": [], "x": "x".repeat(17 << 20)}).to_string();
    assert_eq!(nas.rest.json("PATCH", "/account/users/", &large).status, 413);
    assert_eq!(nas.rest.json("PATCH", "/account/users/", r#"{"objects": []}"#).object(202), json!({"objects": []}));
    assert!(files() == etc);
}

#[test]
fn hashes_are_masked_where_the_configuration_says_so() {
    let nas = Nas::of(World::start_with("[accounts]\nshow_hashes = \"masked\"\n"));
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    for answer in [nas.rest.get(&format!("/account/users/{id}/")), nas.rest.get("/account/users/?limit=1")] {
        let user = answer.value();
        let user = user.get(0).unwrap_or(&user);
        assert_eq!((&user["bsdusr_unixhash"], &user["bsdusr_smbhash"]), (&json!("*"), &json!("*")));
    }
    assert!(nas.disk.field("/etc/shadow", "anna", 1).starts_with("$6$"));
    assert!(nas.world.with_password("anna", "pw").logs_in());
}
