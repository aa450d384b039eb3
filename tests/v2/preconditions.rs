//! `ETag` and `If-Match`: a change is made to the state that it was meant for, or not at all.

use serde_json::json;

use super::{Nas, problem};

const WRITERS: usize = 12;

/// The statuses of so many changes at the same time, all of them meant for the same state.
fn at_once(send: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let send = &send;
        let writers: Vec<_> = (0..WRITERS).map(|number| scope.spawn(move || send(number))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    statuses
}

fn one_won() -> Vec<u16> {
    let mut expected = vec![412; WRITERS];
    expected[0] = 200;
    expected
}

#[test]
fn of_writers_at_the_same_time_exactly_one_wins() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "full_name": "nobody yet", "home": "/mnt/tank/anna"}));
    for round in 0..3 {
        let header = format!("If-Match: {}", nas.tag("/users/anna"));
        let change = |number| json!({"full_name": format!("writer {round}.{number}")});
        let statuses = at_once(|number| nas.send("PATCH", "/users/anna", &header, &change(number)).status);
        assert_eq!(statuses, one_won());
        assert!(nas.disk.field("/etc/passwd", "anna", 4).starts_with(&format!("writer {round}.")));

        let header = format!("If-Match: {}", nas.tag("/users/anna/keys"));
        let line = |number| format!("no-pty {} writer{round}.{number}", crate::freenas::keys::KEY);
        let statuses =
            at_once(|number| nas.send("PUT", "/users/anna/keys", &header, &json!({"keys": [line(number)]})).status);
        assert_eq!(statuses, one_won());

        let header = format!("If-Match: {}", nas.tag("/groups/wheel"));
        let members = if round % 2 == 0 { json!(["anna"]) } else { json!([]) };
        let statuses =
            at_once(|_| nas.send("PUT", "/groups/wheel/members", &header, &json!({"members": members})).status);
        assert_eq!(statuses, one_won());
    }
    let header = format!("If-Match: {}", nas.tag("/users/anna"));
    let statuses = at_once(|_| nas.rest.curl("DELETE", "/users/anna", &["-H", &header], None).status);
    assert_eq!(statuses[0], 204);
    assert!(statuses[1..].iter().all(|status| *status == 404), "{statuses:?}");
}

#[test]
fn a_change_for_another_state_changes_nothing() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna"}));
    nas.post("/groups", &json!({"groupname": "team"}));
    let old = format!("If-Match: {}", nas.tag("/users/anna"));
    let old_team = format!("If-Match: {}", nas.tag("/groups/team"));
    // Others change it: that counts too.
    nas.world.run(&["usermod", "-c", "By Hand", "anna"]);
    nas.world.run(&["gpasswd", "-a", "anna", "team"]);
    let before = nas.disk.everything("/etc");
    let requests = [
        ("PATCH", "/users/anna", &old, json!({"full_name": "X"})),
        ("PUT", "/users/anna/password", &old, json!({"password": "x"})),
        ("PUT", "/users/anna/groups", &old, json!({"groups": ["wheel"]})),
        ("DELETE", "/users/anna", &old, json!({})),
        ("PATCH", "/groups/team", &old_team, json!({"sudo": true})),
        ("PUT", "/groups/team/members", &old_team, json!({"members": []})),
        ("DELETE", "/groups/team", &old_team, json!({})),
    ];
    for (method, path, header, body) in &requests {
        problem(&nas.send(method, path, header, body), 412, "precondition-failed", &[]);
    }
    assert!(nas.disk.everything("/etc") == before);
    for header in ["If-Match: nonsense", "If-Match: \"a", "If-Match: *, \"a\""] {
        problem(&nas.send("PATCH", "/users/anna", header, &json!({"full_name": "X"})), 400, "malformed-request", &[]);
    }
    problem(&nas.send("DELETE", "/users/anna", "If-Match: W/\"a\"", &json!({})), 412, "precondition-failed", &[]);
    nas.send("PATCH", "/users/anna", "If-Match: *", &json!({"full_name": "Any"})).status_is(200);
    let (now, team) = (nas.tag("/users/anna"), nas.tag("/groups/team"));
    nas.send("PUT", "/users/anna/password", &format!("If-Match: \"other\", {now}"), &json!({"password": "x"}))
        .is(204, "");
    nas.send("DELETE", "/groups/team", &format!("If-Match: {team}"), &json!({})).is(204, "");
    problem(&nas.send("DELETE", "/users/nobody-such", "If-Match: *", &json!({})), 404, "not-found", &[]);
}

#[test]
fn a_tag_follows_what_is_shown() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "groups": ["wheel"]}));
    let mut seen = vec![nas.tag("/users/anna")];
    for change in [
        json!({"full_name": "A"}),
        json!({"email": "a@example.org"}),
        json!({"locked": true}),
        json!({"sudo": true}),
        json!({"groups": []}),
        json!({"shell": "/bin/sh"}),
        json!({"uid": 3999}),
    ] {
        let answer = nas.patch("/users/anna", &change);
        answer.status_is(200);
        let tag = nas.tag("/users/anna");
        assert_eq!(answer.header("etag"), Some(&*tag));
        assert!(!seen.contains(&tag), "{change}");
        seen.push(tag);
    }
    nas.patch("/users/anna", &json!({"full_name": "A"})).status_is(200);
    assert_eq!(Some(&nas.tag("/users/anna")), seen.last(), "nothing has changed");
    assert_eq!(nas.tag("/users/anna/groups"), nas.tag("/users/anna"));
    assert_eq!(nas.tag("/system"), nas.tag("/system"));
}
