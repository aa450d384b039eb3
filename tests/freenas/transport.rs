//! What clients of this API rely on before they look at an account.

use serde_json::json;

use super::{Nas, new_user};

#[test]
fn ids_begin_with_root_and_have_no_gaps() {
    let nas = Nas::start();
    let users = nas.rest.get("/account/users/?limit=0").object(200);
    let mut ids: Vec<u64> = users.as_array().unwrap().iter().map(|user| user["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert_eq!(nas.rest.get("/account/users/1/").object(200)["bsdusr_username"], "root");
    let groups = nas.rest.get("/account/groups/?limit=0").object(200);
    for name in ["wheel", "ftp"] {
        let group = groups.as_array().unwrap().iter().find(|group| group["bsdgrp_group"] == name);
        assert_eq!(group.map(|group| &group["bsdgrp_builtin"]), Some(&true.into()), "{name}");
    }
}

#[test]
fn lists_are_bare_arrays_in_parts() {
    let nas = Nas::start();
    for number in 0..5 {
        nas.rest.create_user(&new_user(&format!("user{number}"), 3000 + number, "pw"));
    }
    let names = |query: &str| -> Vec<String> {
        let users = nas.rest.get(&format!("/account/users/{query}")).object(200);
        users.as_array().unwrap().iter().map(|user| user["bsdusr_username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("?limit=6")[..], ["user0", "user1", "user2", "user3", "user4", "root"]);
    assert_eq!(names("?limit=2&offset=2"), ["user2", "user3"]);
    assert_eq!(names("?sort(-bsdusr_uid)&limit=0").iter().filter(|name| name.starts_with("user")).count(), 5);
    assert_eq!(names("?sort(bsdusr_uid)&limit=1"), ["root"]);
    let repeated = format!("?sort({}id)&limit=1", "bsdusr_uid,-bsdusr_uid,".repeat(2500));
    assert_eq!(names(&repeated), ["root"], "a field that is repeated counts once");
    let total = names("?limit=0").len();
    let part = nas.rest.get("/account/users/?limit=2&offset=2");
    assert_eq!(part.header("content-range"), Some(format!("items 2-3/{total}").as_str()));
    let past = nas.rest.get("/account/users/?offset=500");
    past.is(200, "[]");
    assert_eq!(past.header("content-range"), Some(format!("items 0--1/{total}").as_str()));
    let ranged = nas.rest.curl("GET", "/account/users/", &["-H", "Range: items=0-2"], None);
    assert_eq!(ranged.object(200).as_array().unwrap().len(), 3);
}

#[test]
fn lists_are_sorted_by_any_field_that_is_shown() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("zoe", 3002, "pw"));
    let id = nas.rest.create_user(&new_user("adam", 3003, "other"));
    let change = r#"{"bsdusr_locked": true, "bsdusr_microsoft_account": true, "bsdusr_email": "a@example.org"}"#;
    nas.rest.put(&format!("/account/users/{id}/"), change).object(200);
    for resource in ["users", "groups"] {
        let first = nas.rest.get(&format!("/account/{resource}/?limit=1")).object(200);
        let fields = first[0].as_object().unwrap().keys().filter(|field| *field != "bsdusr_sshpubkey");
        for field in fields {
            let list = nas.rest.get(&format!("/account/{resource}/?limit=0&sort({field})")).object(200);
            let values: Vec<_> = list.as_array().unwrap().iter().map(|object| comparable(&object[field])).collect();
            assert!(values.is_sorted() && values.len() > 2, "{field}: {values:?}");
        }
    }
    let unknown = nas.rest.get("/account/users/?sort(bsdusr_password)");
    unknown.is(400, r#"{"error": "No sorting by the field 'bsdusr_password'."}"#);
}

/// Numbers and truth values by size, texts by their bytes.
fn comparable(value: &serde_json::Value) -> (u64, String) {
    let number = value.as_u64().or(value.as_bool().map(u64::from));
    (number.unwrap_or_default(), value.as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_there_is_can_be_looked_up() {
    let nas = Nas::start();
    let index = nas.rest.get("/").object(200);
    for resource in ["users", "groups"] {
        let endpoints = &index[&format!("account/{resource}")];
        let base = format!("/api/v1.0/account/{resource}/");
        assert_eq!(*endpoints, json!({"list_endpoint": base, "schema": format!("{base}schema/")}));
        let listed = nas.rest.get(&format!("/account/{resource}/?limit=1")).object(200);
        let shown: Vec<&String> = listed[0].as_object().unwrap().keys().collect();
        let schema = nas.rest.get(&format!("/account/{resource}/schema/")).object(200);
        assert_eq!(schema["fields"].as_object().unwrap().keys().collect::<Vec<_>>(), shown);
    }
    let username = &nas.rest.get("/account/users/schema/").object(200)["fields"]["bsdusr_username"];
    assert_eq!(
        (&username["type"], &username["unique"], &username["readonly"]),
        (&json!("string"), &json!(true), &json!(false))
    );
    let moved = nas.rest.curl("GET", "", &[], None);
    assert_eq!((moved.status, moved.header("location")), (301, Some("/api/v1.0/")));
    for path in ["/", "/account/users/schema/", "/account/users/set/1/", "/account/all_users/"] {
        nas.rest.as_user("root", "wrong").get(path).is(401, "");
        let refused = nas.rest.post(path, "{}");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET")), "{path}");
    }
}

#[test]
fn several_are_got_by_their_ids_and_all_at_once() {
    let nas = Nas::start();
    for number in 0..25 {
        nas.rest.post(
            "/account/groups/",
            &json!({"bsdgrp_gid": 4200 + number, "bsdgrp_group": format!("g{number}")}).to_string(),
        );
    }
    for resource in ["users", "groups"] {
        let listed = nas.rest.get(&format!("/account/{resource}/?limit=0"));
        nas.rest.get(&format!("/account/all_{resource}/")).is(200, &listed.body);
        let one = |id: u64| nas.rest.get(&format!("/account/{resource}/{id}/")).object(200);
        let set = |ids: &str| nas.rest.get(&format!("/account/{resource}/set/{ids}/")).object(200);
        assert_eq!(set("2;1"), json!({"objects": [one(2), one(1)]}));
        assert_eq!(set("1;999999;x;"), json!({"objects": [one(1)], "not_found": ["999999", "x"]}));
        let many = nas.rest.get(&format!("/account/{resource}/set/{}/", "1;".repeat(1001)));
        many.is(400, r#"{"error": "A set has at most 1000 ids."}"#);
    }
}

#[test]
fn a_path_without_its_slash_is_elsewhere_and_changes_nothing() {
    let nas = Nas::start();
    let answer = nas.rest.post("/account/users", &new_user("noslash", 3001, "pw"));
    assert_eq!((answer.status, answer.header("location")), (301, Some("/api/v1.0/account/users/")));
    assert_eq!(nas.disk.line("/etc/passwd", "noslash"), None);
    assert_eq!(nas.rest.delete("/account/users/1").status, 301);
    assert_eq!(nas.rest.get("/account/nothing/").status, 404);
}

/// Names of media types have no case (RFC 9110, section 8.3.1).
#[test]
fn json_is_known_by_its_type_in_any_case() {
    let nas = Nas::start();
    for (number, name) in ["application/json", "Application/JSON", "APPLICATION/json; charset=UTF-8"].iter().enumerate()
    {
        let header = format!("Content-Type: {name}");
        let body = format!(r#"{{"bsdgrp_gid": {}, "bsdgrp_group": "typed{number}"}}"#, 4200 + number);
        nas.rest.curl("POST", "/account/groups/", &["-H", &header], Some(body.as_bytes())).object(201);
    }
    let other = nas.rest.curl("POST", "/account/groups/", &["-H", "Content-Type: application/jsonp"], Some(b"{}"));
    assert_eq!(other.status, 400, "{}", other.body);
}

#[test]
fn a_whole_list_can_not_be_deleted() {
    let nas = Nas::start();
    let before = nas.disk.everything("/etc");
    for (path, allowed) in [("/account/users/", "GET,POST,PATCH"), ("/account/groups/", "GET,POST")] {
        let answer = nas.rest.delete(path);
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)));
    }
    assert_eq!(nas.rest.post("/account/users/1/", "{}").status, 501);
    assert_eq!(nas.rest.get("/account/users/1/password/").header("allow"), Some("POST"));
    assert_eq!(
        nas.rest.curl("OPTIONS", "/account/users/", &[], None).header("allow"),
        Some("GET,POST,PUT,DELETE,PATCH")
    );
    assert_eq!(nas.disk.everything("/etc"), before);
}
