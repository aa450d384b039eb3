//! Who shows too many wrong passwords: over SSH and REST, in the words of each dialect.

use std::process::Output;
use std::time::Instant;

use serde_json::{Value, json};

use crate::openssh::{Client, run};
use crate::rest::{Answer, Rest};
use crate::v2::{Nas, problem};
use crate::world::{World, wait_for};

/// Bans come soon, delays never.
const SOON: &str = "[bans]\nfirst_delay_seconds = 0\nban_after = 4\n";
/// From where nobody has logged in.
const ATTACKER: &str = "127.0.0.2";
const ELSEWHERE: &str = "127.0.0.3";
const OWN: &str = "127.0.0.4";

/// A sandbox with `anna` and `berta`, whose password is `pw`, and `locked`.
fn nas(config: &str) -> Nas {
    let nas = Nas::of(World::start_with(config));
    for name in ["anna", "berta", "locked"] {
        let user = json!({"username": name, "password": "pw", "home": format!("/mnt/tank/home/{name}")});
        nas.post("/users", &user);
    }
    nas.patch("/users/locked", &json!({"locked": true})).status_is(200);
    nas
}

/// GET of oneself from one of the addresses of this machine.
fn get(nas: &Nas, (user, password): (&str, &str), source: &str) -> Answer {
    nas.rest.as_user(user, password).curl("GET", "/users/~", &["--interface", source], None)
}

/// The same in the other dialect.
fn get_v1(nas: &Nas, (user, password): (&str, &str), source: &str) -> Answer {
    let rest = Rest::new(&nas.world.api(), user, password);
    rest.curl("GET", "/account/users/?limit=1", &["--interface", source], None)
}

fn sftp(client: &Client<'_>, source: &str) -> Output {
    let mut command = client.prepare("sftp");
    command.args(["-o", &format!("BindAddress={source}"), "-b", "-", "127.0.0.1"]);
    run(command, b"pwd\n")
}

/// Whether a login over SSH from there succeeds.
fn logs_in(client: &Client<'_>, source: &str) -> bool {
    let output = sftp(client, source);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains("Permission denied"), "{said}");
    output.status.success()
}

