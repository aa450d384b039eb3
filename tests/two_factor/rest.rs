//! Enrolment over REST, and what an enrolled account needs in each dialect.

use serde_json::{Value, json};

use super::{Authenticator, Enrolled, PATIENT, add, me, nas_with, own, with_code};
use crate::rest::Rest;
use crate::v2::{Nas, problem};

const REQUIRED: &[(&str, &str)] = &[("X-Accountd-OTP", "two_factor_required")];
const WRONG: &[(&str, &str)] = &[("X-Accountd-OTP", "two_factor_wrong")];

fn state(nas: &Nas, name: &str) -> Value {
    nas.rest.get(&format!("/users/{name}/two-factor")).object(200)
}

fn records(nas: &Nas, action: &str) -> Vec<Value> {
    nas.rest.get(&format!("/audit?action={action}")).object(200)["items"].as_array().unwrap().clone()
}

#[test]
fn an_enrolment_counts_once_it_is_confirmed_and_until_it_is_cancelled() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = own(&nas, "anna");
    let none = json!({"enrolled": false, "since": null, "recovery_codes_left": 0});
    assert_eq!(state(&nas, "anna"), none);
    problem(
        &anna.post("/users/~/two-factor/confirm", "{\"code\": \"123456\"}"),
        409,
        "conflict",
        &[("secret", "not_begun")],
    );

    let begun = anna.post("/users/~/two-factor", "{}");
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    let begun = begun.object(200);
    let secret = begun["secret"].as_str().unwrap();
    assert!(secret.len() == 32 && secret.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7')), "{secret}");
    let uri = format!("otpauth://totp/accountd:anna?secret={secret}&issuer=accountd&algorithm=SHA1&digits=6&period=30");
    assert_eq!(begun["uri"], json!(uri));
    assert!(begun["qr_svg"].as_str().unwrap().contains("<svg"));
    // Until then everything is as it was.
    anna.get("/users/~").status_is(200);
    assert_eq!(state(&nas, "anna"), none);

    let phone = Authenticator::new(secret);
    let confirm = |body: Value| anna.post("/users/~/two-factor/confirm", &body.to_string());
    problem(&confirm(json!({"code": phone.wrong()})), 422, "invalid-values", &[("code", "wrong")]);
    let other = json!({"code": phone.wrong(), "secret": "A".repeat(32)});
    problem(&confirm(other), 409, "conflict", &[("secret", "not_begun")]);
    problem(&confirm(json!({})), 422, "invalid-values", &[("code", "required")]);
    let code = phone.code();
    let codes = confirm(json!({"code": code, "secret": secret.to_lowercase()})).object(200);
    let codes: Vec<String> = serde_json::from_value(codes["recovery_codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);

    assert_eq!(nas.rest.get("/users/anna").object(200)["two_factor"], true);
    let now = state(&nas, "anna");
    assert_eq!((&now["enrolled"], &now["recovery_codes_left"]), (&json!(true), &json!(10)));
    problem(&anna.get("/users/~"), 401, "two-factor-required", REQUIRED);
    problem(&me(&anna, ""), 401, "two-factor-required", REQUIRED);
    problem(&me(&anna, &code), 401, "two-factor-wrong", WRONG);
    me(&anna, &phone.code()).status_is(200);
    // It takes a code to take it away, and to put another in its place.
    problem(&anna.delete("/users/~/two-factor"), 401, "two-factor-required", REQUIRED);
    with_code(&anna, &codes[0], ("DELETE", "/users/~/two-factor"), None).status_is(204);
    anna.get("/users/~").status_is(200);
    assert_eq!(state(&nas, "anna"), none);
    let all: Vec<usize> = ["begin_two_factor", "confirm_two_factor", "use_recovery_code", "cancel_two_factor"]
        .map(|action| {
            nas.rest.get(&format!("/audit?action={action}&outcome=done")).object(200)["items"].as_array().unwrap().len()
        })
        .to_vec();
    assert_eq!(all, [1, 1, 1, 1]);
    let told = nas.rest.get("/audit").body + &nas.world.log();
    assert!(!told.contains(secret) && !codes.iter().any(|code| told.contains(code)), "{told}");
    assert_eq!(records(&nas, "confirm_two_factor&outcome=done")[0]["changes"][0]["field"], "two_factor");
}

#[test]
fn every_dialect_asks_for_the_code_in_its_own_shape() {
    let nas = nas_with(PATIENT, &["chief"]);
    nas.world.run(&["groupadd", "--force", "--system", "accountd-administrators"]);
    nas.world.run(&["usermod", "-a", "-G", "accountd-administrators", "chief"]);
    let chief = Enrolled::of(&nas, "chief");
    let api = nas.world.api();
    let freenas = Rest::new(&api, "chief", "Pass-word1");
    let refused = freenas.get("/account/users/?limit=1");
    refused.is(401, "");
    assert!(refused.header("www-authenticate").is_some());
    with_code(&freenas, &chief.phone.wrong(), ("GET", "/account/users/?limit=1"), None).is(401, "");
    let code = chief.phone.code();
    with_code(&freenas, &code, ("GET", "/account/users/?limit=1"), None).status_is(200);
    with_code(&freenas, &code, ("GET", "/account/users/?limit=1"), None).is(401, "");

    let sftpgo = Rest::sftpgo(&api, "chief", "Pass-word1");
    let said = |answer: crate::rest::Answer| answer.object(401)["error"].as_str().unwrap().to_owned();
    assert_eq!(said(sftpgo.get("/user")), "a code is needed: send it as X-Accountd-OTP");
    let wrong = with_code(&sftpgo, &code, ("GET", "/user"), None);
    assert_eq!(said(wrong), "the code is wrong, or was used before");
    with_code(&sftpgo, &chief.recovery[3], ("GET", "/user"), None).status_is(200);
    // With a wrong password nobody is told that there is a code.
    let wrong = chief_with(&api, "wrong");
    for answer in [wrong.get("/users/~"), me(&wrong, &chief.recovery[4])] {
        problem(&answer, 401, "unauthenticated", &[]);
    }
    me(&own(&nas, "chief"), &chief.recovery[4]).status_is(200);
}

fn chief_with(api: &str, password: &str) -> Rest {
    Rest::v2(api, "chief", password)
}

#[test]
fn a_recovery_code_is_good_once_and_for_its_own_enrolment() {
    let nas = nas_with(PATIENT, &["anna", "berta"]);
    let (anna, berta) = (Enrolled::of(&nas, "anna"), Enrolled::of(&nas, "berta"));
    let rest = own(&nas, anna.name);
    let spaced = anna.recovery[0].to_uppercase().replace('-', " ");
    me(&rest, &spaced).status_is(200);
    for used in [&spaced, &anna.recovery[0], &berta.recovery[0]] {
        problem(&me(&rest, used), 401, "two-factor-wrong", WRONG);
    }
    assert_eq!(state(&nas, "anna")["recovery_codes_left"], 9);
    // Another enrolment in its place: it takes a code to begin it.
    problem(&rest.post("/users/~/two-factor", "{}"), 401, "two-factor-required", REQUIRED);
    let begun = with_code(&rest, &anna.recovery[1], ("POST", "/users/~/two-factor"), Some(&json!({}))).object(200);
    let phone = Authenticator::new(begun["secret"].as_str().unwrap());
    let code = json!({"code": phone.code()});
    let confirm = ("POST", "/users/~/two-factor/confirm");
    with_code(&rest, &anna.recovery[2], confirm, Some(&code)).status_is(200);
    for void in [anna.recovery[3].clone(), anna.phone.code()] {
        problem(&me(&rest, &void), 401, "two-factor-wrong", WRONG);
    }
    me(&rest, &phone.code()).status_is(200);
    assert_eq!(state(&nas, "anna")["recovery_codes_left"], 10);
}

#[test]
fn it_is_its_accounts_own_through_renames_and_locks_and_never_a_namesakes() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    nas.patch("/users/anna", &json!({"username": "anne"})).status_is(200);
    let renamed = nas.rest.as_user("anne", "Pass-word1");
    problem(&renamed.get("/users/~"), 401, "two-factor-required", REQUIRED);
    me(&renamed, &anna.phone.code()).status_is(200);
    nas.world.run(&["usermod", "-l", "anni", "anne"]);
    problem(&nas.rest.as_user("anni", "Pass-word1").get("/users/~"), 401, "two-factor-required", REQUIRED);
    nas.patch("/users/anni", &json!({"locked": true})).status_is(200);
    problem(&me(&nas.rest.as_user("anni", "Pass-word1"), &anna.recovery[0]), 401, "unauthenticated", &[]);
    nas.patch("/users/anni", &json!({"locked": false})).status_is(200);
    me(&nas.rest.as_user("anni", "Pass-word1"), &anna.recovery[0]).status_is(200);
    nas.rest.delete("/users/anni").status_is(204);
    add(&nas, "anni");
    nas.rest.as_user("anni", "Pass-word1").get("/users/~").status_is(200);
    assert_eq!(nas.rest.get("/users/anni").object(200)["two_factor"], false);
}

#[test]
fn a_password_that_is_too_old_is_changed_with_a_code() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    nas.patch("/users/anna", &json!({"must_change": true})).status_is(200);
    let rest = own(&nas, "anna");
    let new = json!({"current": "Pass-word1", "password": "Other-pass2"});
    problem(&rest.put("/users/~/password", &new.to_string()), 401, "two-factor-required", REQUIRED);
    problem(&me(&rest, &anna.recovery[0]), 403, "password-expired", &[]);
    with_code(&rest, &anna.phone.code(), ("PUT", "/users/~/password"), Some(&new)).status_is(204);
    let rest = nas.rest.as_user("anna", "Other-pass2");
    problem(&rest.get("/users/~"), 401, "two-factor-required", REQUIRED);
    me(&rest, &anna.recovery[1]).status_is(200);
}
