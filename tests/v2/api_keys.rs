//! API keys in every state of theirs and of their account: what they let in, and what they do not.

mod stored;

use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use super::{Nas, problem};
use crate::freenas::keys::KEY;
use crate::rest::{Answer, Rest};
use crate::world::wait_for;

const LATER: &str = "2040-01-01T00:00:00.000000000Z";

/// Anna's id of the key and the key itself.
struct Made {
    id: u64,
    key: String,
}

impl Made {
    fn of(answer: &Answer) -> Self {
        let made = answer.object(201);
        Self { id: made["id"].as_u64().unwrap(), key: made["key"].as_str().unwrap().to_owned() }
    }

    fn path(&self) -> String {
        format!("/users/anna/api-keys/{}", self.id)
    }
}

fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "password": "pw", "home": "/mnt/tank/home/anna"}));
    nas
}

fn anna(nas: &Nas) -> Rest {
    nas.rest.as_user("anna", "pw")
}

fn make(rest: &Rest, body: &Value) -> Made {
    Made::of(&rest.post("/users/~/api-keys", &body.to_string()))
}

/// A request by a key.
fn by(rest: &Rest, key: &str, (method, path): (&str, &str), body: Option<Value>) -> Answer {
    let header = format!("Authorization: Bearer {key}");
    let options = ["-H", &header, "-H", "Content-Type: application/json"];
    match body {
        Some(body) => rest.curl(method, path, &options, Some(body.to_string().as_bytes())),
        None => rest.curl(method, path, &options[..2], None),
    }
}

/// Whose key it is, `None` when it lets nobody in.
fn who(nas: &Nas, key: &str) -> Option<String> {
    let answer = by(&nas.rest, key, ("GET", "/users/~"), None);
    if answer.status == 401 {
        problem(&answer, 401, "unauthenticated", &[]);
        return None;
    }
    answer.object(200)["username"].as_str().map(str::to_owned)
}

fn records(nas: &Nas, filter: &str) -> Vec<Value> {
    nas.rest.get(&format!("/audit?{filter}")).object(200)["items"].as_array().unwrap().clone()
}

