//! The methods of users groups and of their members.

use accountd_protocol::dialects::RhodecodeWording;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use serde_json::{Value, json};

use super::{Script, World};

#[test]
fn groups_are_those_that_are_no_users_own_and_not_the_systems() {
    let (groups, _) = World::new().call("get_users_groups", json!({}));
    let group = &groups[0];
    assert_eq!(groups.as_array().unwrap().len(), 1);
    for (key, value) in [
        ("id", json!(41)),
        ("users_group_id", json!(41)),
        ("name", json!("devs")),
        ("group_name", json!("devs")),
        ("active", json!(true)),
    ] {
        assert_eq!(group[key], value, "{key}");
    }
    assert_eq!(
        (group["members"][0]["username"].as_str(), group["members"].as_array().unwrap().len()),
        (Some("berta"), 1)
    );
}

#[test]
fn a_group_is_found_by_name_or_id() {
    let world = World::new();
    for which in [json!("devs"), json!(41), json!("41")] {
        let (group, _) = world.call("get_users_group", json!({"group_name": which}));
        assert_eq!((&group["name"], &group["members"][0]["id"]), (&json!("devs"), &json!(8)));
    }
    for nothing in [json!("wheel"), json!(3), json!("nothing"), json!(null), json!("DEVS")] {
        world.gives("get_users_group", json!({"group_name": nothing}), Value::Null);
    }
    let later = World::speaking(RhodecodeWording::V1_4);
    later.fails("get_user_group", json!({"usergroupid": "x"}), "user group `x` does not exist");
}

#[test]
fn a_new_group_has_an_id() {
    World::new().gives(
        "create_users_group",
        json!({"name": "ops"}),
        json!({"id": 42, "msg": "created new users group ops"}),
    );
    World::new().gives(
        "create_users_group",
        json!({"group_name": "ops", "active": "True"}),
        json!({"id": 42, "msg": "created new users group ops"}),
    );
    let (made, _) = World::speaking(RhodecodeWording::V1_4).call("create_user_group", json!({"group_name": "ops"}));
    assert_eq!((&made["msg"], &made["users_group"]["members"]), (&json!("created new user group `ops`"), &json!([])));
}

#[test]
fn a_group_that_can_not_be_is_refused() {
    let world = World::new();
    for (arguments, expected) in [
        (json!({"name": "devs"}), "users group devs already exist"),
        (json!({"name": "alice"}), "users group alice already exist"),
        (json!({"name": "wheel"}), "users group wheel already exist"),
        (json!({"name": "a b"}), "failed to create group a b"),
        (json!({"name": ""}), "failed to create group "),
        (json!({"name": 5}), "failed to create group 5"),
        (json!({"name": "ops", "active": false}), "failed to create group ops"),
        (json!({"name": "ops", "active": "0"}), "failed to create group ops"),
        (json!({}), "Missing non optional `name` arg in JSON DATA"),
    ] {
        world.fails("create_users_group", arguments, expected);
    }
    assert!(world.asked().is_empty());
    let duplicate = Refusal::invalid(Field::GroupName, Problem::Duplicate("ops".into()));
    World::refusing(duplicate).fails("create_users_group", json!({"name": "ops"}), "users group ops already exist");
}

#[test]
fn a_second_time_is_as_good_as_the_first_and_has_the_same_id() {
    let world = World::new();
    let alice = json!({"group_name": "devs", "user_name": "alice"});
    let (added, _) = world.call("add_user_users_group", alice);
    assert_eq!(added["msg"], "created new users group member");
    let asked = world.asked();
    assert!(asked[0].contains(r#"[Name("berta"), Id(AccountId(7))]"#) && asked[0].contains("OneOf"), "{asked:?}");
    let berta = json!({"group_name": "devs", "user_name": "berta"});
    let first = world.call("add_user_to_users_group", berta.clone());
    assert_eq!(first, world.call("add_user_to_users_group", berta));
    assert_ne!(first.0["id"], added["id"]);
    assert_eq!(world.asked().len(), 1, "nothing was to be done");
}

#[test]
fn later_versions_say_who_came_into_what() {
    let alice = json!({"group_name": "devs", "username": "alice"});
    let berta = json!({"group_name": "devs", "username": "berta"});
    for (wording, expected) in [
        (RhodecodeWording::V1_3, "added member alice to users group devs"),
        (RhodecodeWording::V1_4, "added member `alice` to user group `devs`"),
    ] {
        let world = World::speaking(wording);
        let (added, _) = world.call("add_user_to_users_group", alice.clone());
        assert_eq!((&added["success"], &added["msg"]), (&json!(true), &json!(expected)));
        let again = json!({"id": null, "success": false, "msg": "User is already in that group"});
        world.gives("add_user_to_users_group", berta.clone(), again);
    }
    let world = World::speaking(RhodecodeWording::V1_3);
    world.gives(
        "remove_user_from_users_group",
        berta,
        json!({"success": true, "msg": "removed member berta from users group devs"}),
    );
    world.gives("remove_user_from_users_group", alice, json!({"success": false, "msg": "User wasn't in group"}));
    let own = json!({"group_name": "alice", "username": "alice"});
    world.fails("remove_user_from_users_group", own, "failed to remove users group member");
}

#[test]
fn who_or_what_is_not_there_is_named_where_the_version_has_words() {
    let rows = [
        (RhodecodeWording::Seed, "unknown users group GROUP", "failed to create users group member"),
        (RhodecodeWording::V1_3, "unknown users group GROUP", "unknown user y"),
        (RhodecodeWording::V1_4, "user group `GROUP` does not exist", "user `y` does not exist"),
    ];
    for (wording, no_group, no_user) in rows {
        let world = World::speaking(wording);
        world.fails(
            "add_user_to_users_group",
            json!({"group_name": "x", "userid": "alice"}),
            &no_group.replace("GROUP", "x"),
        );
        world.fails("add_user_to_users_group", json!({"group_name": "devs", "userid": "y"}), no_user);
        world.fails(
            "add_user_to_users_group",
            json!({"group_name": "wheel", "userid": "alice"}),
            &no_group.replace("GROUP", "wheel"),
        );
    }
}

#[test]
fn a_list_that_somebody_else_changes_is_read_again() {
    let world = World::of(Script { changes: 3, ..Script::new() });
    let (added, _) = world.call("add_user_to_users_group", json!({"group_name": "devs", "user_name": "alice"}));
    assert_eq!(added["msg"], "created new users group member");
    assert_eq!(world.asked().len(), 4);
    let world = World::of(Script { changes: usize::MAX, ..Script::new() });
    world.fails(
        "add_user_to_users_group",
        json!({"group_name": "devs", "user_name": "alice"}),
        "failed to create users group member",
    );
}
