//! `Idempotency-Key`: sent twice, made once.

use serde_json::json;

use super::{Nas, problem};

#[test]
fn a_request_that_is_sent_again_is_answered_again_and_made_once() {
    let nas = Nas::start();
    let (user, key) = (json!({"username": "anna", "password": "pw"}), "Idempotency-Key: 5f2c-1");
    let first = nas.send("POST", "/users", key, &user);
    first.status_is(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let passwd = nas.disk.text("/etc/passwd");
    for _ in 0..3 {
        let again = nas.send("POST", "/users", key, &user);
        again.is(201, &first.body);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        for header in ["location", "etag"] {
            assert_eq!(again.header(header), first.header(header));
        }
    }
    assert_eq!(nas.disk.text("/etc/passwd"), passwd);
    problem(&nas.send("POST", "/users", key, &json!({"username": "berta"})), 422, "idempotency-key-reused", &[]);
    problem(&nas.send("POST", "/users", "X-None: 1", &user), 409, "conflict", &[("username", "duplicate")]);
    // A key is one of a resource.
    nas.send("POST", "/groups", key, &json!({"groupname": "team"})).status_is(201);
}

#[test]
fn a_refusal_gives_the_key_free_and_a_bad_key_is_refused() {
    let nas = Nas::start();
    let key = "Idempotency-Key: k";
    problem(
        &nas.send("POST", "/users", key, &json!({"username": "-"})),
        422,
        "invalid-values",
        &[("username", "bad_start")],
    );
    nas.send("POST", "/users", key, &json!({"username": "anna"})).status_is(201);
    let long = format!("Idempotency-Key: {}", "k".repeat(256));
    for header in ["Idempotency-Key;", &long] {
        problem(&nas.send("POST", "/users", header, &json!({"username": "b"})), 400, "malformed-request", &[]);
    }
    assert_eq!(nas.disk.line("/etc/passwd", "b"), None);
}

#[test]
fn of_the_same_request_many_times_at_once_one_is_made() {
    let nas = Nas::start();
    let user = json!({"username": "anna", "home": "/mnt/tank/anna"});
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = || nas.send("POST", "/users", "Idempotency-Key: same", &user);
        let clients: Vec<_> = (0..12).map(|_| scope.spawn(send)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let (made, waiting): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!made.is_empty() && made.iter().all(|answer| answer.body == made[0].body));
    assert_eq!(made.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count(), 1);
    for answer in waiting {
        problem(answer, 409, "idempotency-key-in-use", &[]);
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
}

#[test]
fn a_user_is_disabled_once_for_one_key_and_the_report_comes_again() {
    let nas = Nas::start();
    let ids = ["anna", "berta"].map(|name| nas.post("/users", &json!({"username": name}))["id"].clone());
    let crontab = nas.disk.path("/var/spool/cron/crontabs/anna");
    std::fs::write(&crontab, "@daily true\n").unwrap();
    let disable = |user: &str, key: &str, body: &serde_json::Value| {
        nas.send("POST", &format!("/users/{user}/disable"), &format!("Idempotency-Key: {key}"), body)
    };
    let first = disable("anna", "k1", &json!({}));
    assert_eq!(first.object(200)["ended"]["crontab"], true);
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    // By its id it is the same user, and it is not locked anew.
    for user in ["anna".to_owned(), ids[0].to_string()] {
        let again = disable(&user, "k1", &json!({}));
        again.is(200, &first.body);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    assert!(!nas.disk.field("/etc/shadow", "anna", 1).starts_with('!') && crontab.exists());
    problem(&disable("anna", "k1", &json!({"end_processes": false})), 422, "idempotency-key-reused", &[]);
    // The key of one user is none of another's, and a refusal gives it free.
    problem(&disable("berta", "k1", &json!({"x": 1})), 422, "invalid-values", &[("x", "unknown_field")]);
    let other = disable("berta", "k1", &json!({}));
    assert_eq!(
        (other.object(200)["ended"]["crontab"].clone(), other.header("idempotency-replayed")),
        (json!(false), None)
    );
    assert!(nas.disk.field("/etc/shadow", "berta", 1).starts_with('!'));
    assert_eq!(disable("anna", "k2", &json!({})).object(200)["ended"]["crontab"], true);
}
