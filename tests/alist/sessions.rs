//! The bits of `permission`, and `base_path`, as sessions of OpenSSH's sftp meet them.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::PathBuf;

use serde_json::json;

use super::Server;

const SFTP: i32 = 1024;
const SFTP_WRITE: i32 = 2048;

/// What is done, the bits that it needs, and how to undo it.
type Row<'a> = (&'a str, i32, fn(&Home));

struct Home {
    server: Server,
    id: u64,
}

impl Home {
    fn start() -> Self {
        let server = Server::start();
        let id = server.create("anna", json!({}));
        let home = Self { server, id };
        for directory in ["d", "p", ".dots"] {
            fs::create_dir(home.path(directory)).unwrap();
        }
        for file in ["f", "d/g", ".hidden", "p/inside", ".dots/x"] {
            fs::write(home.path(file), file).unwrap();
        }
        for path in ["d", "p", ".dots", "f", "d/g", ".hidden", "p/inside", ".dots/x"] {
            home.give(path);
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.server.disk.0.join("mnt/tank/anna").join(name)
    }

    fn give(&self, name: &str) {
        let owner = fs::metadata(self.path("")).unwrap();
        chown(self.path(name), Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    fn set(&self, permission: i32, base_path: &str) {
        let body = json!({"id": self.id, "username": "anna", "permission": permission, "base_path": base_path});
        self.server.post("/api/admin/user/update", &self.server.admin, &body).succeeds();
    }

    fn sftp(&self, commands: &str) -> (bool, String) {
        let output = self.server.world.with_password("anna", "anna").try_sftp(commands);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        // A list that is refused is no failure to OpenSSH's sftp.
        (output.status.success() && !said.contains("ermission denied"), said)
    }
}

#[test]
fn each_bit_permits_its_own_and_no_other() {
    let home = Home::start();
    fs::write(home.server.world.client_file("mine"), "mine").unwrap();
    let put = format!("put {} new", home.server.world.client_file("mine").display());
    let rows: [Row<'_>; 8] = [
        ("get f /dev/null", SFTP, |_| ()),
        ("ls -l", SFTP, |_| ()),
        (&put, SFTP | SFTP_WRITE | 8, |home| fs::remove_file(home.path("new")).unwrap()),
        ("mkdir made", SFTP | SFTP_WRITE | 8, |home| fs::remove_dir(home.path("made")).unwrap()),
        ("rename f moved", SFTP | SFTP_WRITE | 16, |home| fs::rename(home.path("moved"), home.path("f")).unwrap()),
        ("rename f d/f", SFTP | SFTP_WRITE | 32, |home| fs::rename(home.path("d/f"), home.path("f")).unwrap()),
        ("rename f d/other", SFTP | SFTP_WRITE | 16 | 32, |home| {
            fs::rename(home.path("d/other"), home.path("f")).unwrap()
        }),
        ("rm f", SFTP | SFTP_WRITE | 128, |home| {
            fs::write(home.path("f"), "f").unwrap();
            home.give("f");
        }),
    ];
    for (command, needed, undo) in rows {
        home.set(needed, "/");
        let (works, said) = home.sftp(command);
        assert!(works, "{command} with {needed}: {said}");
        undo(&home);
        for bit in (0..16).map(|bit| 1 << bit).filter(|bit| needed & bit != 0) {
            home.set(0xffff & !bit, "/");
            let (works, said) = home.sftp(command);
            assert!(!works, "{command} without {bit}: {said}");
            assert_eq!(fs::read(home.path("f")).unwrap(), b"f", "{command} without {bit}");
        }
    }
}

#[test]
fn names_with_a_dot_are_hidden_without_their_bit() {
    let home = Home::start();
    home.set(SFTP | SFTP_WRITE | 8 | 16 | 32 | 128, "/");
    let (works, said) = home.sftp("ls -a");
    assert!(works && said.contains('f') && !said.contains(".hidden") && !said.contains(".dots"), "{said}");
    for command in [
        "get .hidden /dev/null",
        "ls .dots",
        "get .dots/x /dev/null",
        "rm .hidden",
        "rename .hidden seen",
        "rename f .f",
    ] {
        let (works, said) = home.sftp(command);
        assert!(!works, "{command}: {said}");
    }
    assert!(home.path(".hidden").exists() && home.path("f").exists());
    home.set(1 | SFTP, "/");
    let (works, said) = home.sftp("ls -a\nget .hidden /dev/null");
    assert!(works && said.contains(".hidden"), "{said}");
}

#[test]
fn without_the_bit_of_sftp_there_are_no_files() {
    let home = Home::start();
    for permission in [0, 0xffff & !SFTP] {
        home.set(permission, "/");
        for command in ["ls", "get f /dev/null", "mkdir x"] {
            let (works, said) = home.sftp(command);
            assert!(!works, "{command} with {permission}: {said}");
        }
    }
    // Of a new account too, whatever its group may.
    assert!(!home.server.world.with_password("anna", "anna").ssh(&["id"]).status.success());
}

#[test]
fn the_base_path_is_all_that_a_session_sees() {
    let home = Home::start();
    home.set(1 | SFTP, "/p");
    let (works, said) = home.sftp("pwd\nls -a\ncd ..\nls");
    assert!(works && said.contains("inside") && !said.contains("hidden"), "{said}");
    for command in ["get ../f /dev/null", "get /etc/passwd /dev/null", "ls /mnt"] {
        assert!(!home.sftp(command).0, "{command}");
    }
    // A link in its place leads no further than the home.
    fs::rename(home.path("p"), home.path("q")).unwrap();
    symlink("/", home.path("p")).unwrap();
    let (works, said) = home.sftp("ls -a\nget f /dev/null");
    assert!(works && said.contains(".hidden") && !said.contains("etc"), "{said}");
    // One that is not there lets nobody look anywhere else.
    home.set(1 | SFTP, "/none");
    assert!(!home.sftp("ls").0);
}

#[test]
fn disabling_ends_what_is_open_and_keeps_out() {
    let home = Home::start();
    home.set(SFTP, "/");
    let session = home.server.world.with_password("anna", "anna");
    let mut open = session.prepare("sftp");
    open.arg("127.0.0.1");
    let mut child = open.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let v2 = crate::rest::Rest::v2(&home.server.world.api(), "root", crate::world::PASSWORD);
    let number = || v2.get("/connections").value()["items"].as_array().map_or(0, Vec::len);
    crate::world::wait_for("a session", || number() == 1);
    let body = json!({"id": home.id, "username": "anna", "permission": SFTP, "disabled": true});
    home.server.post("/api/admin/user/update", &home.server.admin, &body).succeeds();
    crate::world::wait_for("its end", || number() == 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!home.sftp("ls").0);
}
