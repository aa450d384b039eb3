//! Lists: parts of them, filters, order, and cursors while accounts come and go.

use serde_json::{Value, json};

use super::{Nas, problem};

/// Without what is there from the beginning.
fn with_users(names: &[&str]) -> Nas {
    let nas = Nas::start();
    for (number, name) in names.iter().enumerate() {
        nas.post("/users", &json!({"username": name, "uid": 3000 + number}));
    }
    nas
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["username"].as_str().unwrap()).collect()
}

#[track_caller]
fn list(nas: &Nas, query: &str) -> Value {
    nas.rest.get(&format!("/users?{query}")).object(200)
}

/// Every page of a query.
fn pages(nas: &Nas, query: &str) -> Vec<Vec<String>> {
    pages_from(nas, query, String::new())
}

/// Every page from a cursor on.
fn pages_from(nas: &Nas, query: &str, mut cursor: String) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = list(nas, &format!("{query}{cursor}"));
        pages.push(names(&page).into_iter().map(str::to_owned).collect());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[test]
fn pages_follow_one_another_to_the_end_in_every_order() {
    let nas = with_users(&["e", "b", "a", "d", "c"]);
    let all = list(&nas, "builtin=false");
    assert_eq!((names(&all), &all["total"], &all["next"]), (vec!["e", "b", "a", "d", "c"], &json!(5), &json!(null)));
    let cut = |query: &str| pages(&nas, &format!("builtin=false&limit=2&{query}")).concat().concat();
    assert_eq!(cut("fields=username"), "ebadc");
    assert_eq!(cut("sort=username"), "abcde");
    assert_eq!(cut("sort=-username"), "edcba");
    assert_eq!(cut("sort=-uid"), "cdabe");
    assert_eq!(cut("sort=locked,-username"), "edcba", "what is equal is told apart by the next key");
    assert_eq!(cut("sort=shell"), "ebadc", "what is equal by every key stands in the order of ids");
    assert_eq!(pages(&nas, "limit=3&builtin=false").iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(pages(&nas, "limit=5&builtin=false").len(), 1);
    let everybody = pages(&nas, "limit=1").concat();
    assert_eq!(everybody[..5], ["e", "b", "a", "d", "c"], "built-in ones come last");
    assert!(everybody[5..].contains(&"root".to_owned()));
}

#[test]
fn a_cursor_stays_right_while_accounts_come_and_go() {
    for (sort, order) in [("", "bdfh"), ("&sort=username", "bdfh"), ("&sort=-username", "hfdb")] {
        let nas = with_users(&["b", "d", "f", "h"]);
        let query = format!("builtin=false&limit=2{sort}");
        let first = list(&nas, &query);
        assert_eq!(names(&first).concat(), order[..2]);
        // The one that the cursor stands on goes; others come before it and behind it.
        for name in names(&first) {
            nas.rest.delete(&format!("/users/{name}")).is(204, "");
        }
        let (before, behind) = if sort.ends_with("-username") { ("z", "c") } else { ("a", "g") };
        nas.post("/users", &json!({"username": before, "uid": 2000}));
        nas.post("/users", &json!({"username": behind, "uid": 4000}));
        let rest = pages_from(&nas, &query, format!("&cursor={}", first["next"].as_str().unwrap())).concat().concat();
        let expected = match sort {
            "" => "fhg",
            "&sort=username" => "fgh",
            _ => "dcb",
        };
        assert_eq!(rest, expected, "{sort}: none twice, none left out");
    }
}

#[test]
fn filters_say_which_accounts_and_all_of_them_count() {
    let nas = with_users(&["anna", "anton", "berta"]);
    nas.patch("/users/anna", &json!({"locked": true, "groups": ["wheel"], "email": "a@example.org"})).status_is(200);
    nas.patch("/users/berta", &json!({"gid": 10, "shell": "/bin/sh", "sudo": true})).status_is(200);
    nas.put("/users/anton/password", &json!({"password": "x"})).is(204, "");
    let id = nas.rest.get("/users/berta").value()["id"].clone();
    let by_id = format!("id={id}");
    for (query, expected) in [
        ("username=anna", &["anna"][..]),
        ("username=ann", &[]),
        ("username~=an", &["anna", "anton"]),
        ("username~=an&locked=false", &["anton"]),
        ("locked=true&builtin=false", &["anna"]),
        ("uid=3002", &["berta"]),
        ("uid=4294967295", &[]),
        ("gid=10", &["berta"]),
        ("group=wheel", &["anna", "berta"]),
        ("group=wheel&username~=b", &["berta"]),
        ("group=nothing", &[]),
        ("email=a@example.org", &["anna"]),
        ("email=a%40example.org", &["anna"]),
        ("sudo=true", &["berta"]),
        ("shell=/bin/sh&builtin=false", &["berta"]),
        ("password_disabled=true&builtin=false", &["anna", "berta"]),
        (&by_id, &["berta"]),
    ] {
        let page = list(&nas, query);
        assert_eq!((names(&page), &page["total"]), (expected.to_vec(), &json!(expected.len())), "{query}");
    }
    let groups = nas.rest.get("/groups?member=anna&fields=groupname,gid").object(200);
    assert_eq!(groups, json!({"items": [{"groupname": "wheel", "gid": 10}], "next": null, "total": 1}));
    assert_eq!(nas.rest.get("/groups?groupname~=gam").object(200)["items"][0]["groupname"], "games");
}

#[test]
fn fields_are_those_that_are_asked_for() {
    let nas = with_users(&["anna"]);
    let page = list(&nas, "builtin=false&fields=username,uid");
    assert_eq!(page["items"], json!([{"uid": 3000, "username": "anna"}]));
}

#[test]
fn a_query_that_is_not_understood_is_refused_by_its_name() {
    let nas = with_users(&["a", "b"]);
    let cursor = list(&nas, "builtin=false&limit=1")["next"].as_str().unwrap().to_owned();
    for (query, field, code) in [
        ("nonsense=1", "nonsense", "unknown_parameter"),
        ("full_name=x", "full_name", "unknown_parameter"),
        ("username~~=x", "username~~", "unknown_parameter"),
        ("locked=maybe", "locked", "wrong_type"),
        ("uid=x", "uid", "wrong_type"),
        ("uid=-1", "uid", "wrong_type"),
        ("uid=4294967296", "uid", "wrong_type"),
        ("limit=0", "limit", "out_of_range"),
        ("limit=1001", "limit", "out_of_range"),
        ("limit=ten", "limit", "out_of_range"),
        ("limit=1&limit=2", "limit", "repeated"),
        ("sort=password", "sort", "unknown_field"),
        ("sort=uid,,id", "sort", "unknown_field"),
        ("sort=groups", "sort", "unknown_field"),
        ("fields=username,hash", "fields", "unknown_field"),
        ("fields=", "fields", "unknown_field"),
        ("cursor=nonsense", "cursor", "bad_cursor"),
        ("cursor=", "cursor", "bad_cursor"),
    ] {
        problem(&nas.rest.get(&format!("/users?{query}")), 400, "invalid-query", &[(field, code)]);
    }
    // A cursor goes on with the list that has given it, and with no other.
    for other in ["builtin=true", "sort=uid&builtin=false", "locked=false"] {
        let answer = nas.rest.get(&format!("/users?{other}&cursor={cursor}"));
        problem(&answer, 400, "invalid-query", &[("cursor", "bad_cursor")]);
    }
    assert_eq!(names(&list(&nas, &format!("builtin=false&limit=9&cursor={cursor}"))), ["b"]);
    let all = nas.rest.get("/users?x=1&limit=0");
    problem(&all, 400, "invalid-query", &[("x", "unknown_parameter"), ("limit", "out_of_range")]);
}