/// Everything that an answer says, but for the moment.
fn said(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    (answer.status, headers, answer.body.clone())
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn unknown_locked_and_mistaken_users_get_the_same_answer_over_ssh_and_rest() {
    let nas = nas("[bans]\nban_after = 0\nfirst_delay_seconds = 0\n");
    let attempts = [("nobody-here", "pw"), ("locked", "pw"), ("anna", "wrong"), ("root", "wrong")];
    for ask in [get, get_v1] {
        let answers = attempts.map(|attempt| said(&ask(&nas, attempt, ATTACKER)));
        assert_eq!(answers[0].0, 401);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    let outputs = attempts.map(|(user, password)| {
        let output = sftp(&nas.world.with_password(user, password), ATTACKER);
        (output.status.code(), String::from_utf8(output.stderr).unwrap().replace(user, "USER"))
    });
    assert!(outputs[0].1.contains("Permission denied"));
    assert!(outputs.iter().all(|output| *output == outputs[0]), "{outputs:?}");
}

#[test]
fn too_many_wrong_passwords_are_refused_in_the_words_of_each_dialect() {
    let nas = nas(SOON);
    for _ in 0..4 {
        get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    }
    let held = get(&nas, ("anna", "pw"), ATTACKER);
    problem(&held, 429, "too-many-failures", &[]);
    assert!((590..=600).contains(&retry_after(&held)), "{held:?}");
    let held = get_v1(&nas, ("anna", "pw"), ATTACKER);
    assert_eq!(held.object(429), json!({"error_message": "Too many failed logins. Please try again later."}));
    assert!((590..=600).contains(&retry_after(&held)), "{held:?}");
    // The source is banned for whoever it says it is, the name wherever nobody has logged in to it.
    get(&nas, ("berta", "pw"), ATTACKER).status_is(429);
    get(&nas, ("anna", "pw"), ELSEWHERE).status_is(429);
    get(&nas, ("berta", "pw"), ELSEWHERE).status_is(200);
    for whom in [format!("of=\"source {ATTACKER}\""), "of=\"account anna\"".to_owned()] {
        wait_for("the ban in the log", || nas.world.log().contains(&whom));
    }
}

#[test]
fn nobody_keeps_an_owner_out_where_they_have_logged_in_before() {
    let nas = nas(SOON);
    get(&nas, ("anna", "pw"), OWN).status_is(200);
    for _ in 0..4 {
        get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    }
    get(&nas, ("anna", "pw"), ELSEWHERE).status_is(429);
    assert!(logs_in(&nas.world.with_password("anna", "pw"), OWN));
    assert!(!logs_in(&nas.world.with_password("anna", "pw"), ELSEWHERE));
}

#[test]
fn a_key_lets_in_while_passwords_of_its_account_are_refused() {
    let nas = nas(SOON);
    let (key, public) = nas.world.make_key("key", "ed25519");
    nas.put("/users/anna/keys", &json!({"keys": [public]})).status_is(200);
    for _ in 0..4 {
        get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    }
    assert!(!logs_in(&nas.world.with_password("anna", "pw"), ELSEWHERE));
    assert!(logs_in(&nas.world.with_key("anna", &key), ELSEWHERE));
    assert!(!logs_in(&nas.world.with_key("anna", &key), ATTACKER), "its source is banned for everything");
}

#[test]
fn ssh_and_rest_are_one_count_and_a_ban_looks_like_a_wrong_password_over_ssh() {
    let nas = nas(SOON);
    let wrong = sftp(&nas.world.with_password("anna", "wrong"), ATTACKER);
    assert!(!logs_in(&nas.world.with_password("anna", "wrong"), ATTACKER));
    get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    get(&nas, ("anna", "pw"), ATTACKER).status_is(429);
    let banned = sftp(&nas.world.with_password("anna", "pw"), ATTACKER);
    assert_eq!((banned.status.code(), banned.stderr), (wrong.status.code(), wrong.stderr));
}

#[test]
fn what_comes_before_a_delay_is_over_is_refused_over_rest_and_counts_nothing() {
    let nas = nas("[bans]\nfree_attempts = 1\nfirst_delay_seconds = 2\nlongest_delay_seconds = 2\nban_after = 4\n");
    get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    for _ in 0..5 {
        let held = get(&nas, ("anna", "wrong"), ATTACKER);
        assert_eq!((held.status, retry_after(&held) <= 2), (429, true), "{held:?}");
    }
    wait_for("the end of the delay", || get(&nas, ("anna", "pw"), ATTACKER).status == 200);
    assert_eq!(nas.rest.get("/bans").object(200)["total"], 0);
}

#[test]
fn over_ssh_the_answer_itself_takes_longer() {
    let nas = nas("[bans]\nfree_attempts = 1\nfirst_delay_seconds = 2\nlongest_delay_seconds = 2\n");
    let took = |password: &str| {
        let begun = Instant::now();
        let is_in = logs_in(&nas.world.with_password("anna", password), ATTACKER);
        (is_in, begun.elapsed().as_secs() >= 2)
    };
    assert_eq!(took("wrong"), (false, false));
    assert_eq!(took("wrong"), (false, true));
    assert_eq!(took("pw"), (true, false), "whoever is right does not wait");
}

#[test]
fn a_wrong_present_password_counts_like_any_other() {
    let nas = nas(SOON);
    let anna = nas.rest.as_user("anna", "pw");
    let change = |current: &str| {
        let body = json!({"current": current, "password": "new"}).to_string();
        let options = ["--interface", ATTACKER, "-H", "Content-Type: application/json"];
        anna.curl("PUT", "/users/~/password", &options, Some(body.as_bytes()))
    };
    for _ in 0..4 {
        change("wrong").status_is(422);
    }
    problem(&change("pw"), 429, "too-many-failures", &[]);
}

#[test]
fn a_client_that_offers_six_keys_is_neither_delayed_nor_banned() {
    let nas = nas("[bans]\nfree_attempts = 1\nban_after = 2\n");
    let (right, public) = nas.world.make_key("right", "ed25519");
    nas.put("/users/anna/keys", &json!({"keys": [public]})).status_is(200);
    let others: Vec<_> = (0..5).map(|number| nas.world.make_key(&format!("other{number}"), "ed25519").0).collect();
    for _ in 0..4 {
        let mut command = nas.world.with_key("anna", &others[0]).prepare("sftp");
        for key in others[1..].iter().chain([&right]) {
            command.arg("-i").arg(key);
        }
        command.args(["-o", &format!("BindAddress={ATTACKER}"), "-b", "-", "127.0.0.1"]);
        let output = run(command, b"pwd\n");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(nas.rest.get("/bans").object(200)["items"], json!([]));
    get(&nas, ("berta", "pw"), ATTACKER).status_is(200);
}

#[test]
fn bans_are_listed_lifted_and_recorded() {
    let nas = nas(SOON);
    assert_eq!(nas.rest.get("/bans").object(200), json!({"items": [], "next": null, "total": 0}));
    for name in ["anna", "made-up"] {
        for _ in 0..4 {
            let source = if name == "anna" { ATTACKER } else { ELSEWHERE };
            get(&nas, (name, "wrong"), source).status_is(401);
        }
    }
    let bans = nas.rest.get("/bans").object(200);
    let of: Vec<(&Value, &Value)> =
        items(&bans).iter().map(|ban| (&ban["source"], &ban["account"]["username"])).collect();
    let (anna, none) = (json!("anna"), Value::Null);
    let (attacker, elsewhere) = (json!(ATTACKER), json!(ELSEWHERE));
    assert_eq!(of, [(&attacker, &none), (&none, &anna), (&elsewhere, &none)], "{bans}");
    assert!(items(&bans).iter().all(|ban| ban["since"].as_str() < ban["until"].as_str()), "{bans}");
    let listed = nas.done(&["ban", "list"]);
    assert!(listed.lines().count() == 3 && listed.contains(ATTACKER) && listed.contains("anna"), "{listed}");
    let id = items(&bans)[0]["id"].to_string();
    nas.done(&["ban", "lift", &id]);
    nas.rest.delete(&format!("/bans/{}", items(&bans)[1]["id"])).status_is(204);
    problem(&nas.rest.delete(&format!("/bans/{id}")), 404, "not-found", &[]);
    problem(&nas.rest.delete("/bans/x"), 404, "not-found", &[]);
    get(&nas, ("anna", "pw"), ATTACKER).status_is(200);
    get(&nas, ("berta", "pw"), ELSEWHERE).status_is(429);
    let recorded = |action: &str| nas.rest.get(&format!("/audit?action={action}")).object(200);
    let begun = recorded("begin_ban");
    assert_eq!(items(&begun).len(), 3, "{begun}");
    assert!(items(&begun).iter().all(|record| record["actor"]["kind"] == "agent"));
    let lifted = recorded("lift_ban");
    let done: Vec<&Value> = items(&lifted).iter().filter(|record| record["outcome"] == "done").collect();
    let told = |record: &Value| (record["actor"]["name"].clone(), record["target"]["name"].clone());
    assert_eq!(done.into_iter().map(told).collect::<Vec<_>>(), [(json!("root"), anna), (json!("root"), none)]);
}

#[test]
fn a_ban_ends_by_itself_and_that_is_recorded() {
    let nas = nas("[bans]\nfirst_delay_seconds = 0\nban_after = 4\nban_seconds = 2\n");
    for _ in 0..4 {
        get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    }
    get(&nas, ("anna", "pw"), ATTACKER).status_is(429);
    wait_for("the end of the ban", || get(&nas, ("anna", "pw"), ATTACKER).status == 200);
    wait_for("the records", || items(&nas.rest.get("/audit?action=end_ban").object(200)).len() == 2);
    assert_eq!(nas.rest.get("/bans").object(200)["items"], json!([]));
}

#[test]
fn nothing_is_counted_from_where_it_is_ignored() {
    let nas = nas("[bans]\nfree_attempts = 0\nban_after = 1\nignore = [\"127.0.0.2/31\"]\n");
    for _ in 0..3 {
        get(&nas, ("anna", "wrong"), ATTACKER).status_is(401);
    }
    get(&nas, ("anna", "pw"), ELSEWHERE).status_is(200);
    get(&nas, ("berta", "wrong"), OWN).status_is(401);
    get(&nas, ("berta", "pw"), OWN).status_is(429);
}

fn items(object: &Value) -> &[Value] {
    object["items"].as_array().unwrap()
}
