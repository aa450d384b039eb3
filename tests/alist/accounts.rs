//! Users: what a request makes of an account on disk, and what of it is said again.

use serde_json::{Value, json};

use super::Server;
use crate::rest::Rest;
use crate::world::{PASSWORD, World};

#[test]
fn admin_and_guest_are_real_accounts() {
    let server = Server::start();
    let admin = server.shown("admin");
    let members: Vec<&String> = admin.as_object().unwrap().keys().collect();
    assert_eq!(members.len(), 9, "{members:?}");
    assert_eq!((&admin["role"], &admin["permission"], &admin["base_path"]), (&json!(2), &json!(0x30ff), &json!("/")));
    let text = server.ask("GET", "/api/admin/user/get?id=9", &server.admin, None).body;
    let order = "\"id\":9,\"username\":\"admin\",\"password\":\"\",\"base_path\":\"/\",\"role\":2,\"disabled\":false,\
                 \"permission\":12543,\"sso_id\":\"\",\"allow_ldap\":true";
    assert!(text.contains(order), "{text}");
    for name in ["admin", "guest"] {
        let line = server.disk.line("/etc/passwd", name).unwrap();
        assert!(line.ends_with(&format!("::/mnt/tank/{name}:/usr/sbin/nologin")), "{line}");
        assert!(line.split(':').nth(2).unwrap().parse::<u32>().unwrap() < 3000, "{line}");
        assert!(server.disk.0.join(format!("mnt/tank/{name}")).is_dir());
    }
    assert!(server.disk.line("/etc/group", "accountd-administrators").unwrap().ends_with(":admin"));
    assert!(server.disk.line("/etc/shadow", "guest").unwrap().starts_with("guest:!"));
    // A role comes with the group, whoever is put into it.
    server.create("anna", json!({}));
    server.world.run(&["usermod", "-aG", "accountd-administrators", "anna"]);
    assert_eq!(server.shown("anna")["role"], 2);
    assert!(server.get("/api/admin/user/list", &server.log_in("anna", "anna")).code == 200);
}

#[test]
fn they_are_made_once_on_a_machine() {
    // Another name in the settings makes no other account.
    let world = World::start_with("[alist]\nenabled = true\nadmin = \"chief\"\nguest = \"anybody\"\n");
    assert!(!world.exec(&["id", "chief"]).status.success() && world.exec(&["id", "admin"]).status.success());
    drop(world);
    // Nor does one come back that root has removed.
    let server = Server::start();
    server.world.run(&["userdel", "guest"]);
    let before = server.disk.everything("/etc");
    server.restart_agent();
    server.get("/api/me", "").is_error(401, "Guest user is disabled, login please");
    assert!(server.disk.everything("/etc") == before);
}

#[test]
fn accounts_that_were_there_before_are_never_taken_over() {
    let server = Server::start();
    server.world.damages_the_audit_trail();
    server.world.hold("agent");
    server.world.kill("agent");
    // A machine on which accountd has never run, and that has these names.
    let store = server.disk.0.join("var/lib/accountd");
    for entry in std::fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("state.sqlite") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let before = server.disk.everything("/etc");
    server.world.release("agent");
    assert!(server.disk.everything("/etc") == before);
    // They are the system's then, and not to be seen here.
    let token = server.log_in("admin", PASSWORD);
    assert_eq!(server.get("/api/admin/user/list", &token).data(), json!({"content": [], "total": 0}));
    let body = json!({"username": "guest", "password": "x"});
    let said = server.post("/api/admin/user/create", &token, &body);
    said.is_error(400, "username is that of an account of the system");
}

#[test]
fn a_new_user_is_a_real_account_below_the_pool() {
    let server = Server::start();
    let asked = json!({"id": 4711, "username": "anna", "password": "pw", "base_path": "photos\\2024/", "role": 0,
        "disabled": false, "permission": 3324, "sso_id": "sso", "nobody knows": 1});
    server.post("/api/admin/user/create", &server.admin, &asked).succeeds();
    let shown = server.shown("anna");
    let expected = json!({"id": shown["id"], "username": "anna", "password": "", "base_path": "/photos/2024", "role": 0,
        "disabled": false, "permission": 3324, "sso_id": "sso", "allow_ldap": true});
    assert_eq!(shown, expected);
    assert_ne!(shown["id"], 4711);
    let line = server.disk.line("/etc/passwd", "anna").unwrap();
    assert!(line.ends_with("::/mnt/tank/anna:/usr/sbin/nologin"), "{line}");
    assert!(server.disk.line("/etc/shadow", "anna").unwrap().starts_with("anna:$"));
    for role in [1, 2] {
        let body = json!({"username": "b", "role": role});
        let said = server.post("/api/admin/user/create", &server.admin, &body);
        said.is_error(400, "admin or guest user can not be created");
    }
    server
        .post("/api/admin/user/create", &server.admin, &asked)
        .is_error(500, "UNIQUE constraint failed: x_users.username");
    // No password is none that lets in, not even an empty one.
    server.post("/api/admin/user/create", &server.admin, &json!({"username": "berta"})).succeeds();
    let hash = server.disk.line("/etc/shadow", "berta").unwrap();
    assert!(matches!(hash.split(':').nth(1).unwrap(), "*" | "!" | "!*"), "{hash}");
    let login = json!({"username": "berta", "password": ""});
    server.post("/api/auth/login", "", &login).is_error(401, "Invalid username or password");
    server
        .post("/api/admin/user/create", &server.admin, &json!({"username": "carla", "disabled": true, "password": "x"}))
        .succeeds();
    assert!(server.disk.line("/etc/shadow", "carla").unwrap().starts_with("carla:!$"));
}

