//! What nobody asks for in good faith.

use serde_json::{Value, json};

use super::Server;

#[test]
fn names_that_no_account_can_have_are_refused_in_words() {
    let server = Server::start();
    let before = server.disk.everything("/etc");
    for name in [
        "../../etc",
        "a/b",
        "a:b",
        "a\nb",
        "root ",
        "-rf",
        "0",
        "ünï",
        "a b",
        ".",
        "..",
        "$x",
        "%u",
        "x\u{0}y",
        &"x".repeat(33),
        &"x".repeat(100_000),
        "root",
        "daemon",
        "accountd-api",
        "nobody",
        "wheel",
        "Admin",
        "ADMIN",
    ] {
        let said = server.post("/api/admin/user/create", &server.admin, &json!({"username": name, "password": "x"}));
        assert!(said.code == 400, "{name:.40}: {} {:.200}", said.code, said.message);
        assert!(said.message.contains("username"), "{name:.40}: {:.200}", said.message);
    }
    for name in ["admin", "guest"] {
        let said = server.post("/api/admin/user/create", &server.admin, &json!({"username": name, "password": "x"}));
        said.is_error(500, "UNIQUE constraint failed: x_users.username");
    }
    assert!(server.disk.everything("/etc") == before);
}

#[test]
fn paths_stay_in_the_home_whatever_they_are_called() {
    let server = Server::start();
    for (asked, shown) in [
        ("../../../../etc", "/etc"),
        ("/%u/x", "/%u/x"),
        ("/a/./b/../../..", "/"),
        ("\\..\\..\\windows", "/windows"),
        ("//", "/"),
        ("~root", "/~root"),
        ("/a b/ü", "/a b/ü"),
    ] {
        let id = server.create("anna", json!({"base_path": asked, "permission": 1025}));
        assert_eq!(server.shown("anna")["base_path"], shown, "{asked}");
        let output = server.world.with_password("anna", "anna").try_sftp("ls /passwd\n");
        assert!(!output.status.success(), "{asked}");
        server.post(&format!("/api/admin/user/delete?id={id}"), &server.admin, &json!({})).succeeds();
    }
    for bad in ["/a\u{7}b", "/a\nb", &format!("/{}", "x".repeat(5000))] {
        let said = server.post("/api/admin/user/create", &server.admin, &json!({"username": "anna", "base_path": bad}));
        assert_eq!((said.code, said.message.contains("base_path")), (400, true), "{:.100}", said.message);
    }
}

#[test]
fn large_and_deep_bodies_and_odd_types_are_refused() {
    let server = Server::start();
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    for path in ["/api/auth/login", "/api/admin/user/create", "/api/me/update", "/api/me/sshkey/add"] {
        for body in [&*deep, "{\"username\":{}}", "{\"title\":[]}", "{\"title\":1,\"username\":1}", "\u{feff}{}", "tru"]
        {
            let answer = server.ask("POST", path, &server.admin, Some(body));
            let said = super::Said::of(&answer);
            assert!(said.code >= 400, "{path} {body:.40}: {}", answer.body);
        }
    }
    let sso = "x".repeat(70_000);
    let said = server.post("/api/admin/user/create", &server.admin, &json!({"username": "anna", "sso_id": sso}));
    assert_eq!(said.code, 400, "{:.100}", said.message);
}

#[test]
fn roles_are_taken_from_the_account_and_never_from_the_body() {
    let server = Server::start();
    let id = server.create("anna", json!({}));
    let token = server.log_in("anna", "anna");
    for body in [json!({"username": "anna", "role": 2}), json!({"username": "anna", "Role": 2, "id": 9})] {
        server.post("/api/me/update", &token, &body).succeeds();
        assert_eq!(server.shown("anna")["role"], 0);
    }
    for role in [3, -1, i64::MAX] {
        let said = server.post("/api/admin/user/create", &server.admin, &json!({"username": "b", "role": role}));
        said.is_error(400, &format!("there is no role {role}"));
    }
    // Two headers are as good as none.
    let both = [
        "-H".to_owned(),
        format!("Authorization: {token}"),
        "-H".to_owned(),
        format!("Authorization: {}", server.admin),
    ];
    let options: Vec<&str> = both.iter().map(String::as_str).collect();
    let answer = server.rest.curl("GET", "/api/admin/user/list", &options, None);
    assert_ne!(super::Said::of(&answer).code, 200);
    // An update without the role works for whoever has none, and takes nobody's away.
    server.post("/api/admin/user/update", &server.admin, &json!({"id": id, "username": "anna"})).succeeds();
    let admin = server.id("admin");
    let said =
        server.post("/api/admin/user/update", &server.admin, &json!({"id": admin, "username": "admin", "role": 0}));
    said.is_error(400, "role can not be changed");
    assert_eq!(server.shown("admin")["role"], 2);
    // The guest in the administrators' group is a guest.
    server.world.run(&["usermod", "-aG", "accountd-administrators", "guest"]);
    let guest = server.shown("guest");
    assert_eq!(guest["role"], 1);
    let body = json!({"id": guest["id"], "username": "guest", "role": 1});
    server.post("/api/admin/user/update", &server.admin, &body).succeeds();
    server.get("/api/admin/user/list", "").is_error(403, "You are not an admin");
}

#[test]
fn messages_tell_no_addresses() {
    let server = Server::start();
    let said = server.get("/api/admin/user/get?id=192.0.2.1", &server.admin);
    said.is_error(400, "strconv.Atoi: parsing \"*\": invalid syntax");
    let said = server.get("/api/admin/user/get?id=2001:db8::7", &server.admin);
    said.is_error(400, "strconv.Atoi: parsing \"*\": invalid syntax");
    let _: Value = said.data;
}
