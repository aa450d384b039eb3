//! Users: made, changed, deleted; each answer beside what is on disk.

use serde_json::json;

use super::Nas;
use crate::freenas::keys::KEY;

#[test]
fn only_a_username_is_required() {
    let nas = Nas::start();
    let answer = nas.rest.post("/users", r#"{"username": "anna"}"#);
    let user = answer.object(201);
    let (id, uid, gid) = (&user["id"], &user["uid"], &user["gid"]);
    assert_eq!(answer.header("location"), Some(&*format!("/api/v2/users/{id}")));
    let expected = json!({"id": id, "uid": uid, "gid": gid, "username": "anna", "full_name": "", "email": null,
        "home": "/nonexistent", "shell": "/usr/sbin/nologin", "locked": false, "password_disabled": true,
        "own_password": false,
        "two_factor": false,
        "builtin": false, "groups": [], "sudo": null, "smb": false, "microsoft_account": false, "roles": [],
        "must_change": false, "password_changed": user["password_changed"], "min_days": 0, "max_days": 99999,
        "warn_days": 7, "inactive_days": null, "expires": null, "limits": user["limits"],
        "effective_limits": user["limits"]});
    assert_eq!(user, expected);
    let line = format!("anna:x:{uid}:{gid}::/nonexistent:/usr/sbin/nologin");
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), Some(line));
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), "*");
    assert_eq!(nas.disk.line("/etc/group", "anna"), Some(format!("anna:x:{gid}:")));
    let shown = nas.rest.get("/users/anna");
    assert_eq!(shown.object(200), user);
    assert_eq!(shown.header("etag"), answer.header("etag"));
}

#[test]
fn what_is_asked_for_is_on_disk() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "team", "gid": 4200}));
    let user = nas.post(
        "/users",
        &json!({"username": "berta", "uid": 4201, "gid": 4200, "full_name": "Bérta", "email": "b@example.org",
            "home": "/mnt/tank/home/berta", "home_mode": "0750", "shell": "/bin/sh", "password": "pw",
            "groups": ["wheel", nas.rest.get("/groups/ftp").value()["id"]], "keys": [KEY], "sudo": true}),
    );
    assert_eq!(
        (&user["groups"], &user["smb"], &user["sudo"]["commands"]),
        (&json!(["wheel", "ftp"]), &json!(true), &json!(["ALL"]))
    );
    let line = "berta:x:4201:4200:Bérta:/mnt/tank/home/berta:/bin/sh";
    assert_eq!(nas.disk.line("/etc/passwd", "berta").as_deref(), Some(line));
    assert!(nas.disk.field("/etc/shadow", "berta", 1).starts_with("$6$"));
    assert_eq!(
        (nas.disk.field("/etc/group", "wheel", 3), nas.disk.field("/etc/group", "ftp", 3)),
        ("berta".into(), "berta".into())
    );
    assert_eq!(nas.disk.line("/etc/group", "berta"), None, "no group of its own");
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/berta"), (4201, 4200, 0o750));
    assert_eq!(nas.disk.text("/mnt/tank/home/berta/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert!(nas.disk.text("/etc/aliases").contains("berta: b@example.org\n"));
    let text = nas.rest.get("/users/berta").body + &nas.rest.get("/users").body;
    let hash = nas.disk.field("/etc/samba/smbpasswd", "berta", 3);
    assert!(!text.contains("$6$") && !text.contains(&hash), "a hash came out");
}

#[test]
fn a_home_that_is_made_has_the_configured_mode() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3001, "home": "/mnt/tank/anna"}));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/anna").2, 0o700);
    assert_eq!(nas.rest.get("/system").object(200)["home_mode"], "0700");
}

#[test]
fn a_patch_changes_what_it_names_and_null_takes_away() {
    let nas = Nas::start();
    let made = nas.post(
        "/users",
        &json!({"username": "anna", "uid": 3001, "full_name": "A", "email": "a@example.org", "password": "pw"}),
    );
    let (shadow, group) = (nas.disk.line("/etc/shadow", "anna"), nas.disk.text("/etc/group"));
    let answer = nas.patch("/users/anna", &json!({"full_name": null, "email": null, "shell": "/bin/sh"}));
    let mut expected = made.clone();
    expected["full_name"] = json!("");
    expected["email"] = json!(null);
    expected["shell"] = json!("/bin/sh");
    assert_eq!(answer.object(200), expected);
    assert_eq!(nas.disk.line("/etc/passwd", "anna").as_deref(), Some("anna:x:3001:3001::/nonexistent:/bin/sh"));
    assert!(!nas.disk.text("/etc/aliases").contains("anna"));
    assert_eq!((nas.disk.line("/etc/shadow", "anna"), nas.disk.text("/etc/group")), (shadow, group));
    assert_eq!(nas.patch("/users/anna", &json!({})).object(200), expected);

    let path = format!("/users/{}", made["id"]);
    let change = json!({"username": "berta", "uid": 3002, "locked": true, "groups": ["wheel"], "gid": 14});
    let changed = nas.patch(&path, &change).object(200);
    assert_eq!(nas.disk.line("/etc/passwd", "berta").as_deref(), Some("berta:x:3002:14::/nonexistent:/bin/sh"));
    assert_eq!(nas.disk.field("/etc/group", "wheel", 3), "berta");
    assert!(nas.disk.field("/etc/shadow", "berta", 1).starts_with("!$6$"));
    assert_eq!((&changed["locked"], &changed["gid"], &changed["id"]), (&json!(true), &json!(14), &made["id"]));
}