#[test]
fn an_update_is_the_whole_user_anew() {
    let server = Server::start();
    let id = server.create("anna", json!({"base_path": "/p", "permission": 1034, "sso_id": "s"}));
    let before = server.disk.line("/etc/shadow", "anna").unwrap();
    let update = |body: Value| server.post("/api/admin/user/update", &server.admin, &body);
    update(json!({"id": id, "username": "anna"})).succeeds();
    let shown = server.shown("anna");
    assert_eq!((&shown["base_path"], &shown["permission"], &shown["sso_id"]), (&json!("/"), &json!(0), &json!("")));
    assert_eq!(server.disk.line("/etc/shadow", "anna").unwrap(), before, "the password stays");
    update(json!({"id": id, "username": "anna", "permission": i32::MIN, "base_path": "../x/../y"})).succeeds();
    let shown = server.shown("anna");
    assert_eq!(
        (&shown["base_path"], &shown["permission"]),
        (&json!("/y"), &json!(i32::MIN)),
        "said again as it was asked"
    );
    for role in [1, 2, -1, 7] {
        update(json!({"id": id, "username": "anna", "role": role})).is_error(400, "role can not be changed");
    }
    let admin = server.id("admin");
    update(json!({"id": admin, "username": "admin"})).is_error(400, "role can not be changed");
    let disabled = json!({"id": admin, "username": "admin", "role": 2, "disabled": true});
    update(disabled).is_error(400, "admin user can not be disabled");
    update(json!({"id": 99999, "username": "x"})).is_error(500, "failed get old user: record not found");
    update(json!({"id": 1, "username": "root", "role": 2})).is_error(500, "failed get old user: record not found");
    update(json!({"id": id, "username": "admin"})).is_error(500, "UNIQUE constraint failed: x_users.username");
    update(json!({"id": id, "username": "anna", "disabled": true})).succeeds();
    assert!(server.disk.line("/etc/shadow", "anna").unwrap().starts_with("anna:!$"));
    update(json!({"id": id, "username": "berta", "password": "new"})).succeeds();
    assert!(server.disk.line("/etc/passwd", "anna").is_none());
    server.log_in("berta", "new");
    assert_eq!(server.id("berta"), id);
}

#[test]
fn what_others_change_is_shown_and_what_comes_back_as_shown_changes_nothing() {
    let server = Server::start();
    let v2 = Rest::v2(&server.world.api(), "root", PASSWORD);
    let body = r#"{"username":"anna","password":"pw","home":"/mnt/tank/anna","shell":"/bin/bash"}"#;
    let id = v2.post("/users", body).object(201)["id"].clone();
    let mut shown = server.shown("anna");
    assert_eq!(shown["id"], id);
    assert_eq!((&shown["permission"], &shown["base_path"]), (&json!(3321), &json!("/")));
    shown["sso_id"] = "x".into();
    server.post("/api/admin/user/update", &server.admin, &shown).succeeds();
    let user = v2.get(&format!("/users/{id}")).object(200);
    assert_eq!((&user["limits"]["permissions"], &user["limits"]["session_root"]), (&Value::Null, &Value::Null));
    assert!(server.world.with_password("anna", "pw").ssh(&["id"]).status.success(), "the shell stays");
    let limits = r#"{"limits":{"permissions":["list","download"],"session_root":"~/in/it"}}"#;
    v2.json("PATCH", &format!("/users/{id}"), limits).object(200);
    let shown = server.shown("anna");
    assert_eq!(
        (&shown["permission"], &shown["base_path"], &shown["sso_id"]),
        (&json!(1025), &json!("/in/it"), &json!("x"))
    );
}

#[test]
fn whoever_is_deleted_is_gone_but_for_the_files() {
    let server = Server::start();
    let id = server.create("anna", json!({}));
    std::fs::write(server.disk.0.join("mnt/tank/anna/f"), "f").unwrap();
    let delete = |id: u64| server.post(&format!("/api/admin/user/delete?id={id}"), &server.admin, &json!({"id": 1}));
    for name in ["admin", "guest"] {
        delete(server.id(name)).is_error(500, "cannot delete admin or guest");
    }
    delete(1).is_error(500, "failed get old user: record not found");
    delete(id).succeeds();
    delete(id).is_error(500, "failed get old user: record not found");
    assert!(server.disk.line("/etc/passwd", "anna").is_none() && server.disk.0.join("mnt/tank/anna/f").exists());
}

#[test]
fn ones_own_password_and_sso_id_are_ones_own_to_change() {
    let server = Server::start();
    server.create("anna", json!({"base_path": "/p", "permission": 1034}));
    let token = server.log_in("anna", "anna");
    let update = |token: &str, body: Value| server.post("/api/me/update", token, &body);
    update(&token, json!({"username": "anna", "sso_id": "mine", "permission": 65535, "role": 2, "base_path": "/"}))
        .succeeds();
    let me = server.get("/api/me", &token).data();
    let kept = (&me["sso_id"], &me["permission"], &me["role"], &me["base_path"]);
    assert_eq!(kept, (&json!("mine"), &json!(1034), &json!(0), &json!("/p")));
    update(&token, json!({"username": "berta"})).is_error(403, "the username can only be changed by an administrator");
    let required = "Key: 'User.Username' Error:Field validation for 'Username' failed on the 'required' tag";
    update(&token, json!({"password": "x"})).is_error(400, required);
    update(&token, json!({"username": "anna", "password": "mine"})).succeeds();
    assert_eq!(server.get("/api/me", &token).code, 401, "log in again");
    let token = server.log_in("anna", "mine");
    assert_eq!(server.get("/api/me", &token).data()["sso_id"], "", "a body without it clears it");
}
