//! Passwords that are made: said once, and nowhere else.

use serde_json::json;

use super::{Nas, problem};
use crate::world::World;

/// Letters and digits that look like no other.
fn is_made(password: &str) -> bool {
    password.len() == 16 && password.chars().all(|c| c.is_ascii_alphanumeric() && !"lI1O0oi".contains(c))
}

#[test]
fn a_password_that_is_made_is_said_once_and_lets_in() {
    let nas = Nas::start();
    let user = json!({"username": "anna", "random_password": true, "home": "/mnt/tank/home/anna"});
    let key = "Idempotency-Key: k1";
    let made = nas.send("POST", "/users", key, &user);
    let first = made.object(201)["password"].as_str().unwrap().to_owned();
    assert!(is_made(&first), "{first}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert!(nas.world.with_password("anna", &first).logs_in());
    let again = nas.send("POST", "/users", key, &user);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let (mut once, mut later) = (made.object(201), again.object(201));
    assert_eq!((once["password"].take(), later["password"].take()), (json!(first), json!(null)));
    assert_eq!((once, again.header("location")), (later, made.header("location")));
    assert_eq!(nas.rest.get("/users/anna").object(200).get("password"), None);

    let second = nas.put("/users/anna/password", &json!({"random_password": true})).object(200);
    let second = second["password"].as_str().unwrap().to_owned();
    assert!(is_made(&second) && second != first);
    assert!(nas.world.with_password("anna", &second).logs_in());
    let third = nas.patch("/users/anna", &json!({"random_password": true, "full_name": "Anna"})).object(200);
    assert_eq!(third["full_name"], "Anna");
    let third = third["password"].as_str().unwrap().to_owned();
    assert!(nas.world.with_password("anna", &third).logs_in());
    assert!(!nas.world.with_password("anna", &second).logs_in());
    let told = nas.rest.get("/audit").body + &nas.world.log();
    for password in [&first, &second, &third] {
        assert!(!told.contains(password.as_str()), "{password}");
    }
}

#[test]
fn a_password_that_is_made_is_what_the_policy_wants() {
    let nas = Nas::of(World::start_with("[passwords]\nmin_length = 40\nmin_classes = 4\nhistory = 5\n"));
    let made = nas.post("/users", &json!({"username": "anna", "random_password": true}));
    let password = made["password"].as_str().unwrap();
    assert!(password.len() == 40 && password.contains(|c: char| "-+=.".contains(c)), "{password}");
    nas.put("/users/anna/password", &json!({"random_password": true})).status_is(200);
}

#[test]
fn it_is_instead_of_a_password_and_nothing_is_made_where_it_is_refused() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "pw"}));
    let line = nas.disk.line("/etc/shadow", "anna");
    let absent = [("random_password", "must_be_absent")];
    for other in [json!({"password": "x"}), json!({"password_hash": "$6$a$b"}), json!({"password_disabled": true})] {
        let mut body = json!({"username": "berta", "random_password": true});
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        problem(&nas.rest.post("/users", &body.to_string()), 422, "invalid-values", &absent);
    }
    let both = json!({"random_password": true, "password": "x"});
    problem(&nas.put("/users/anna/password", &both), 422, "invalid-values", &absent);
    problem(&nas.patch("/users/anna", &both), 422, "invalid-values", &absent);
    let none = json!({"random_password": false});
    problem(&nas.put("/users/anna/password", &none), 422, "invalid-values", &[("password", "required")]);
    nas.patch("/users/anna", &none).status_is(200);
    let stale = nas.send("PUT", "/users/anna/password", "If-Match: \"x\"", &json!({"random_password": true}));
    problem(&stale, 412, "precondition-failed", &[]);
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), line);
}
