//! Requests that are carried out: what the agent is asked, what the client is told.

use rocket::http::Method;

use super::{MYUSER, NEW, World};

#[test]
fn a_new_user_is_answered_with_201_its_place_and_nothing_of_its_password() {
    let world = World::new();
    let seen = world.json(Method::Post, "/account/users/", NEW);
    seen.is(201, MYUSER);
    assert_eq!(seen.header("location"), Some("/api/v1.0/account/users/7/"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("vary"), Some("Accept"));
    let asked = &world.asked()[0];
    for part in [
        "NewUserName(\"myuser\")",
        "uid: Some(1111)",
        "FieldPath(\"/mnt/tank/home/myuser\")",
        "FieldPath(\"/bin/csh\")",
        "home_mode: Some(493)",
        "primary_group: Private",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[test]
fn the_name_is_appended_to_a_home_that_does_not_end_in_it() {
    let rows = [
        ("/mnt/tank/home", "/mnt/tank/home/myuser"),
        ("/mnt/tank/myuser", "/mnt/tank/myuser"),
        ("/mnt/tank/notmyuser", "/mnt/tank/notmyuser/myuser"),
        ("/mnt//tank/", "/mnt/tank/myuser"),
        ("mnt/tank/x", "/mnt/tank/x/myuser"),
        ("/mnt/tank/./home", "/mnt/tank/home/myuser"),
        ("./mnt/./tank/myuser/.", "/mnt/tank/myuser"),
        ("nonexistent", "/nonexistent"),
        ("/nonexistent", "/nonexistent"),
    ];
    for (home, expected) in rows {
        let world = World::new();
        world.json(Method::Post, "/account/users/", &NEW.replace("/mnt/tank/home", home));
        assert!(world.asked()[0].contains(&format!("home: FieldPath(\"{expected}\")")), "{home}: {:?}", world.asked());
    }
}

#[test]
fn lists_are_bare_arrays_with_their_range() {
    let world = World::new();
    let seen = world.get("/account/users/?limit=2&offset=30&sort(-bsdusr_uid)&limitless=1");
    seen.is(200, &format!("[{}]", MYUSER.replace("\"id\": 7", "\"id\": 30")));
    assert_eq!(seen.header("content-range"), Some("items 30-30/31"));
    assert!(world.asked()[0].contains("SortKey { by: Number, direction: Descending }"), "{:?}", world.asked());
    let past = world.get("/account/users/?offset=100");
    past.is(200, "[]");
    assert_eq!(past.header("content-range"), Some("items 0--1/31"));
    let groups = world.get("/account/groups/");
    groups.is(
        200,
        r#"[{"bsdgrp_builtin": false, "bsdgrp_gid": 1200, "bsdgrp_group": "mygroup", "bsdgrp_sudo": false, "id": 40}]"#,
    );
    world
        .get("/account/users/?bsdusr_username=root")
        .is(400, r#"{"error": "The 'bsdusr_username' field does not allow filtering."}"#);
    world
        .get("/account/groups/?limit=-1")
        .is(400, r#"{"error": "Invalid limit '-1' provided. Please provide a positive integer &gt;= 0."}"#);
}

#[test]
fn changes_deletions_passwords_and_memberships_have_the_codes_that_clients_know() {
    let world = World::new();
    world
        .json(
            Method::Put,
            "/account/users/7/",
            r#"{"bsdusr_locked": "true", "bsdusr_email": "a@b.cd", "bsdusr_full_name": "J\u00f6rg"}"#,
        )
        .is(200, MYUSER);
    world.json(Method::Patch, "/account/users/7/", r#"{"bsdusr_password": ""}"#).is(202, MYUSER);
    world.json(Method::Post, "/account/users/7/password/", r#"{"bsdusr_password": "x?"}"#).is(200, MYUSER);
    world.json(Method::Delete, "/account/users/7/", "").is(204, "");
    world.get("/account/users/7/groups/").is(200, r#"["ftp"]"#);
    world.json(Method::Post, "/account/users/7/groups/", r#"["wheel", "ftp", 3]"#).is(202, r#"["ftp"]"#);
    world.json(Method::Post, "/account/users/7/groups/", r#""wheel""#).is(202, r#"["ftp"]"#);
    world.json(Method::Post, "/account/groups/", r#"{"bsdgrp_gid": 1200, "bsdgrp_group": "mygroup"}"#);
    let asked = world.asked();
    for (index, parts) in [
        (0, &["GetUser(AccountId(7))"][..]),
        (
            1,
            &[
                "locked: Some(true)",
                "email: Some(Email(\"a@b.cd\"))",
                "full_name: None",
                "ssh_keys: None",
                "password: None",
            ],
        ),
        (3, &["password: None", "locked: None"]),
        (4, &["SetPassword { id: AccountId(7)"]),
        (7, &["[\"wheel\", \"ftp\"]"]),
        (8, &["groups: []"]),
        (9, &["gid: Some(1200), shared_gid: Refused"]),
    ] {
        for part in parts {
            assert!(asked[index].contains(part), "{part} in {}", asked[index]);
        }
    }
}

#[test]
fn a_deleted_home_is_asked_for_in_a_body_of_json() {
    let rows = [
        ("", "home: Keep"),
        ("{}", "home: Keep"),
        (r#"{"delete_home": "false", "nodelgroup": true}"#, "home: Keep"),
        (r#"{"delete_home": true}"#, "home: Remove"),
    ];
    for (body, asked) in rows {
        let world = World::new();
        world.json(Method::Delete, "/account/users/7/", body).is(204, "");
        assert!(world.asked()[0].contains(asked), "{body}: {:?}", world.asked());
    }
}

#[test]
fn the_home_of_a_user_is_shown_with_its_transfer() {
    let world = World::new();
    world
        .get("/account/users/7/home/")
        .is(200, r#"{"exists": true, "home": "/mnt/tank/home/myuser", "transfer": null}"#);
}

#[test]
fn what_happens_to_the_old_home_is_said_in_one_of_three_words() {
    for (word, meant) in [("copy", "Copy"), ("move", "Move"), ("none", "None")] {
        let world = World::new();
        let body = format!("{{\"bsdusr_home\": \"/mnt/tank/x\", \"bsdusr_home_transfer\": \"{word}\"}}");
        assert_eq!(world.json(Method::Put, "/account/users/7/", &body).status, 200);
        assert!(world.asked()[1].contains(&format!("home_transfer: {meant}")), "{:?}", world.asked());
    }
    for word in ["\"Move\"", "\"steal\"", "7", "[]"] {
        let body = format!("{{\"bsdusr_home_transfer\": {word}}}");
        let seen = World::new().json(Method::Put, "/account/users/7/", &body);
        assert_eq!(seen.status, 409, "{word}");
        assert!(seen.body.starts_with("{\"bsdusr_home_transfer\": [\""), "{}", seen.body);
    }
}

#[test]
fn the_home_that_a_user_has_is_passed_on_so_that_a_transfer_can_begin_again() {
    let world = World::new();
    world.json(Method::Put, "/account/users/7/", r#"{"bsdusr_home": "/mnt/tank/home/myuser"}"#);
    assert!(world.asked()[1].contains("home: Some(FieldPath(\"/mnt/tank/home/myuser\"))"), "{:?}", world.asked());
}
