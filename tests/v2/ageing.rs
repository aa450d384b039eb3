//! How long passwords and accounts last, beside what `chage` says and what logs in; the policy.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::world::World;

/// A line of `chage -l`, run inside.
fn chage(nas: &Nas, user: &str, what: &str) -> String {
    let text = nas.world.run(&["chage", "-l", user]);
    let line = text.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {text}"));
    line.split_once(':').unwrap().1.trim().to_owned()
}

#[test]
fn chage_agrees_with_what_was_set() {
    let nas = Nas::start();
    let made = json!({"username": "anna", "password": "pw", "min_days": 1, "max_days": 90, "warn_days": 14,
        "inactive_days": 30, "expires": "2040-02-29"});
    let user = nas.post("/users", &made);
    for field in ["min_days", "max_days", "warn_days", "inactive_days", "expires"] {
        assert_eq!(user[field], made[field], "{field}");
    }
    let said = ["Account expires", "Minimum number", "Maximum number", "Number of days of warning"];
    assert_eq!(said.map(|what| chage(&nas, "anna", what)), ["Feb 29, 2040", "1", "90", "14"]);
    let changed = nas.patch("/users/anna", &json!({"max_days": null, "inactive_days": null, "expires": null}));
    let changed = changed.object(200);
    assert_eq!(
        (&changed["max_days"], &changed["expires"], &changed["min_days"]),
        (&Value::Null, &Value::Null, &json!(1))
    );
    assert_eq!(chage(&nas, "anna", "Account expires"), "never");
    // What chage sets is shown.
    nas.world.run(&["chage", "-E", "2031-01-01", "-M", "60", "anna"]);
    let shown = nas.rest.get("/users/anna").object(200);
    assert_eq!((&shown["expires"], &shown["max_days"]), (&json!("2031-01-01"), &json!(60)));
    assert!(nas.world.with_password("anna", "pw").logs_in());
    nas.patch("/users/anna", &json!({"expires": "2000-01-01"})).status_is(200);
    assert!(!nas.world.with_password("anna", "pw").logs_in());
}

#[test]
fn what_can_not_be_meant_changes_nothing() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "min_days": 5}));
    let before = nas.disk.line("/etc/shadow", "anna");
    let rows = [
        (json!({"max_days": 4}), "max_days", "less_than_min_days"),
        (json!({"warn_days": 1_000_000}), "warn_days", "too_large"),
        (json!({"expires": "2030-02-30"}), "expires", "bad_date"),
        (json!({"expires": 12}), "expires", "wrong_type"),
        (json!({"must_change": null}), "must_change", "null"),
    ];
    for (change, field, code) in rows {
        let errors = &nas.patch("/users/anna", &change).object(422)["errors"];
        assert_eq!(errors[0]["field"], field, "{change}: {errors}");
        if !["wrong_type", "null"].contains(&code) {
            assert_eq!(errors[0]["code"], code, "{change}");
        }
    }
    problem(&nas.patch("/users/root", &json!({"expires": "2040-01-01"})), 409, "conflict", &[("expires", "builtin")]);
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), before);
}

#[test]
fn a_password_that_has_to_be_changed_is_good_for_that_and_nothing_else() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "first", "min_days": 3, "must_change": true}));
    assert_eq!(chage(&nas, "anna", "Last password change"), "password must be changed");
    assert!(!nas.world.with_password("anna", "first").logs_in());
    let anna = nas.rest.as_user("anna", "first");
    assert_eq!(anna.get("/users/~").object(403)["type"], "password-expired");
    let change = |rest: &crate::rest::Rest, current: &str, new: &str| {
        rest.put("/users/~/password", &json!({"current": current, "password": new}).to_string())
    };
    problem(&change(&anna, "wrong", "second"), 422, "invalid-values", &[("current", "wrong")]);
    problem(&change(&anna, "first", "first"), 422, "invalid-values", &[("password", "unchanged")]);
    change(&anna, "first", "second").status_is(204);
    assert!(nas.world.with_password("anna", "second").logs_in());
    anna.get("/users/~").status_is(401);
    let anna = nas.rest.as_user("anna", "second");
    let shown = anna.get("/users/~").object(200);
    assert_eq!((&shown["username"], &shown["must_change"]), (&json!("anna"), &json!(false)));
    // Now the days between two changes count.
    problem(&change(&anna, "second", "third"), 422, "invalid-values", &[("password", "too_early")]);
    let other = nas.put("/users/anna/password", &json!({"current": "second", "password": "third"}));
    problem(&other, 422, "invalid-values", &[("current", "must_be_absent")]);
    // Somebody who may do it for others is not asked for it.
    nas.put("/users/anna/password", &json!({"password": "fourth"})).status_is(204);
    assert!(nas.world.with_password("anna", "fourth").logs_in());
}

#[test]
fn a_new_password_is_what_the_policy_wants() {
    let world = World::start_with("[passwords]\nmin_length = 8\nmin_classes = 3\nmax_days = 90\nmin_days = 2\n");
    let nas = Nas::of(world);
    let short = nas.rest.post("/users", r#"{"username": "anna", "password": "aB3"}"#);
    problem(&short, 422, "invalid-values", &[("password", "too_short")]);
    let plain = nas.rest.post("/users", r#"{"username": "anna", "password": "abcdefgh1"}"#);
    problem(&plain, 422, "invalid-values", &[("password", "too_few_classes")]);
    let user = nas.post("/users", &json!({"username": "anna", "password": "abcdefG1"}));
    assert_eq!((&user["max_days"], &user["min_days"]), (&json!(90), &json!(2)));
    let weak = nas.put("/users/anna/password", &json!({"password": "short"}));
    problem(&weak, 422, "invalid-values", &[("password", "too_short")]);
    assert!(nas.world.with_password("anna", "abcdefG1").logs_in());
}

/// What `su USER` says to somebody else who knows this password, and whether it let them in.
fn su(nas: &Nas, user: &str, password: &str) -> (bool, String) {
    let line = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "su", user, "-c", "id -un"];
    let mut command = nas.world.inside(&line);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn su_agrees_with_what_was_set() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "first pw", "shell": "/bin/sh"}));
    let (is_in, said) = su(&nas, "anna", "first pw");
    assert!(is_in && said.contains("anna"), "{said}");
    assert!(!su(&nas, "anna", "other pw").0);
    nas.put("/users/anna/password", &json!({"password": "other pw"})).status_is(204);
    assert!(su(&nas, "anna", "other pw").0 && !su(&nas, "anna", "first pw").0);
    // What is set, what undoes it, and what su says to it.
    let rows = [
        (json!({"locked": true}), json!({"locked": false}), "Authentication failure"),
        (json!({"password_disabled": true}), json!({"password_disabled": false}), "Authentication failure"),
        (json!({"expires": "2020-01-01"}), json!({"expires": null}), "account has expired"),
        (json!({"must_change": true}), json!({"must_change": false}), "change your password"),
        (json!({"shell": "/usr/sbin/nologin"}), json!({"shell": "/bin/sh"}), "not available"),
    ];
    for (set, undo, words) in rows {
        nas.patch("/users/anna", &set).status_is(200);
        let (is_in, said) = su(&nas, "anna", "other pw");
        assert!(!is_in && said.contains(words), "{set}: {said}");
        nas.patch("/users/anna", &undo).status_is(200);
        assert!(su(&nas, "anna", "other pw").0, "{undo}");
    }
}
