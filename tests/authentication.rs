//! Who gets in: passwords, keys, and the state of the account; each row beside what is on disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::json;

use crate::freenas::{Nas, new_user};

/// A sandbox with a user `anna` (uid 3001, password `pw`) who has a key.
struct Anna {
    nas: Nas,
    path: String,
    key: std::path::PathBuf,
    public: String,
}

const KEYS: &str = "/mnt/tank/home/anna/.ssh/authorized_keys";

impl Anna {
    fn new() -> Self {
        let nas = Nas::start();
        let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
        let (key, public) = nas.world.make_key("anna_key", "ed25519");
        let anna = Self { nas, path: format!("/account/users/{id}/"), key, public };
        anna.put(&json!({"bsdusr_sshpubkey": anna.public}));
        anna
    }

    #[track_caller]
    fn put(&self, change: &serde_json::Value) -> serde_json::Value {
        self.nas.rest.put(&self.path, &change.to_string()).object(200)
    }

    #[track_caller]
    fn by_password(&self) -> bool {
        self.nas.world.with_password("anna", "pw").logs_in()
    }

    #[track_caller]
    fn by_key(&self) -> bool {
        self.nas.world.with_key("anna", &self.key).logs_in()
    }

    /// Both ways in at once.
    #[track_caller]
    fn ways_in(&self) -> (bool, bool) {
        (self.by_password(), self.by_key())
    }

    /// As if the user had edited the file.
    fn write_keys(&self, text: &str) {
        fs::write(self.nas.disk.path(KEYS), text).unwrap();
    }

    fn shadow(&self, field: usize) -> String {
        self.nas.disk.field("/etc/shadow", "anna", field)
    }
}

#[test]
fn a_password_and_a_key_both_let_in_and_files_belong_to_the_user() {
    let anna = Anna::new();
    let world = &anna.nas.world;
    fs::write(world.client_file("report"), "figures").unwrap();
    world.with_password("anna", "pw").sftp("put report by-password\nmkdir made\n");
    world.with_key("anna", &anna.key).sftp("put report by-key\n");
    let home = "/mnt/tank/home/anna";
    for name in ["by-password", "by-key"] {
        let path = format!("{home}/{name}");
        assert_eq!(anna.nas.disk.text(&path), "figures");
        assert_eq!(anna.nas.disk.owner_and_mode(&path), (3001, 3001, 0o644));
    }
    assert_eq!(anna.nas.disk.owner_and_mode(&format!("{home}/made")), (3001, 3001, 0o755));
}

#[test]
fn keys_of_every_type_that_the_file_may_hold_let_in() {
    let anna = Anna::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (key, public) = anna.nas.world.make_key(&format!("{kind}_key"), kind);
        let client = anna.nas.world.with_key("anna", &key);
        assert!(!client.logs_in(), "{kind} before it is in the file");
        anna.put(&json!({"bsdusr_sshpubkey": format!("{}\n{public}\n", anna.public)}));
        assert!(client.logs_in(), "{kind}");
        assert!(anna.by_key());
    }
}

#[test]
fn wrong_proofs_and_unknown_users_are_refused() {
    let anna = Anna::new();
    let world = &anna.nas.world;
    let before = anna.nas.disk.everything("/etc");
    for password in ["", "wrong", "pw ", "PW", "pw\u{7f}", &"x".repeat(1000)] {
        assert!(!world.with_password("anna", password).logs_in(), "{password:?}");
    }
    let long = "x".repeat(200);
    for user in ["nobody-here", "ANNA", "anna ", "nobody", "accountd-api", "daemon", "../anna", "3001", &long] {
        assert!(!world.with_password(user, "pw").logs_in(), "{user:?}");
        assert!(!world.with_key(user, &anna.key).logs_in(), "{user:?}");
    }
    let (stranger, _) = world.make_key("stranger", "ed25519");
    assert!(!world.with_key("anna", &stranger).logs_in());
    assert!(anna.nas.disk.everything("/etc") == before);
    assert_eq!(anna.ways_in(), (true, true));
}

#[test]
fn a_removed_key_does_not_let_in_any_more() {
    let anna = Anna::new();
    assert!(anna.by_key());
    anna.put(&json!({"bsdusr_sshpubkey": ""}));
    assert_eq!(anna.nas.disk.text(KEYS), "");
    assert_eq!(anna.ways_in(), (true, false));
    // Put back by hand, as the user may.
    anna.write_keys(&format!("# mine\n\n{}\n", anna.public));
    fs::set_permissions(anna.nas.disk.path(KEYS), fs::Permissions::from_mode(0o600)).unwrap();
    chown(anna.nas.disk.path(KEYS), Some(3001), Some(3001)).unwrap();
    assert!(anna.by_key());
}

#[test]
fn options_of_a_key_are_kept() {
    let anna = Anna::new();
    let rows = [
        ("from=\"127.0.0.1\"", true),
        ("from=\"10.0.0.0/8\"", false),
        ("from=\"10.0.0.0/8,127.0.0.0/8\"", true),
        ("from=\"127.0.0.*,!127.0.0.1\"", false),
        ("from=\"*\",expiry-time=\"20200101\"", false),
        ("expiry-time=\"20991231\"", true),
        ("FROM=\"192.0.2.1\"", false),
        ("cert-authority", false),
        ("no-such-option", false),
        ("no-pty,no-port-forwarding", true),
        ("restrict", true),
    ];
    for (options, expected) in rows {
        anna.write_keys(&format!("{options} {}\n", anna.public));
        assert_eq!(anna.by_key(), expected, "{options}");
    }
    anna.write_keys(&format!("command=\"/bin/false\" {}\n", anna.public));
    let told = anna.nas.world.with_key("anna", &anna.key).try_sftp("pwd\n");
    assert!(!told.status.success(), "a key that is for one command must not open SFTP");
}

