//! `{user}` and `{group}`: ids, names, odd names, and the caller.

use serde_json::json;

use super::{Nas, problem};

#[test]
fn digits_are_an_id_also_where_somebody_has_them_as_a_name() {
    let nas = Nas::start();
    let anna = nas.post("/users", &json!({"username": "anna"}));
    let id = anna["id"].to_string();
    let by_hand = format!("{}{id}:x:7777:100::/nonexistent:/bin/sh\n", nas.disk.text("/etc/passwd"));
    std::fs::write(nas.disk.path("/etc/passwd"), by_hand).unwrap();
    assert_eq!(nas.rest.get(&format!("/users/{id}")).object(200)["username"], "anna");
    let found = nas.rest.get(&format!("/users?username={id}")).object(200);
    assert_eq!((&found["total"], &found["items"][0]["uid"]), (&json!(1), &json!(7777)));
    let its_id = &found["items"][0]["id"];
    assert_eq!(nas.rest.get(&format!("/users/{its_id}")).object(200)["username"], json!(id));
    for path in ["/users/99999", "/users/99999999999999999999999", "/groups/99999", "/users/99999/keys"] {
        problem(&nas.rest.get(path), 404, "not-found", &[]);
    }
}

#[test]
fn the_tilde_is_who_asks() {
    let nas = Nas::start();
    assert_eq!(nas.rest.get("/users/~").object(200)["username"], "root");
    nas.put("/users/~/groups", &json!({"groups": ["games"]})).status_is(200);
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "root");
    problem(&nas.rest.get("/groups/~"), 404, "not-found", &[]);
}

#[test]
fn names_that_others_have_made_are_found_however_odd() {
    let nas = Nas::start();
    let odd = ["DOM\\user", "a b", "ä", "50%", "a/b", "q?x#y", "x.y+z@w", "..", "%41"];
    let mut text = nas.disk.text("/etc/passwd");
    for (number, name) in odd.iter().enumerate() {
        text.push_str(&format!("{name}:x:{}:100::/nonexistent:/bin/sh\n", 8000 + number));
    }
    std::fs::write(nas.disk.path("/etc/passwd"), text).unwrap();
    for (number, name) in odd.iter().enumerate() {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = nas.rest.get(&format!("/users?username={encoded}"));
        assert_eq!(answer.object(200)["items"][0]["uid"], 8000 + number, "{name}");
        if matches!(*name, "..") {
            continue;
        }
        let answer = nas.rest.get(&format!("/users/{encoded}"));
        assert_eq!(answer.object(200)["username"], **name);
        let path = format!("/users/{encoded}");
        assert_eq!(nas.patch(&path, &json!({"full_name": "Found"})).object(200)["full_name"], "Found");
        assert_eq!(nas.disk.field("/etc/passwd", name, 4), "Found");
    }
}
