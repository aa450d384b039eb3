//! The ten commands that users of SFTPGo's REST API have, in Python over requests.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Server;
use crate::world::{PASSWORD, wait_for};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sftpgo/client.py");

impl Server {
    /// What a command prints. It ends well, whatever the server says.
    #[track_caller]
    fn client(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(SCRIPT).args(["-b", &self.world.api(), "-u", "root", "-p", PASSWORD]).args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, as a value.
    #[track_caller]
    fn said(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.client(arguments)).unwrap()
    }
}

const ADD: [&str; 23] = [
    "add-user",
    "test_username",
    "-P",
    "test_pwd",
    "-H",
    "/mnt/tank/test_username",
    "--uid",
    "33",
    "--gid",
    "1000",
    "-C",
    "2",
    "-S",
    "0",
    "-F",
    "3",
    "-U",
    "100",
    "-D",
    "60",
    "-G",
    "list",
    "download",
];

/// What [`ADD`] prints, but for the id.
const ADDED: &str = r#"{
  "download_bandwidth": 60,
  "effective_gid": 1000,
  "effective_uid": 33,
  "gid": 1000,
  "home_dir": "/mnt/tank/test_username",
  "id": ID,
  "last_quota_update": 0,
  "max_sessions": 2,
  "permissions": [
    "list",
    "download"
  ],
  "quota_files": 3,
  "quota_size": 0,
  "uid": 33,
  "upload_bandwidth": 100,
  "used_quota_files": 0,
  "used_quota_size": 0,
  "username": "test_username"
}
"#;

/// A user without what it stores, which a file system may count at once.
fn without_use(said: &str) -> String {
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    for line in &mut lines {
        for key in ["last_quota_update", "used_quota_files", "used_quota_size"] {
            if line.starts_with(&format!("  \"{key}\": ")) {
                *line = format!("  \"{key}\": 0,");
            }
        }
    }
    lines.join("\n") + "\n"
}

fn status(error: &str, message: &str, status: u16) -> String {
    format!("{{\n  \"error\": \"{error}\",\n  \"message\": \"{message}\",\n  \"status\": {status}\n}}\n")
}

#[test]
fn users_are_made_changed_listed_and_deleted_with_the_sample_values() {
    let server = Server::start();
    server.make_group("sample", 1000);
    let added = server.client(&ADD);
    let id = serde_json::from_str::<Value>(&added).unwrap()["id"].to_string();
    assert_eq!(without_use(&added), ADDED.replace("ID", &id));
    let line = "test_username:x:33:1000::/mnt/tank/test_username:/usr/sbin/nologin";
    assert_eq!(server.disk.line("/etc/passwd", "test_username").as_deref(), Some(line));
    assert_eq!(server.disk.owner_and_mode("/mnt/tank/test_username"), (33, 1000, 0o700));
    assert_eq!(server.client(&ADD), status("username 'test_username' already exists", "", 500));

    assert_eq!(without_use(&server.client(&["get-user-by-id", &id])), ADDED.replace("ID", &id));
    let unknown = status("Not found: user with ID 99999 does not exist", "", 404);
    assert_eq!(server.client(&["get-user-by-id", "99999"]), unknown);

    let update = ["update-user", &id, "test_username", "-C", "3", "-G", "*", "--gid", "1000"];
    assert_eq!(server.client(&update), status("", "User updated", 200));
    let mut expected: Value = serde_json::from_str(&ADDED.replace("ID", &id)).unwrap();
    for (key, value) in [
        ("uid", json!(0)),
        ("max_sessions", json!(3)),
        ("permissions", json!(["*"])),
        ("quota_files", json!(0)),
        ("upload_bandwidth", json!(0)),
        ("download_bandwidth", json!(0)),
    ] {
        expected[key] = value;
    }
    let mut listed = server.said(&["get-users", "-L", "1", "-U", "test_username"]);
    for key in ["last_quota_update", "used_quota_files", "used_quota_size"] {
        assert!(listed[0][key].take().is_u64(), "{key}");
        expected[key] = Value::Null;
    }
    assert_eq!(listed, json!([expected]));
    assert_eq!(server.client(&["get-users", "-O", "1", "-S", "DESC"]), "[]\n");

    assert_eq!(server.client(&["delete-user", &id]), status("", "User deleted", 200));
    assert_eq!(server.disk.line("/etc/passwd", "test_username"), None);
    assert!(server.disk.path("/mnt/tank/test_username").is_dir(), "its home stays");
}

#[test]
fn connections_are_listed_and_closed() {
    let server = Server::start();
    server.client(&["add-user", "anna", "-P", "pw", "-H", "/mnt/tank/anna", "-G", "*"]);
    assert_eq!(server.client(&["get-connections"]), "[]\n");
    assert_eq!(server.client(&["close-connection", "ab"]), status("", "Not Found", 404));
    let mut sftp = server.world.with_password("anna", "pw").prepare("sftp");
    let sftp = sftp.arg("127.0.0.1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut sftp = sftp.spawn().unwrap();
    // It would end by itself at the end of what it reads.
    let commands = sftp.stdin.take();
    wait_for("an SFTP session", || server.said(&["get-connections"]) != json!([]));
    let open = server.said(&["get-connections"]);
    let (one, id) = (&open[0], open[0]["connection_id"].as_str().unwrap());
    assert_eq!((&one["username"], &one["protocol"]), (&json!("anna"), &json!("SFTP")), "{open}");
    assert_eq!(one["active_transfers"], json!([]));
    assert!(one["client_version"].as_str().unwrap().starts_with("SSH-2.0-OpenSSH_"), "{open}");
    assert!(one["remote_address"].as_str().unwrap().starts_with("127.0.0.1:"), "{open}");
    assert!(one["connection_time"].as_u64().unwrap() > 1_600_000_000_000, "{open}");
    assert!(one["last_activity"].as_u64() >= one["connection_time"].as_u64(), "{open}");
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{id}");
    assert_eq!(server.client(&["close-connection", id]), status("", "Connection closed", 200));
    wait_for("its end", || server.said(&["get-connections"]) == json!([]));
    drop(commands);
    sftp.wait().unwrap();
}

#[test]
fn scans_and_the_version_are_asked_for() {
    let server = Server::start();
    server.client(&["add-user", "anna", "-P", "pw", "-H", "/mnt/tank/anna", "-G", "*"]);
    let unknown = status("Not found: username nobody_of_that_name does not exist", "", 404);
    assert_eq!(server.client(&["start-quota-scan", "nobody_of_that_name"]), unknown);
    assert_eq!(server.client(&["get-quota-scans"]), "[]\n");
    let version = server.said(&["get-version"]);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["build_date"].as_str().unwrap().ends_with('Z'), "{version}");
    assert!(version["commit_hash"].is_string(), "{version}");
    assert_eq!(server.client(&["start-quota-scan", "anna"]), status("", "Scan started", 201));
    wait_for("the end of a scan", || {
        server.said(&["get-users", "-U", "anna"])[0]["last_quota_update"].as_u64() > Some(1_600_000_000_000)
    });
}
