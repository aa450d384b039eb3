//! The methods of users.

use accountd_protocol::agent::User;
use accountd_protocol::dialects::RhodecodeWording;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::role::Role;
use serde_json::{Value, json};

use super::{Script, World};

fn new_user() -> Value {
    json!({"username": "carl", "password": "pw", "firstname": "Carl", "lastname": "Dee", "email": "carl@example.org"})
}

fn with(mut arguments: Value, more: &Value) -> Value {
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    arguments
}

#[test]
fn users_are_those_that_do_not_belong_to_the_system_and_root_and_nobody() {
    let (users, error) = World::new().call("get_users", json!({}));
    assert_eq!(error, Value::Null);
    let names: Vec<&str> = users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "root", "alice", "berta"]);
    let rows = [(0, false, false), (1, true, true), (7, true, false)];
    for ((id, active, admin), user) in rows.into_iter().zip(users.as_array().unwrap()) {
        assert_eq!((&user["id"], &user["active"], &user["admin"]), (&json!(id), &json!(active), &json!(admin)));
    }
}

#[test]
fn a_user_has_the_keys_of_every_version_and_never_an_api_key() {
    let (user, _) = World::new().call("get_user", json!({"username": "alice"}));
    let expected = json!({
        "id": 7, "user_id": 7, "username": "alice", "firstname": "Ann", "lastname": "Bea Cee",
        "email": "alice@example.org", "emails": ["alice@example.org"], "active": true, "admin": false,
        "ldap": null, "ldap_dn": null, "last_login": null, "ip_addresses": [],
    });
    assert_eq!(user, expected);
}

#[test]
fn a_user_is_found_by_name_or_id_and_the_systems_own_are_not_there() {
    let world = World::new();
    for found in [json!("alice"), json!(7), json!("7")] {
        for name in ["username", "userid", "user_name"] {
            assert_eq!(world.call("get_user", json!({name: found})).0["username"], "alice", "{name} {found}");
        }
    }
    for anonymous in [json!("default"), json!(0), json!("0")] {
        assert_eq!(world.call("get_user", json!({"username": anonymous})).0["username"], "default");
    }
    for nobody in [json!("daemon"), json!(2), json!("2"), json!("ALICE"), json!(99), json!(null), json!(["alice"])] {
        world.gives("get_user", json!({"username": nobody}), Value::Null);
    }
    let later = World::speaking(RhodecodeWording::V1_4);
    later.fails("get_user", json!({"userid": "x"}), "user `x` does not exist");
    assert_eq!(later.call("get_user", json!({})).0["username"], "root", "whoever asks");
}

#[test]
fn a_new_user_is_an_account_without_a_home_whose_name_is_kept_as_it_was_said() {
    let world = World::new();
    world.gives(
        "create_user",
        with(new_user(), &json!({"firstname": "Carl M.", "active": "False"})),
        json!({"msg": "created new user carl"}),
    );
    let asked = world.asked();
    assert_eq!(asked.len(), 1);
    for part in [
        r#"NewUserName("carl")"#,
        r#"FullName("Carl M. Dee")"#,
        r#"home: FieldPath("/nonexistent")"#,
        r#"shell: FieldPath("/usr/sbin/nologin")"#,
        "uid: None",
        "Clear(Secret(…))",
        "Private",
        "locked: true",
        r#"\"first\":\"Carl M.\",\"last\":\"Dee\""#,
    ] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
}

#[test]
fn what_is_said_of_a_new_user_depends_on_the_version() {
    World::speaking(RhodecodeWording::V1_3).gives(
        "create_user",
        new_user(),
        json!({"id": 9, "msg": "created new user carl"}),
    );
    let short = json!({"username": "carl", "password": "pw", "email": "carl@example.org"});
    let (made, error) = World::speaking(RhodecodeWording::V1_4).call("create_user", short.clone());
    assert_eq!(
        (&made["msg"], &made["user"]["user_id"], &error),
        (&json!("created new user `carl`"), &json!(9), &Value::Null)
    );
    World::new().fails("create_user", short, "Missing non optional `firstname` arg in JSON DATA");
}

#[test]
fn an_account_that_is_there_is_left_alone() {
    let world = World::new();
    for (name, expected) in [
        ("alice", "user alice already exist"),
        ("root", "user root already exist"),
        ("daemon", "user daemon already exist"),
        ("default", "user default already exist"),
        ("we ird", "failed to create user we ird"),
        ("../x", "failed to create user ../x"),
        ("", "failed to create user "),
        ("-rf", "failed to create user -rf"),
        ("accountd-api", "failed to create user accountd-api"),
        ("ünï", "failed to create user ünï"),
    ] {
        world.fails("create_user", with(new_user(), &json!({"username": name})), expected);
    }
    assert!(world.asked().is_empty(), "{:?}", world.asked());
    let duplicate = Refusal::invalid(Field::UserName, Problem::Duplicate("carl".into()));
    World::refusing(duplicate).fails("create_user", new_user(), "user carl already exist");
    let case = Refusal::invalid(Field::UserName, Problem::CaseDuplicate("Carl".into()));
    World::refusing(case).fails("create_user", new_user(), "failed to create user carl");
}

