//! Whoever knows the password, and not the second factor.

use std::thread;

use accountd_protocol::agent::{AgentRequest, Answer, Decision};
use accountd_protocol::login::Proof;
use accountd_protocol::secret::Secret;
use serde_json::json;

use super::static_hash::ask;
use super::{Enrolled, PATIENT, me, nas_with, own, with_code};
use crate::rest::Rest;
use crate::v2::problem;

#[test]
fn of_twenty_that_show_one_code_at_once_one_gets_in() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    let at_once = |code: &str| {
        let statuses: Vec<u16> = thread::scope(|scope| {
            let show = || me(&own(&nas, "anna"), code).status;
            let all: Vec<_> = (0..20).map(|_| scope.spawn(show)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
        statuses.iter().filter(|status| **status == 200).count()
    };
    assert_eq!(at_once(&anna.phone.code()), 1);
    assert_eq!(at_once(&anna.recovery[0]), 1);
    assert_eq!(nas.rest.get("/users/anna/two-factor").object(200)["recovery_codes_left"], 9);
}

#[test]
fn a_code_of_another_account_an_earlier_one_and_odd_ones_are_wrong() {
    let nas = nas_with(PATIENT, &["anna", "berta"]);
    let (anna, berta) = (Enrolled::of(&nas, "anna"), Enrolled::of(&nas, "berta"));
    let rest = own(&nas, "anna");
    let is_wrong =
        |code: &str| problem(&me(&rest, code), 401, "two-factor-wrong", &[("X-Accountd-OTP", "two_factor_wrong")]);
    is_wrong(&berta.phone.code());
    is_wrong(&berta.recovery[0]);
    let first = anna.phone.code();
    let second = anna.phone.code();
    me(&rest, &second).status_is(200);
    // It was never used, and a later one was.
    is_wrong(&first);
    is_wrong(&second);
    let third = anna.phone.code();
    let digits = |zero: char| {
        third.chars().map(|c| char::from_u32(u32::from(zero) + c.to_digit(10).unwrap()).unwrap()).collect::<String>()
    };
    let long = third.repeat(1000);
    let odd = [
        &digits('０'),
        &digits('٠'),
        &long,
        &third[1..],
        &format!("{third}0"),
        &format!("+{third}"),
        &format!("{third}.0"),
        &format!("0x{third}"),
        "null",
        "000000000000",
        "' or 1=1",
    ];
    for code in odd {
        is_wrong(code);
    }
    let (one, two) = third.split_at(3);
    me(&rest, &format!("{one} {two}")).status_is(200);
    // Two are as good as none.
    let headers = ["-H", "X-Accountd-OTP: 123456", "-H", &format!("X-Accountd-OTP: {}", anna.recovery[0])];
    problem(&rest.curl("GET", "/users/~", &headers, None), 401, "unauthenticated", &[]);
    me(&rest, &anna.recovery[0]).status_is(200);
}

#[test]
fn wrong_codes_are_failures_and_a_right_password_does_not_forgive_them() {
    let nas = nas_with("[bans]\nfirst_delay_seconds = 0\nban_after = 4\n", &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    let from = |code: Option<&str>, source: &str| {
        let header = code.map(|code| format!("X-Accountd-OTP: {code}"));
        let mut options = vec!["--interface", source];
        options.extend(header.iter().flat_map(|header| ["-H", header]));
        own(&nas, "anna").curl("GET", "/users/~", &options, None)
    };
    let wrong = anna.phone.wrong();
    for _ in 0..3 {
        from(Some(&wrong), "127.0.0.2").status_is(401);
        // The password alone is right, and forgives nothing.
        from(None, "127.0.0.2").status_is(401);
    }
    from(Some(&wrong), "127.0.0.2").status_is(401);
    let held = from(Some(&anna.recovery[0]), "127.0.0.2");
    held.status_is(429);
    assert!(held.header("retry-after").is_some());
    from(None, "127.0.0.2").status_is(429);
    // The code was not looked at; and whoever has logged in from elsewhere before still does.
    assert_eq!(nas.rest.get("/users/anna/two-factor").object(200)["recovery_codes_left"], 10);
    let bans = nas.rest.get("/bans").object(200);
    assert!(bans["items"].as_array().unwrap().iter().any(|ban| ban.to_string().contains("anna")), "{bans}");
}

#[test]
fn an_api_key_gets_in_and_makes_no_second_factor_and_takes_none_away() {
    let nas = nas_with(PATIENT, &["anna"]);
    let made = own(&nas, "anna").post("/users/~/api-keys", "{\"name\": \"k\"}").object(201);
    let header = format!("Authorization: Bearer {}", made["key"].as_str().unwrap());
    let by_key = |method: &str, path: &str, body: Option<&str>| {
        let options = ["-H", &header, "-H", "Content-Type: application/json"];
        let count = if body.is_some() { 4 } else { 2 };
        nas.rest.curl(method, path, &options[..count], body.map(str::as_bytes))
    };
    let refused = |method, path, body| problem(&by_key(method, path, body), 403, "not-permitted", &[]);
    refused("POST", "/users/~/two-factor", Some("{}"));
    refused("POST", "/users/~/two-factor/confirm", Some("{\"code\": \"123456\"}"));
    refused("POST", "/tokens", Some("{}"));
    Enrolled::of(&nas, "anna");
    by_key("GET", "/users/~", None).status_is(200);
    assert_eq!(by_key("GET", "/users/~/two-factor", None).object(200)["enrolled"], true);
    refused("DELETE", "/users/~/two-factor", None);
    refused("POST", "/users/~/two-factor", Some("{}"));
}

#[test]
fn account_administrators_cancel_for_users_and_not_for_administrators() {
    let nas = nas_with(PATIENT, &["anna", "chief", "helper", "reader"]);
    for (group, name) in [("administrators", "chief"), ("account-administrators", "helper"), ("auditors", "reader")] {
        let group = format!("accountd-{group}");
        nas.world.exec(&["groupadd", "--force", "--system", "--force", &group]);
        nas.world.run(&["usermod", "-a", "-G", &group, name]);
    }
    let (_anna, _chief) = (Enrolled::of(&nas, "anna"), Enrolled::of(&nas, "chief"));
    let (helper, reader) = (own(&nas, "helper"), own(&nas, "reader"));
    assert_eq!(reader.get("/users/anna/two-factor").object(200)["enrolled"], true);
    for path in ["/users/chief/two-factor", "/users/root/two-factor"] {
        problem(&helper.delete(path), 403, "not-permitted", &[]);
    }
    problem(&reader.delete("/users/anna/two-factor"), 403, "not-permitted", &[]);
    for rest in [&helper, &nas.rest] {
        problem(&rest.post("/users/anna/two-factor", "{}"), 403, "not-permitted", &[]);
        let body = json!({"code": "123456"}).to_string();
        problem(&rest.post("/users/anna/two-factor/confirm", &body), 403, "not-permitted", &[]);
    }
    let tag = nas.tag("/users/anna");
    helper.delete("/users/anna/two-factor").status_is(204);
    own(&nas, "anna").get("/users/~").status_is(200);
    // It is for one state of the account alone, where that is asked for.
    let header = format!("If-Match: {tag}");
    let answer = nas.rest.curl("DELETE", "/users/chief/two-factor", &["-H", &header], None);
    problem(&answer, 412, "precondition-failed", &[]);
    nas.rest.delete("/users/chief/two-factor").status_is(204);
    Rest::v2(&nas.world.api(), "chief", "Pass-word1").get("/users/~").status_is(200);
}

#[test]
fn a_code_is_not_used_up_by_a_wrong_password() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    let (wrong, code) = (nas.rest.as_user("anna", "wrong"), anna.phone.code());
    problem(&me(&wrong, &code), 401, "unauthenticated", &[]);
    with_code(&own(&nas, "anna"), &code, ("GET", "/users/~"), None).status_is(200);
}

#[test]
fn an_old_password_is_not_changed_by_who_has_shown_no_code_with_it() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    nas.world.run(&["chage", "-d", "0", "anna"]);
    let secret = |text: &str| Secret::new(text.to_owned());
    let change = |code: Option<&str>| {
        let (current, password) = (secret("Pass-word1"), secret("Other-word2"));
        let proof = Proof::PasswordChange { current, password, code: code.map(secret) };
        ask(&nas, &AgentRequest::Decide { user: "anna".into(), proof, source: "127.0.0.1".parse().unwrap() })
    };
    let hash = nas.disk.field("/etc/shadow", "anna", 1);
    for code in [None, Some("000000"), Some(anna.recovery[0].as_str())] {
        let decided = change(code);
        assert!(matches!(decided, Ok(Answer::Decision(Decision::Refused { .. }))), "{code:?}: {decided:?}");
    }
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), hash);
}