#[test]
fn a_key_is_said_once_and_is_its_user_with_the_users_roles() {
    let nas = nas_with_anna();
    let body = json!({"name": "backup of the NAS", "expires": LATER});
    let again = "Idempotency-Key: k1";
    let post = || {
        let options = ["-H", "Content-Type: application/json", "-H", again];
        anna(&nas).curl("POST", "/users/anna/api-keys", &options, Some(body.to_string().as_bytes()))
    };
    let first = post();
    let (made, mut object) = (Made::of(&first), first.object(201));
    assert!(made.key.len() == 40 && made.key.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{}", made.key);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let anna_id = nas.rest.get("/users/anna").object(200)["id"].clone();
    assert_eq!(first.header("location"), Some(&*format!("/api/v2/users/{anna_id}/api-keys/{}", made.id)));
    let replayed = post();
    assert_eq!(
        (replayed.object(201)["key"].take(), replayed.header("idempotency-replayed")),
        (json!(null), Some("true"))
    );
    assert_eq!(
        (&object["name"], &object["expires"], &object["last_used"]),
        (&body["name"], &json!(LATER), &json!(null))
    );

    assert_eq!(who(&nas, &made.key).as_deref(), Some("anna"));
    assert_eq!(by(&nas.rest, &made.key, ("GET", "/users"), None).status, 403);
    let shown = nas.rest.get(&made.path()).object(200);
    assert!(shown["last_used"].as_str().unwrap().starts_with("20"), "{shown}");
    object.as_object_mut().unwrap().remove("key");
    object["last_used"] = shown["last_used"].clone();
    assert_eq!(shown, object);
    let list = anna(&nas).get("/users/~/api-keys").object(200);
    assert_eq!(list, json!({"items": [object], "next": null, "total": 1}));
    // The role of its owner at this moment.
    nas.world.run(&["groupadd", "--force", "--system", "accountd-auditors"]);
    nas.world.run(&["usermod", "-a", "-G", "accountd-auditors", "anna"]);
    assert_eq!(by(&nas.rest, &made.key, ("GET", "/users"), None).status, 200);
    nas.world.run(&["gpasswd", "-d", "anna", "accountd-auditors"]);
    assert_eq!(by(&nas.rest, &made.key, ("GET", "/users"), None).status, 403);
    // It is no password, and the other dialect has no keys.
    nas.rest.as_user("anna", &made.key).get("/users/~").status_is(401);
    nas.rest.as_user("", &made.key).get("/users/~").status_is(401);
    let other = Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    assert_eq!(by(&other, &made.key, ("GET", "/account/users/"), None).status, 401);
}

#[test]
fn an_administrators_key_administers_and_the_trail_says_by_which() {
    let nas = nas_with_anna();
    let made = make(&nas.rest, &json!({"name": "automation"}));
    let new = by(&nas.rest, &made.key, ("POST", "/users"), Some(json!({"username": "berta"})));
    new.status_is(201);
    by(&nas.rest, &made.key, ("PATCH", "/users/berta"), Some(json!({"full_name": "B"}))).status_is(200);
    let actor = records(&nas, "target=berta&action=update_user")[0]["actor"].clone();
    assert_eq!((&actor["name"], &actor["api_key"]), (&json!("root"), &json!(made.id)));
    nas.patch("/users/berta", &json!({"full_name": "C"})).status_is(200);
    assert_eq!(records(&nas, "target=berta&action=update_user")[0]["actor"]["api_key"], json!(null));
}

#[test]
fn a_key_is_void_at_once_when_it_or_its_account_is_and_good_again_only_with_the_account() {
    let nas = nas_with_anna();
    let [kept, revoked] = ["kept", "revoked"].map(|name| make(&anna(&nas), &json!({"name": name})));
    let good = |what: &str| assert_eq!(who(&nas, &kept.key).as_deref(), Some("anna"), "{what}");
    let void = |what: &str| assert_eq!(who(&nas, &kept.key), None, "{what}");
    good("at first");
    assert!(who(&nas, &revoked.key).is_some());
    anna(&nas).delete(&revoked.path()).status_is(204);
    assert_eq!(who(&nas, &revoked.key), None, "revoked");
    problem(&anna(&nas).delete(&revoked.path()), 404, "not-found", &[]);
    good("another one was revoked");

    nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    void("locked");
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    good("unlocked");
    nas.world.run(&["usermod", "-L", "anna"]);
    void("locked by usermod");
    nas.world.run(&["usermod", "-U", "anna"]);
    good("unlocked by usermod");
    nas.patch("/users/anna", &json!({"expires": "2000-01-01"})).status_is(200);
    void("the account is expired");
    nas.patch("/users/anna", &json!({"expires": null, "must_change": true})).status_is(200);
    void("the password has to be changed");
    nas.patch("/users/anna", &json!({"must_change": false})).status_is(200);
    good("it has not");
    nas.world.run(&["chage", "-d", "2020-01-01", "-M", "30", "anna"]);
    void("the password is too old");
    nas.world.run(&["chage", "-M", "-1", "anna"]);
    good("it lasts for ever");
    nas.patch("/users/anna", &json!({"password_disabled": true})).status_is(200);
    good("there is no login by password");
    nas.patch("/users/anna", &json!({"username": "berta"})).status_is(200);
    assert_eq!(who(&nas, &kept.key).as_deref(), Some("berta"), "renamed");
    nas.world.run(&["usermod", "-l", "carla", "berta"]);
    assert_eq!(who(&nas, &kept.key).as_deref(), Some("carla"), "renamed by usermod");
}

#[test]
fn a_key_is_good_until_its_moment() {
    let nas = nas_with_anna();
    let date = Command::new("date").args(["-u", "-d", "3 seconds", "+%FT%TZ"]).output().unwrap();
    let soon = String::from_utf8(date.stdout).unwrap().trim().to_owned();
    let made = make(&anna(&nas), &json!({"name": "for now", "expires": soon}));
    assert!(who(&nas, &made.key).is_some());
    // Its handle is younger than that.
    wait_for("the end of a key", || who(&nas, &made.key).is_none());
    assert_eq!(nas.rest.get(&made.path()).object(200)["name"], "for now", "it is still to be seen");
    let past = anna(&nas).post("/users/~/api-keys", &json!({"name": "x", "expires": soon}).to_string());
    problem(&past, 422, "invalid-values", &[("expires", "past")]);
}

#[test]
fn a_namesake_inherits_no_keys() {
    let nas = nas_with_anna();
    let made = make(&anna(&nas), &json!({"name": "one"}));
    nas.rest.delete("/users/anna").status_is(204);
    assert_eq!(who(&nas, &made.key), None);
    nas.post("/users", &json!({"username": "anna", "password": "pw"}));
    assert_eq!(
        (who(&nas, &made.key), nas.rest.get("/users/anna/api-keys").object(200)["total"].clone()),
        (None, json!(0))
    );

    let second = make(&anna(&nas), &json!({"name": "one"}));
    let uid = nas.disk.field("/etc/passwd", "anna", 2);
    assert!(second.id > made.id);
    nas.world.run(&["userdel", "anna"]);
    assert_eq!(who(&nas, &second.key), None);
    nas.world.run(&["useradd", "-u", &uid, "anna"]);
    nas.world.run(&["sh", "-c", "echo anna:pw | chpasswd"]);
    anna(&nas).get("/users/~").status_is(200);
    assert_eq!(
        (who(&nas, &second.key), anna(&nas).get("/users/~/api-keys").object(200)["total"].clone()),
        (None, json!(0))
    );
    assert!(make(&anna(&nas), &json!({"name": "one"})).id > second.id, "ids are given once");
}

#[test]
fn everybody_makes_their_own_keys_and_those_who_may_change_an_account_revoke_them() {
    let nas = nas_with_anna();
    for (name, role) in [("chief", "administrators"), ("clerk", "account-administrators"), ("auditor", "auditors")] {
        nas.post("/users", &json!({"username": name, "password": "pw"}));
        nas.world.run(&["groupadd", "--force", "--system", &format!("accountd-{role}")]);
        nas.world.run(&["usermod", "-a", "-G", &format!("accountd-{role}"), name]);
    }
    let of = |name: &str| nas.rest.as_user(name, "pw");
    for name in ["chief", "clerk", "auditor"] {
        let other = of(name).post("/users/anna/api-keys", &json!({"name": "x"}).to_string());
        problem(&other, 403, "not-permitted", &[]);
        make(&of(name), &json!({"name": "own"}));
        assert_eq!(of(name).get("/users/anna/api-keys").object(200)["total"], 0);
    }
    problem(&anna(&nas).get("/users/clerk/api-keys"), 403, "not-permitted", &[]);
    let chiefs = nas.rest.get("/users/chief/api-keys").object(200)["items"][0]["id"].to_string();
    let path = format!("/users/chief/api-keys/{chiefs}");
    for name in ["clerk", "auditor", "anna"] {
        problem(&of(name).delete(&path), 403, "not-permitted", &[]);
    }
    nas.rest.delete(&path).status_is(204);
    let [one, two] = ["one", "two"].map(|name| make(&anna(&nas), &json!({"name": name})));
    problem(&of("auditor").delete(&one.path()), 403, "not-permitted", &[]);
    of("clerk").delete(&one.path()).status_is(204);
    // A key of one account is not found in another.
    problem(&of("clerk").delete(&format!("/users/clerk/api-keys/{}", two.id)), 404, "not-found", &[]);
    problem(&nas.rest.delete("/users/anna/api-keys/x"), 404, "not-found", &[]);
    problem(&nas.rest.get("/users/nobody-here/api-keys"), 404, "not-found", &[]);
    assert_eq!((who(&nas, &one.key), who(&nas, &two.key).as_deref()), (None, Some("anna")));
    let record = &records(&nas, "target=anna&action=delete_api_key&outcome=done")[0];
    assert_eq!(record["actor"]["name"], "clerk");
    let change = json!([{"field": "api_key", "old": format!("{} one", one.id), "new": null}]);
    assert_eq!(record["changes"], change);
    let record = &records(&nas, "target=anna&action=create_api_key&outcome=done")[0];
    assert_eq!(record["changes"], json!([{"field": "api_key", "old": null, "new": format!("{} two", two.id)}]));
}

#[test]
fn a_key_opens_no_other_way_into_its_account() {
    let nas = nas_with_anna();
    let [key, other] = ["one", "two"].map(|name| make(&anna(&nas), &json!({"name": name})));
    let chief = make(&nas.rest, &json!({"name": "one"}));
    let before = nas.disk.everything("/etc");
    let update = |change: Value| {
        let mut item = json!({"op": "update", "user": "~"});
        item.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!([item])
    };
    let rows = [
        ("POST", "/users/~/api-keys", json!({"name": "three"})),
        ("PUT", "/users/~/keys", json!({"keys": [KEY]})),
        ("PUT", "/users/~/password", json!({"current": "pw", "password": "new"})),
        ("PUT", "/users/~/password", json!({"password": "new"})),
        ("PATCH", "/users/~", json!({"password": "new"})),
        ("PATCH", "/users/~", json!({"random_password": true})),
        ("PATCH", "/users/~", json!({"password_disabled": false})),
        ("PATCH", "/users/~", json!({"keys": [KEY]})),
        ("POST", "/users:batch", update(json!({"password": "new"}))),
        ("POST", "/users:batch", update(json!({"random_password": true}))),
        ("POST", "/users:batch", update(json!({"keys": [KEY]}))),
    ];
    for (method, path, body) in rows {
        for holder in [&key, &chief] {
            let answer = by(&nas.rest, &holder.key, (method, path), Some(body.clone()));
            // Keys are no field of a PATCH.
            if answer.status != 422 || body.get("keys").is_none() || method != "PATCH" {
                problem(&answer, 403, "not-permitted", &[]);
            }
        }
    }
    assert!(nas.disk.everything("/etc") == before);
    assert!(!nas.disk.path("/mnt/tank/home/anna/.ssh/authorized_keys").exists());
    problem(&by(&nas.rest, &key.key, ("DELETE", &other.path()), None), 403, "not-permitted", &[]);
    // Of others it does what its user may, and it ends itself.
    by(&nas.rest, &chief.key, ("PUT", "/users/anna/password"), Some(json!({"password": "pw2"}))).status_is(204);
    by(&nas.rest, &chief.key, ("DELETE", &other.path()), None).status_is(204);
    by(&nas.rest, &key.key, ("DELETE", &key.path()), None).status_is(204);
    assert_eq!((who(&nas, &key.key), who(&nas, &other.key)), (None, None));
}

#[test]
fn what_can_not_be_a_key_makes_none() {
    let nas = nas_with_anna();
    make(&anna(&nas), &json!({"name": "taken"}));
    let rows = [
        (json!({}), "name", "required"),
        (json!({"name": null}), "name", "required"),
        (json!({"name": ""}), "name", "required"),
        (json!({"name": "ä".repeat(65)}), "name", "too_long"),
        (json!({"name": "a\nb"}), "name", "bad_characters"),
        (json!({"name": "\u{1b}[31m"}), "name", "bad_characters"),
        (json!({"name": 5}), "name", "wrong_type"),
        (json!({"name": "x", "expires": "2000-01-01T00:00:00Z"}), "expires", "past"),
        (json!({"name": "x", "expires": "2040-01-01"}), "expires", "bad_value"),
        (json!({"name": "x", "expires": 5}), "expires", "wrong_type"),
        (json!({"name": "x", "key": "0".repeat(40)}), "key", "read_only"),
        (json!({"name": "x", "role": "administrator"}), "role", "unknown_field"),
    ];
    for (body, field, code) in rows {
        let answer = anna(&nas).post("/users/~/api-keys", &body.to_string());
        problem(&answer, 422, "invalid-values", &[(field, code)]);
    }
    let twice = anna(&nas).post("/users/~/api-keys", &json!({"name": "taken"}).to_string());
    problem(&twice, 409, "conflict", &[("name", "duplicate")]);
    make(&nas.rest, &json!({"name": "taken"}));
    let names: Vec<String> = (1..100).map(|number| format!("n{number}")).collect();
    thread::scope(|scope| {
        for names in names.chunks(25) {
            let own = anna(&nas);
            scope.spawn(move || names.iter().for_each(|name| drop(make(&own, &json!({"name": name})))));
        }
    });
    let many = anna(&nas).post("/users/~/api-keys", &json!({"name": "one more"}).to_string());
    problem(&many, 422, "invalid-values", &[("api_keys", "too_many")]);
    assert_eq!(anna(&nas).get("/users/~/api-keys").object(200)["total"], 100);
}

#[test]
fn of_requests_for_one_name_at_the_same_time_one_gets_it() {
    let nas = nas_with_anna();
    let own = anna(&nas);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let post = || own.post("/users/~/api-keys", &json!({"name": "the same"}).to_string()).status;
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(post)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(
        (
            statuses.iter().filter(|status| **status == 201).count(),
            own.get("/users/~/api-keys").object(200)["total"].clone()
        ),
        (1, json!(1))
    );
}

#[test]
fn keys_that_nobody_has_are_counted_and_not_written_one_by_one() {
    let nas = nas_with_anna();
    let key = make(&anna(&nas), &json!({"name": "one"}));
    nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    for number in 0..6 {
        assert_eq!(who(&nas, &format!("{number:040}")), None);
        assert_eq!(who(&nas, &key.key), None);
    }
    let refused = records(&nas, "action=open_handle&outcome=refused");
    let of = |name: &str| -> Vec<&Value> { refused.iter().filter(|record| record["actor"]["name"] == name).collect() };
    for name in ["", "anna"] {
        let [record] = of(name)[..] else { panic!("{refused:?}") };
        assert_eq!((&record["methods"], &record["repeated"]["count"]), (&json!(["api key"]), &json!(6)), "{record}");
        assert_eq!(record["actor"]["source"], "127.0.0.1");
    }
}