#[test]
fn a_mail_address_is_one_users() {
    let taken = with(new_user(), &json!({"email": "alice@example.org"}));
    for (wording, expected) in [
        (RhodecodeWording::Seed, "failed to create user carl"),
        (RhodecodeWording::V1_3, "email alice@example.org already exist"),
        (RhodecodeWording::V1_4, "email `alice@example.org` already exist"),
    ] {
        let world = World::speaking(wording);
        world.fails("create_user", taken.clone(), expected);
        assert!(world.asked().is_empty());
    }
    let world = World::new();
    world.fails("update_user", json!({"userid": "berta", "email": "alice@example.org"}), "failed to update user berta");
    world.gives(
        "update_user",
        json!({"userid": "alice", "email": "alice@example.org"}),
        json!({"id": 7, "msg": "updated user updated"}),
    );
}

#[test]
fn whoever_is_to_be_an_administrator_gets_the_role_or_is_not_made() {
    let world = World::new();
    world.gives("create_user", with(new_user(), &json!({"admin": "1"})), json!({"msg": "created new user anna"}));
    let asked = world.asked();
    assert!(asked[0].starts_with("CreateUser") && asked[1].contains("{Administrator}"), "{asked:?}");
    let mut script = Script::new();
    script.users[0].roles = vec![Role::AccountAdministrator];
    let world = World::of(script);
    world.fails("create_user", with(new_user(), &json!({"admin": true})), "Access was denied to this resource.");
    assert!(world.asked().is_empty());
}

#[test]
fn whoever_may_nothing_is_told_that_before_what_is_wrong() {
    let mut script = Script::new();
    script.users[0].roles = vec![];
    let world = World::of(script);
    world.fails("create_user", with(new_user(), &json!({"username": "we ird"})), "Access was denied to this resource.");
    let world = World::refusing(Refusal::NotPermitted);
    for (method, arguments) in [
        ("create_user", new_user()),
        ("update_user", json!({"userid": "alice"})),
        ("delete_user", json!({"userid": "alice"})),
        ("create_users_group", json!({"name": "ops"})),
        ("add_user_to_users_group", json!({"group_name": "devs", "user_name": "alice"})),
    ] {
        world.fails(method, arguments, "Access was denied to this resource.");
    }
}

#[test]
fn an_update_changes_what_it_names() {
    let world = World::new();
    let arguments = json!({"userid": 7, "username": "alina", "lastname": "Eff", "active": "false", "password": "None", "email": null});
    world.gives("update_user", arguments, json!({"id": 7, "msg": "updated user updated"}));
    let asked = world.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    for part in
        [r#"NewUserName("alina")"#, r#"FullName("Ann Eff")"#, "locked: Some(true)", "password: None", "email: None"]
    {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    let world = World::speaking(RhodecodeWording::V1_4);
    let (updated, _) = world.call("update_user", json!({"userid": "alice", "admin": true}));
    assert_eq!(updated["msg"], "updated user ID:7 updated");
    assert!(world.asked()[0].starts_with("SetRoles"), "{:?}", world.asked());
}

#[test]
fn an_update_that_can_not_be_is_refused_as_a_whole() {
    let world = World::new();
    for (arguments, expected) in [
        (json!({"userid": "nobody"}), "user nobody does not exist"),
        (json!({"userid": "default"}), "user default does not exist"),
        (json!({"userid": "daemon"}), "user daemon does not exist"),
        (json!({"userid": "alice", "username": "root"}), "failed to update user alice"),
        (json!({"userid": "alice", "email": "x"}), "failed to update user alice"),
        (json!({"userid": "alice", "active": "maybe"}), "failed to update user alice"),
        (json!({"userid": "alice", "firstname": "a:b"}), "failed to update user alice"),
    ] {
        world.fails("update_user", arguments, expected);
    }
    assert!(world.asked().is_empty());
    World::speaking(RhodecodeWording::V1_3).fails(
        "update_user",
        json!({"userid": 7}),
        "Missing non optional `username` arg in JSON DATA",
    );
    let world = World::refusing(Refusal::Busy);
    world.fails("update_user", json!({"userid": "alice", "lastname": "Eff"}), "failed to update user alice");
}

#[test]
fn a_deleted_user_is_named_with_its_id() {
    let world = World::new();
    world.gives("delete_user", json!({"userid": "alice"}), json!({"msg": "deleted user ID:7 alice", "user": null}));
    assert!(world.asked()[0].contains("home: Keep"), "{:?}", world.asked());
    world.fails("delete_user", json!({"userid": "daemon"}), "user daemon does not exist");
    World::refusing(Refusal::BuiltinDelete).fails(
        "delete_user",
        json!({"userid": "root"}),
        "failed to delete ID:1 root",
    );
}

#[test]
fn nobodys_number_is_no_account_s() {
    assert!(Script::new().users.iter().all(|user: &User| user.id != AccountId(0)));
}
