//! Every route of this dialect with every role.

use serde_json::json;

use super::Server;

/// Everybody who asks; the password is the name.
const CALLERS: [&str; 4] = ["chief", "clerk", "auditor", "anna"];
const ALL: [bool; 4] = [true, true, true, true];
const READERS: [bool; 4] = [true, true, true, false];
const CHANGERS: [bool; 4] = [true, true, false, false];

/// `NEW` stands for a name that nobody has, `ID` for a user of that name who is there.
const ROWS: [(&str, &str, &str, [bool; 4]); 11] = [
    ("GET", "/version", "", ALL),
    ("GET", "/user", "", READERS),
    ("GET", "/user/ID", "", READERS),
    ("GET", "/connection", "", READERS),
    ("DELETE", "/connection/unknown", "", READERS),
    ("GET", "/quota_scan", "", READERS),
    ("POST", "/quota_scan", r#"{"username":"target"}"#, CHANGERS),
    (
        "POST",
        "/user",
        r#"{"username":"xNEW","password":"pw","home_dir":"/mnt/tank/xNEW","permissions":["*"]}"#,
        CHANGERS,
    ),
    ("PUT", "/user/ID", r#"{"username":"NEW","home_dir":"/mnt/tank/NEW","permissions":["list"]}"#, CHANGERS),
    (
        "PUT",
        "/user/ID",
        r#"{"username":"NEW","password":"other","home_dir":"/mnt/tank/NEW","permissions":["*"]}"#,
        CHANGERS,
    ),
    ("DELETE", "/user/ID", "", CHANGERS),
];

fn new_user(name: &str) -> String {
    json!({"username": name, "password": name, "home_dir": format!("/mnt/tank/{name}"), "permissions": ["*"]})
        .to_string()
}

/// A server with everybody who asks.
fn server() -> Server {
    let server = Server::start();
    CALLERS.into_iter().chain(["target"]).for_each(|name| _ = server.create(&new_user(name)));
    for (name, role) in [("chief", "administrators"), ("clerk", "account-administrators"), ("auditor", "auditors")] {
        let group = format!("accountd-{role}");
        server.world.run(&["groupadd", "--force", "--system", &group]);
        server.world.run(&["usermod", "-a", "-G", &group, name]);
    }
    server
}

#[test]
fn every_route_is_open_to_the_roles_that_it_is_for_and_to_no_other() {
    let server = server();
    for (number, (method, path, body, allowed)) in ROWS.into_iter().enumerate() {
        for (caller, allowed) in CALLERS.into_iter().zip(allowed) {
            let name = format!("n{number}{caller}");
            let id = server.create(&new_user(&name)).to_string();
            let (path, body) = (path.replace("ID", &id), body.replace("NEW", &name));
            let before = server.disk.everything("/etc");
            let body = Some(body.as_bytes()).filter(|body| !body.is_empty());
            let answer = server.rest.as_user(caller, caller).curl(method, &path, &[], body);
            assert_eq!(answer.status != 403, allowed, "{caller}: {method} {path}: {} {}", answer.status, answer.body);
            if !allowed {
                assert!(server.disk.everything("/etc") == before, "{caller}: {method} {path}");
            }
        }
    }
}

#[test]
fn an_account_administrator_changes_nobody_who_has_more() {
    let server = server();
    let clerk = server.rest.as_user("clerk", "clerk");
    let before = server.disk.everything("/etc");
    for name in ["chief", "auditor"] {
        let shown = clerk.get(&format!("/user?username={name}")).object(200);
        let path = format!("/user/{}", shown[0]["id"]);
        for answer in [clerk.put(&path, &new_user(name)), clerk.delete(&path)] {
            assert_eq!(answer.status, 403, "{name}: {}", answer.body);
        }
    }
    for group in ["sudo", "accountd-administrators", "chief"] {
        let gid: u32 = server.disk.field("/etc/group", group, 2).parse().unwrap();
        let mut new: serde_json::Value = serde_json::from_str(&new_user("new")).unwrap();
        new["gid"] = gid.into();
        assert_eq!(clerk.post("/user", &new.to_string()).status, 403, "{group}");
    }
    assert!(server.disk.everything("/etc") == before);
}