#[test]
fn a_key_file_that_others_could_have_written_counts_for_nothing() {
    let anna = Anna::new();
    let disk = &anna.nas.disk;
    let (home, directory) = ("/mnt/tank/home/anna", "/mnt/tank/home/anna/.ssh");
    let mode = |path: &str, mode| fs::set_permissions(disk.path(path), fs::Permissions::from_mode(mode)).unwrap();
    for (path, loose, right) in [(KEYS, 0o620, 0o600), (directory, 0o722, 0o700), (home, 0o777, 0o755)] {
        mode(path, loose);
        assert!(!anna.by_key(), "{path} with mode {loose:o}");
        mode(path, right);
        assert!(anna.by_key(), "{path} with mode {right:o}");
    }
    chown(disk.path(KEYS), Some(1), None).unwrap();
    assert!(!anna.by_key(), "a file of another user");
    chown(disk.path(KEYS), Some(3001), None).unwrap();
    assert!(anna.by_key());
}

#[test]
fn a_locked_account_is_shut_and_opens_again() {
    let anna = Anna::new();
    anna.put(&json!({"bsdusr_locked": true}));
    assert!(anna.shadow(1).starts_with('!'));
    assert_eq!(anna.ways_in(), (false, false));
    anna.put(&json!({"bsdusr_locked": false}));
    assert_eq!(anna.ways_in(), (true, true));
    anna.nas.world.run(&["usermod", "--lock", "anna"]);
    assert_eq!(anna.ways_in(), (false, false));
    anna.nas.world.run(&["usermod", "--unlock", "anna"]);
    assert_eq!(anna.ways_in(), (true, true));
}

#[test]
fn a_disabled_password_leaves_the_key() {
    let anna = Anna::new();
    anna.put(&json!({"bsdusr_password_disabled": true}));
    assert_eq!(anna.shadow(1), "*");
    assert_eq!(anna.ways_in(), (false, true));
}

#[test]
fn an_expired_account_is_shut_and_an_expired_password_is_no_password() {
    let anna = Anna::new();
    anna.nas.world.run(&["chage", "-E", "2020-01-01", "anna"]);
    assert_eq!(anna.shadow(7), "18262");
    assert_eq!(anna.ways_in(), (false, false));
    anna.nas.world.run(&["chage", "-E", "-1", "anna"]);
    assert_eq!(anna.ways_in(), (true, true));
    anna.nas.world.run(&["chage", "-d", "0", "anna"]);
    assert_eq!(anna.ways_in(), (false, true));
    anna.nas.world.run(&["chage", "-d", "2020-01-01", "-M", "30", "anna"]);
    assert_eq!(anna.ways_in(), (false, true));
    anna.nas.world.run(&["chage", "-I", "10", "anna"]);
    assert_eq!(anna.ways_in(), (false, false), "expired for longer than it may be");
}

#[test]
fn a_deleted_account_is_gone_for_every_proof() {
    let anna = Anna::new();
    assert_eq!(anna.ways_in(), (true, true));
    assert_eq!(anna.nas.rest.delete(&anna.path).status, 204);
    assert_eq!(anna.nas.disk.line("/etc/passwd", "anna"), None);
    assert_eq!(anna.nas.disk.line("/etc/shadow", "anna"), None);
    assert_eq!(anna.ways_in(), (false, false));
}

#[test]
fn a_passwd_line_without_a_shadow_line_is_no_account() {
    let anna = Anna::new();
    let shadow = anna.nas.disk.text("/etc/shadow");
    let without: String = shadow.lines().filter(|line| !line.starts_with("anna:")).map(|l| format!("{l}\n")).collect();
    fs::write(anna.nas.disk.path("/etc/shadow"), without).unwrap();
    assert_eq!(anna.ways_in(), (false, false));
    // A hash in passwd itself, as long ago.
    let hash = shadow.lines().find_map(|line| line.strip_prefix("anna:")).unwrap().split(':').next().unwrap();
    let passwd = anna.nas.disk.text("/etc/passwd").replace("anna:x:", &format!("anna:{hash}:"));
    fs::write(anna.nas.disk.path("/etc/passwd"), passwd).unwrap();
    assert_eq!(anna.ways_in(), (false, false));
    fs::write(anna.nas.disk.path("/etc/shadow"), shadow).unwrap();
    assert!(anna.by_key());
}

#[test]
fn root_gets_in_by_key_alone() {
    let nas = Nas::start();
    let (key, public) = nas.world.make_key("root_key", "ed25519");
    nas.rest.put("/account/users/1/", &json!({"bsdusr_sshpubkey": public}).to_string()).object(200);
    assert!(nas.disk.text("/root/.ssh/authorized_keys").contains(&public));
    assert!(!nas.world.with_password("root", &nas.world.admin_password()).logs_in());
    let root = nas.world.with_key("root", &key);
    assert!(root.logs_in());
    root.sftp("mkdir /var/tmp/by-root\n");
    assert_eq!(nas.disk.owner_and_mode("/var/tmp/by-root"), (0, 0, 0o755));
}
