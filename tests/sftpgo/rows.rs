//! The contract, row by row: what is sent, and status and body of the answer.

use serde_json::Value;

use super::Server;

/// `@ID` stands for the id of the user that was made first.
type Row = (&'static str, &'static str, &'static str, u16, &'static str);

const NOT_FOUND: &str = r#"{"error":"","message":"Not Found","status":404}"#;
const NO_METHOD: &str = r#"{"error":"","message":"Method not allowed","status":405}"#;
const UPDATED: &str = r#"{"error":"","message":"User updated","status":200}"#;

const ROWS: [Row; 58] = [
    ("GET", "/user", "", 200, "[]"),
    ("GET", "/quota_scan", "", 200, "[]"),
    ("GET", "/connection", "", 200, "[]"),
    ("GET", "/", "", 404, NOT_FOUND),
    ("GET", "/user/", "", 404, NOT_FOUND),
    ("GET", "/version/", "", 404, NOT_FOUND),
    ("GET", "/connection/", "", 404, NOT_FOUND),
    ("GET", "/Version", "", 404, NOT_FOUND),
    ("DELETE", "/connection/unknown", "", 404, NOT_FOUND),
    ("GET", "/connection/unknown", "", 405, NO_METHOD),
    ("OPTIONS", "/user", "", 405, NO_METHOD),
    ("PATCH", "/user/1", "{}", 405, NO_METHOD),
    ("POST", "/version", "{}", 405, NO_METHOD),
    ("GET", "/user?limit=", "", 400, r#"{"error":"Invalid limit","message":"","status":400}"#),
    ("GET", "/user?limit=a", "", 400, r#"{"error":"Invalid limit","message":"","status":400}"#),
    ("GET", "/user?offset=a", "", 400, r#"{"error":"Invalid offset","message":"","status":400}"#),
    ("GET", "/user?order=asc", "", 400, r#"{"error":"Invalid order","message":"","status":400}"#),
    ("GET", "/user?order=", "", 400, r#"{"error":"Invalid order","message":"","status":400}"#),
    ("GET", "/user?username=root", "", 200, "[]"),
    ("GET", "/user/a", "", 400, r#"{"error":"Invalid userID","message":"","status":400}"#),
    ("GET", "/user/-1", "", 404, r#"{"error":"Not found: user with ID -1 does not exist","message":"","status":404}"#),
    ("GET", "/user/1", "", 404, r#"{"error":"Not found: user with ID 1 does not exist","message":"","status":404}"#),
    ("PUT", "/user/1", "{}", 404, r#"{"error":"Not found: user with ID 1 does not exist","message":"","status":404}"#),
    ("DELETE", "/user/1", "", 404, r#"{"error":"Not found: user with ID 1 does not exist","message":"","status":404}"#),
    ("DELETE", "/user/a", "", 400, r#"{"error":"Invalid userID","message":"","status":400}"#),
    ("POST", "/user", "", 400, r#"{"error":"EOF","message":"","status":400}"#),
    ("POST", "/user", "{\"", 400, r#"{"error":"unexpected EOF","message":"","status":400}"#),
    (
        "POST",
        "/user",
        "invalid",
        400,
        r#"{"error":"invalid character 'i' looking for beginning of value","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        "[]",
        400,
        r#"{"error":"json: cannot unmarshal array into Go value of type dataprovider.User","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"uid":1.5}"#,
        400,
        r#"{"error":"json: cannot unmarshal number 1.5 into Go struct field User.uid of type int","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        "null",
        400,
        r#"{"error":"Validation error: Mandatory parameters missing","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/mnt/tank/a","permissions":["*"]}"#,
        400,
        r#"{"error":"Validation error: Please set password or at least a public_key","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/mnt/tank/a","password":"p","permissions":[]}"#,
        400,
        r#"{"error":"Validation error: Please grant some permissions to this user","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"mnt/a","password":"p","permissions":["*"]}"#,
        400,
        r#"{"error":"Validation error: home_dir must be an absolute path, actual value: mnt/a","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/mnt/tank/a","password":"p","permissions":["invalid"]}"#,
        400,
        r#"{"error":"Validation error: Invalid permission: invalid","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/mnt/tank/a","permissions":["*"],"public_keys":["invalid"]}"#,
        400,
        r#"{"error":"Validation error: Could not parse key nr. 0: ssh: no key found","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"../evil","home_dir":"/mnt/tank/a","password":"p","permissions":["*"]}"#,
        400,
        r#"{"error":"Validation error: username contains characters that are not allowed: /","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/etc/a","password":"p","permissions":["*"]}"#,
        400,
        r#"{"error":"Validation error: home_dir must lie below one of: /mnt/POOL","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/mnt/tank/a","password":"p","permissions":["*"],"uid":990}"#,
        400,
        r#"{"error":"Validation error: uid belongs to a service of this system","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"a","home_dir":"/mnt/tank/a","password":"p","permissions":["*"],"gid":4999}"#,
        400,
        r#"{"error":"Validation error: gid does not exist: 4999","message":"","status":400}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"USERNAME":"alice","Home_Dir":"/mnt/tank//alice/","password":"secret","permissions":["*","list"],"uid":70000,"quota_size":-5,"id":4,"unknown":{}} trailing"#,
        200,
        r#"{"id":@ID,"username":"alice","home_dir":"/mnt/tank//alice/","uid":70000,"gid":0,"max_sessions":0,"quota_size":-5,"quota_files":0,"permissions":["*","list"],"used_quota_size":0,"used_quota_files":0,"last_quota_update":0,"upload_bandwidth":0,"download_bandwidth":0,"effective_uid":70000,"effective_gid":70000}"#,
    ),
    (
        "POST",
        "/user",
        r#"{"username":"alice","home_dir":"/mnt/tank/b","password":"p","permissions":["*"]}"#,
        500,
        r#"{"error":"username 'alice' already exists","message":"","status":500}"#,
    ),
    ("PUT", "/user/@ID", "{}", 200, UPDATED),
    ("PUT", "/user/@ID", "", 400, r#"{"error":"EOF","message":"","status":400}"#),
    ("PUT", "/user/a", "{}", 400, r#"{"error":"Invalid userID","message":"","status":400}"#),
    (
        "PUT",
        "/user/@ID",
        r#"{"id":1}"#,
        400,
        r#"{"error":"","message":"user ID in request body does not match user ID in path parameter","status":400}"#,
    ),
    (
        "PUT",
        "/user/@ID",
        r#"{"password":""}"#,
        400,
        r#"{"error":"Validation error: Please set password or at least a public_key","message":"","status":400}"#,
    ),
    (
        "PUT",
        "/user/@ID",
        r#"{"permissions":null}"#,
        400,
        r#"{"error":"Validation error: Please grant some permissions to this user","message":"","status":400}"#,
    ),
    (
        "PUT",
        "/user/@ID",
        r#"{"username":"carol","max_sessions":2,"upload_bandwidth":99999999999,"permissions":["upload","list"],"uid":0}"#,
        200,
        UPDATED,
    ),
    (
        "GET",
        "/user/@ID",
        "",
        200,
        r#"{"id":@ID,"username":"alice","home_dir":"/mnt/tank//alice/","uid":0,"gid":0,"max_sessions":2,"quota_size":-5,"quota_files":0,"permissions":["upload","list"],"used_quota_size":0,"used_quota_files":0,"last_quota_update":0,"upload_bandwidth":99999999999,"download_bandwidth":0,"effective_uid":70000,"effective_gid":70000}"#,
    ),
    (
        "PUT",
        "/user/@ID",
        r#"{"permissions":["*"],"max_sessions":0,"upload_bandwidth":0,"home_dir":"/mnt/tank/alice"}"#,
        200,
        UPDATED,
    ),
    (
        "GET",
        "/user?limit=1000&offset=-1&order=DESC&username=alice",
        "",
        200,
        r#"[{"id":@ID,"username":"alice","home_dir":"/mnt/tank/alice","uid":0,"gid":0,"max_sessions":0,"quota_size":-5,"quota_files":0,"permissions":["*"],"used_quota_size":0,"used_quota_files":0,"last_quota_update":0,"upload_bandwidth":0,"download_bandwidth":0,"effective_uid":70000,"effective_gid":70000}]"#,
    ),
    ("GET", "/user?limit=0", "", 200, "[]"),
    ("GET", "/user?limit=-1", "", 200, "[]"),
    ("GET", "/user?offset=1&username=alice", "", 200, "[]"),
    ("GET", "/user?username=Alice", "", 200, "[]"),
    (
        "POST",
        "/quota_scan",
        r#"{"username":"bob"}"#,
        404,
        r#"{"error":"Not found: username bob does not exist","message":"","status":404}"#,
    ),
    ("DELETE", "/user/@ID", "", 200, r#"{"error":"","message":"User deleted","status":200}"#),
];

/// With a body, curl says that it is a form; nobody minds.
#[test]
fn every_row_of_the_contract_has_its_status_and_its_body() {
    let server = Server::start();
    let mut id = String::new();
    for (method, path, body, status, expected) in ROWS {
        let body = Some(body.as_bytes()).filter(|_| matches!(method, "POST" | "PUT" | "PATCH"));
        let answer = server.rest.curl(method, &path.replace("@ID", &id), &[], body);
        if id.is_empty() && (method, status) == ("POST", 200) {
            id = serde_json::from_str::<Value>(&answer.body).unwrap()["id"].to_string();
        }
        let row = format!("{method} {path} {}", String::from_utf8_lossy(body.unwrap_or_default()));
        assert_eq!((answer.status, answer.body), (status, expected.replace("@ID", &id) + "\n"), "{row}");
        let header = |name: &str| answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(header("content-type"), Some("application/json; charset=utf-8"), "{row}");
        assert_eq!(header("allow"), None, "{row}");
    }
    assert!(!id.is_empty());
}

#[test]
fn what_is_asked_for_is_on_disk_and_stays_when_the_user_goes() {
    let server = Server::start();
    server.make_group("team", 4200);
    let id = server.create(
        r#"{"username":"alice","password":"secret","home_dir":"/mnt/tank/alice","permissions":["*"],"gid":4200}"#,
    );
    let uid = server.disk.field("/etc/passwd", "alice", 2);
    let line = format!("alice:x:{uid}:4200::/mnt/tank/alice:/usr/sbin/nologin");
    assert_eq!(server.disk.line("/etc/passwd", "alice"), Some(line));
    let hash = server.disk.field("/etc/shadow", "alice", 1);
    assert!(hash.starts_with("$6$"), "{hash}");
    assert_eq!(server.disk.owner_and_mode("/mnt/tank/alice"), (uid.parse().unwrap(), 4200, 0o700));
    let path = format!("/user/{id}");
    server.rest.put(&path, r#"{"home_dir":"/mnt/tank/other","password":"new"}"#).status_is(200);
    assert_eq!(server.disk.field("/etc/passwd", "alice", 5), "/mnt/tank/other");
    assert_ne!(server.disk.field("/etc/shadow", "alice", 1), hash);
    assert!(server.disk.path("/mnt/tank/alice").is_dir());
    server.world.run(&["usermod", "-d", "/mnt/tank/third", "-u", "4300", "alice"]);
    let shown = server.rest.get(&path).object(200);
    assert_eq!((&shown["home_dir"], &shown["uid"]), (&"/mnt/tank/third".into(), &0.into()));
    assert_eq!(shown["effective_uid"], 4300);
    server.rest.delete(&path).status_is(200);
    assert_eq!((server.disk.line("/etc/passwd", "alice"), server.disk.line("/etc/shadow", "alice")), (None, None));
    assert!(server.disk.path("/mnt/tank/other").is_dir());
}

#[test]
fn accounts_that_share_a_uid_are_told_so_and_roles_count() {
    let server = Server::start();
    let new = |name: &str| {
        format!(r#"{{"username":"{name}","password":"pw","home_dir":"/mnt/tank/{name}","permissions":["*"],"uid":33}}"#)
    };
    assert_eq!(server.rest.post("/user", &new("one")).object(200).get("shared_uid"), None);
    let two = server.rest.post("/user", &new("two")).object(200);
    assert_eq!((&two["shared_uid"], &two["effective_uid"]), (&true.into(), &33.into()));
    assert!(two["quota_note"].as_str().unwrap().contains("uid 33"), "{two}");
    let all = server.rest.get("/user").object(200);
    assert!(all.as_array().unwrap().iter().all(|user| user["shared_uid"] == true), "{all}");
    let one = server.rest.as_user("one", "pw");
    for answer in [one.get("/user"), one.post("/user", &new("three")), one.get("/connection")] {
        assert_eq!(answer.object(403)["status"], 403);
    }
    let stranger = server.rest.as_user("root", "wrong").get("/version");
    assert_eq!(stranger.object(401)["error"], "Unauthorized");
    assert!(stranger.header("www-authenticate").unwrap().starts_with("Basic realm="));
}

#[test]
fn a_browser_sends_nothing_for_a_page_of_another_site() {
    let server = Server::start();
    let body = br#"{"username":"evil","password":"pw","home_dir":"/mnt/tank/evil","permissions":["*"]}"#;
    let send = |origin: &str| {
        let options = ["-H", "Content-Type: text/plain", "-H", &format!("Origin: {origin}")];
        server.rest.curl("POST", "/user", &options, Some(body)).status
    };
    assert_eq!(send("http://evil.example"), 403);
    assert_eq!(server.disk.line("/etc/passwd", "evil"), None);
    assert_eq!(send(&server.world.api()), 200);
}
