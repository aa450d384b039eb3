//! What clients of this API rely on before they look at an account.

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
    for path in ["/account/users/", "/account/groups/"] {
        let answer = nas.rest.delete(path);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,POST")));
    }
    assert_eq!(nas.rest.post("/account/users/1/", "{}").status, 501);
    assert_eq!(nas.rest.get("/account/users/1/password/").header("allow"), Some("POST"));
    assert_eq!(
        nas.rest.curl("OPTIONS", "/account/users/", &[], None).header("allow"),
        Some("GET,POST,PUT,DELETE,PATCH")
    );
    assert_eq!(nas.disk.everything("/etc"), before);
}