#[test]
fn a_password_goes_in_and_never_comes_out() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3001, "password": "before"}));
    let before = nas.disk.field("/etc/shadow", "anna", 1);
    nas.put("/users/anna/password", &json!({"password": "password"})).is(204, "");
    assert_ne!(nas.disk.field("/etc/shadow", "anna", 1), before);
    assert_eq!(nas.disk.field("/etc/samba/smbpasswd", "anna", 3), "8846F7EAEE8FB117AD06BDD830B7586C");
    nas.patch("/users/anna", &json!({"password_disabled": true})).status_is(200);
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), "*");
    let user = nas.patch("/users/anna", &json!({"password": "again"})).object(200);
    assert_eq!(user["password_disabled"], false);
    assert!(nas.disk.field("/etc/shadow", "anna", 1).starts_with("$6$"));
    super::problem(&nas.rest.get("/users/anna/password"), 405, "method-not-allowed", &[]);
}

#[test]
fn groups_of_a_user_are_replaced_as_a_set() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "groups": ["wheel"]}));
    assert_eq!(
        nas.put("/users/anna/groups", &json!({"groups": ["ftp", "games"]})).object(200),
        json!({"groups": ["ftp", "games"]})
    );
    assert_eq!(nas.disk.field("/etc/group", "wheel", 3), "");
    assert_eq!(
        (nas.disk.field("/etc/group", "ftp", 3), nas.disk.field("/etc/group", "games", 3)),
        ("anna".into(), "anna".into())
    );
    let refused = nas.put("/users/anna/groups", &json!({"groups": ["ftp", "nothing", 99999]}));
    super::problem(&refused, 422, "invalid-values", &[("groups", "no_such"), ("groups", "no_such")]);
    assert_eq!(nas.put("/users/anna/groups", &json!({"groups": []})).object(200), json!({"groups": []}));
    assert_eq!(nas.disk.field("/etc/group", "ftp", 3), "");
}

#[test]
fn a_deleted_user_is_gone_and_its_home_when_that_is_asked_for() {
    let nas = Nas::start();
    for (name, query, stays) in [("anna", "", true), ("berta", "?delete_home=true", false)] {
        nas.post("/users", &json!({"username": name, "home": format!("/mnt/tank/home/{name}")}));
        super::problem(
            &nas.rest.delete(&format!("/users/{name}?delete_home=yes")),
            400,
            "invalid-query",
            &[("delete_home", "wrong_type")],
        );
        nas.rest.delete(&format!("/users/{name}{query}")).is(204, "");
        for file in ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"] {
            assert_eq!(nas.disk.line(file, name), None, "{file}");
        }
        assert_eq!(nas.disk.path(&format!("/mnt/tank/home/{name}")).exists(), stays);
        super::problem(&nas.rest.get(&format!("/users/{name}")), 404, "not-found", &[]);
        super::problem(&nas.rest.delete(&format!("/users/{name}")), 404, "not-found", &[]);
    }
    super::problem(&nas.rest.delete("/users/root"), 409, "builtin", &[]);
}

#[test]
fn groups_are_in_the_order_of_their_ids_however_a_user_came_into_them() {
    let mut nas = Nas::start();
    for name in ["zoo", "ark"] {
        nas.post("/groups", &json!({"groupname": name}));
    }
    let anna = nas.post("/users", &json!({"username": "anna", "groups": ["ark", "zoo"]}));
    let berta = nas.post("/users", &json!({"username": "berta", "groups": ["ark"]}));
    assert_eq!((&anna["groups"], &berta["groups"]), (&json!(["zoo", "ark"]), &json!(["ark"])));
    let berta = nas.patch("/users/berta", &json!({"groups": ["ark", "zoo"]})).object(200);
    assert_eq!(berta["groups"], json!(["zoo", "ark"]));
    let tag = nas.tag("/users/berta");
    nas.world.restart();
    let nas = Nas::of(nas.world);
    assert_eq!(nas.rest.get("/users/berta").object(200), berta);
    assert_eq!(nas.tag("/users/berta"), tag);
}
