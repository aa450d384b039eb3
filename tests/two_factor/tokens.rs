//! Login tokens: what they let in, and what makes them void.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use super::{Enrolled, PATIENT, me, nas_with, own, with_code};
use crate::rest::{Answer, Rest};
use crate::v2::{Nas, problem};

fn bearer(nas: &Nas, token: &str, (method, path): (&str, &str), body: Option<&str>) -> Answer {
    let header = format!("Authorization: Bearer {token}");
    let options = ["-H", &header, "-H", "Content-Type: application/json"];
    nas.rest.curl(method, path, &options[..if body.is_some() { 4 } else { 2 }], body.map(str::as_bytes))
}

fn make(rest: &Rest, body: &str) -> String {
    rest.post("/tokens", body).object(201)["token"].as_str().unwrap().to_owned()
}

/// Whose it is; `None` when it lets nobody in.
fn who(nas: &Nas, token: &str) -> Option<String> {
    let answer = bearer(nas, token, ("GET", "/users/~"), None);
    if answer.status == 401 {
        problem(&answer, 401, "unauthenticated", &[]);
        return None;
    }
    answer.object(200)["username"].as_str().map(str::to_owned)
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
}

#[test]
fn a_token_is_its_user_until_it_is_revoked_or_expired_also_behind_a_restart() {
    let nas = nas_with(PATIENT, &["anna"]);
    let rest = own(&nas, "anna");
    let made = rest.post("/tokens", "{}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let one = made.object(201)["token"].as_str().unwrap().to_owned();
    let two = make(&rest, "{\"lifetime\": 86400}");
    assert_ne!(one, two, "each is revoked by itself");
    let said = claims(&one);
    let number = |name: &str| said[name].as_u64().unwrap();
    let names: Vec<&String> = said.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exp", "iat", "nbf", "pwd_ts", "username"]);
    assert_eq!((number("exp") - number("iat"), number("nbf")), (86_400, number("iat")));
    assert!(number("pwd_ts") <= number("iat") && number("pwd_ts") + 600 > number("iat"), "{said}");
    for token in [&one, &two] {
        assert_eq!(who(&nas, token).as_deref(), Some("anna"));
    }
    // It makes no other, and what it may is what its user may.
    problem(&bearer(&nas, &one, ("POST", "/tokens"), Some("{}")), 403, "not-permitted", &[]);
    problem(&bearer(&nas, &one, ("GET", "/users"), None), 403, "not-permitted", &[]);
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.release("agent");
    for token in [&one, &two] {
        assert_eq!(who(&nas, token).as_deref(), Some("anna"));
    }
    bearer(&nas, &one, ("DELETE", "/tokens/current"), None).status_is(204);
    assert_eq!((who(&nas, &one), who(&nas, &two).as_deref()), (None, Some("anna")));
    problem(&rest.delete("/tokens/current"), 401, "unauthenticated", &[]);
    for bad in ["{\"lifetime\": 0}", "{\"lifetime\": 2592001}"] {
        problem(&rest.post("/tokens", bad), 422, "invalid-values", &[("lifetime", "out_of_range")]);
    }
    let short = make(&rest, "{\"lifetime\": 1}");
    crate::world::wait_for("the end of a token", || who(&nas, &short).is_none());
    let told = nas.rest.get("/audit").body + &nas.world.log();
    assert!(![one, two, short].iter().any(|token| told.contains(token.as_str())));
    let stored = nas.disk.everything("/var");
    assert!(!stored.values().any(|(content, ..)| content.windows(20).any(|part| part == b"eyJhbGciOiJIUzI1NiIs")));
}

#[test]
fn a_token_dies_with_what_it_was_given_out_for_and_does_not_come_back() {
    let nas = nas_with(PATIENT, &["anna"]);
    let rest = || own(&nas, "anna");
    let dies = |what: &str, change: &dyn Fn()| {
        let token = make(&rest(), "{}");
        assert_eq!(who(&nas, &token).as_deref(), Some("anna"), "{what}");
        change();
        assert_eq!(who(&nas, &token), None, "{what}");
    };
    dies("a lock and its end", &|| {
        nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
        nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    });
    dies("usermod -L", &|| {
        nas.world.run(&["usermod", "-L", "anna"]);
        nas.rest.get("/users/anna").status_is(200);
        nas.world.run(&["usermod", "-U", "anna"]);
    });
    dies("another password", &|| nas.put("/users/anna/password", &json!({"password": "Pass-word1"})).status_is(204));
    dies("a rename", &|| {
        nas.patch("/users/anna", &json!({"username": "anne"})).status_is(200);
        nas.patch("/users/anne", &json!({"username": "anna"})).status_is(200);
    });
    dies("chpasswd(8)", &|| {
        nas.world.run(&["sh", "-c", "echo anna:Pass-word1 | chpasswd"]);
    });
    // What it is not about it outlives.
    let token = make(&rest(), "{}");
    nas.world.run(&["groupadd", "others"]);
    nas.patch("/users/anna", &json!({"groups": ["others"], "full_name": "Anna"})).status_is(200);
    assert_eq!(who(&nas, &token).as_deref(), Some("anna"));
    nas.rest.delete("/users/anna").status_is(204);
    assert_eq!(who(&nas, &token), None);
    nas.post("/users", &json!({"username": "anna", "password": "Pass-word1", "home": "/mnt/tank/home/another"}));
    assert_eq!(who(&nas, &token), None);
}

#[test]
fn a_second_factor_is_shown_for_a_token_and_another_one_makes_it_void() {
    let nas = nas_with(PATIENT, &["anna"]);
    let before = make(&own(&nas, "anna"), "{}");
    let anna = Enrolled::of(&nas, "anna");
    assert_eq!(who(&nas, &before), None, "it was given out for the password alone");
    problem(
        &own(&nas, "anna").post("/tokens", "{}"),
        401,
        "two-factor-required",
        &[("X-Accountd-OTP", "two_factor_required")],
    );
    let made = with_code(&own(&nas, "anna"), &anna.phone.code(), ("POST", "/tokens"), Some(&json!({})));
    let token = made.object(201)["token"].as_str().unwrap().to_owned();
    assert_eq!(who(&nas, &token).as_deref(), Some("anna"));
    // Who has found it can't stay by it.
    for (method, path, body) in [("DELETE", "/users/~/two-factor", None), ("POST", "/users/~/two-factor", Some("{}"))] {
        problem(&bearer(&nas, &token, (method, path), body), 403, "not-permitted", &[]);
    }
    with_code(&own(&nas, "anna"), &anna.recovery[0], ("DELETE", "/users/~/two-factor"), None).status_is(204);
    assert_eq!(who(&nas, &token), None);
    me(&own(&nas, "anna"), "").status_is(200);
}

#[test]
fn a_token_that_was_tampered_with_is_none_and_an_account_has_so_many() {
    let nas = nas_with(PATIENT, &["anna", "berta"]);
    let token = make(&own(&nas, "anna"), "{}");
    let parts: Vec<&str> = token.split('.').collect();
    let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let as_berta = encode(&claims(&token).to_string().replace("anna", "berta"));
    let none = encode("{\"alg\":\"none\",\"typ\":\"JWT\"}");
    for bad in [
        format!("{}.{as_berta}.{}", parts[0], parts[2]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{none}.{as_berta}.x"),
        format!("{}.{}.{}x", parts[0], parts[1], parts[2]),
    ] {
        assert_eq!(who(&nas, &bad), None, "{bad}");
    }
    for lifetime in 0..50 {
        make(&own(&nas, "anna"), &json!({"lifetime": 90_000 + lifetime}).to_string());
    }
    assert_eq!(who(&nas, &token), None, "the oldest gives way");
}
