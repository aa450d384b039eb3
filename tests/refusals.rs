//! Bad input: every request here is refused with the field and a reason, and leaves every file
//! under `etc` and every home as it was.

mod bodies;

use serde_json::{Value, json};

use crate::freenas::keys::KEY;
use crate::freenas::{Nas, new_user};

/// A sandbox with a user `anna` (uid 3001) and a group `team` (gid 4200), and what is on its disk.
struct Quiet {
    nas: Nas,
    anna: String,
    team: String,
}

impl Quiet {
    fn start() -> Self {
        let nas = Nas::start();
        let anna = nas.rest.create_user(&new_user("anna", 3001, "pw"));
        let team = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
        let (anna, team) = (format!("/account/users/{anna}/"), format!("/account/groups/{}/", team["id"]));
        Self { nas, anna, team }
    }

    /// Sends a request that has to change nothing.
    #[track_caller]
    fn refused(&self, method: &str, path: &str, body: &[u8], status: u16, said: &str) {
        let before = (self.nas.disk.everything("/etc"), self.nas.disk.everything("/mnt"));
        let answer = self.nas.rest.curl(method, path, &["-H", "Content-Type: application/json"], Some(body));
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]);
        assert_eq!(answer.status, status, "{method} {path} {shown}: {}", answer.body);
        assert!(answer.body.contains(said), "{method} {path} {shown}: {} lacks {said}", answer.body);
        let after = (self.nas.disk.everything("/etc"), self.nas.disk.everything("/mnt"));
        assert!(before == after, "{method} {path} {shown} changed something on disk");
    }

    /// The same for one field of an otherwise good request; the answer names that field alone.
    #[track_caller]
    fn field_refused(&self, method: &str, path: &str, good: &Value, field: &str, bad: &Value, named: &str) {
        let mut form = good.clone();
        form[field] = bad.clone();
        self.refused(method, path, form.to_string().as_bytes(), 409, &format!("{{\"{named}\": [\""));
    }
}

fn good_user() -> Value {
    serde_json::from_str(&new_user("bad", 3100, "pw")).unwrap()
}

/// What no field of an account file may hold.
fn line_breakers() -> Vec<Value> {
    let characters = ["\n", "\r", "\0", ":", "\t", "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}"];
    characters.iter().map(|c| json!(format!("a{c}b"))).collect()
}

#[test]
fn names_that_would_hurt_are_refused() {
    let quiet = Quiet::start();
    let names = [
        "",
        "-rf",
        "--help",
        ".",
        "..",
        "a/b",
        "../../bin/ls",
        "0",
        "123",
        "0day",
        "0x10",
        "a b",
        "root ",
        " root",
        "+nis",
        "a,b",
        "a;id",
        "*",
        "a\"b",
        "a'b",
        "a`b",
        "a#b",
        "a@b",
        "a%b",
        "a$b",
        "$",
        "~a",
        "ünï",
        "а",
        "a.",
        "ALL",
        "root",
        "Root",
        "nobody",
        "nogroup",
        "accountd",
        "accountd-api",
        "Anna",
        "anna",
        "abcdefghijklmnopq",
    ];
    let long = "x".repeat(100_000);
    let values = names.iter().copied().chain([long.as_str()]).map(|name| json!(name)).chain(line_breakers());
    for name in values.chain([json!(null), json!(["a"]), json!({"a": 1})]) {
        // The private group would have the same name, so it may be named too.
        let mut form = good_user();
        form["bsdusr_username"] = name.clone();
        quiet.refused("POST", "/account/users/", form.to_string().as_bytes(), 409, "\"bsdusr_username\": [\"");
        if name != "anna" && name != "Anna" {
            quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_username", &name, "bsdusr_username");
        }
    }
}

#[test]
fn texts_that_would_end_their_field_or_line_are_refused() {
    let quiet = Quiet::start();
    let long = json!("x".repeat(256));
    for bad in line_breakers().iter().chain([&long]) {
        for (field, value) in [
            ("bsdusr_full_name", bad.clone()),
            ("bsdusr_home", json!(format!("/mnt/tank/{}", bad.as_str().unwrap()))),
            ("bsdusr_shell", json!(format!("/bin/{}", bad.as_str().unwrap()))),
            ("bsdusr_email", json!(format!("{}@example.org", bad.as_str().unwrap()))),
        ] {
            if field == "bsdusr_email" && value.as_str().unwrap().contains(':') {
                continue;
            }
            quiet.field_refused("POST", "/account/users/", &good_user(), field, &value, field);
            quiet.field_refused("PUT", &quiet.anna, &json!({}), field, &value, field);
        }
    }
    for bad in ["a", "a@b", "a@b.c", "@b.cd", "a@@b.cd", "a b@c.de", "a@b.cd, |sh", "a@b.cd\nroot: x"] {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_email", &json!(bad), "bsdusr_email");
    }
}

#[test]
fn ids_that_mean_somebody_else_or_nobody_are_refused() {
    let quiet = Quiet::start();
    let numbers = [
        json!(0),
        json!(-1),
        json!(65534),
        json!(65535),
        json!(2147483648u32),
        json!(4294967294u32),
        json!(4294967295u32),
        json!(4294967296u64),
        json!(1e300),
        json!("1e3"),
        json!("0x10"),
        json!("5 5"),
        json!("٣"),
        json!(1.5),
        json!(null),
        json!(""),
        json!(true),
        json!([5]),
        json!({"a": 5}),
        json!("9".repeat(100_000)),
        json!(990),
        json!(991),
    ];
    for number in numbers {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_uid", &number, "bsdusr_uid");
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_uid", &number, "bsdusr_uid");
        let group = json!({"bsdgrp_group": "bad"});
        quiet.field_refused("POST", "/account/groups/", &group, "bsdgrp_gid", &number, "bsdgrp_gid");
        quiet.field_refused("PUT", &quiet.team, &json!({}), "bsdgrp_gid", &number, "bsdgrp_gid");
    }
}

#[test]
fn homes_outside_the_pools_are_refused() {
    let quiet = Quiet::start();
    for home in [
        "",
        "/etc",
        "/root",
        "/",
        "/mnt",
        "/mnt/nopool/x",
        "/home/x",
        ".",
        "..",
        "tank/x",
        "../mnt/tank/x",
        "/mnt/tank/../../etc",
        "/mnt/tank/x/../y",
        "/mnt/tankx/y",
        "/nonexistent/x",
    ] {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_home", &json!(home), "bsdusr_home");
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_home", &json!(home), "bsdusr_home");
    }
    quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_home", &json!("/mnt/tank"), "bsdusr_home");
    std::fs::write(quiet.nas.disk.path("/mnt/tank/file"), "x").unwrap();
    std::os::unix::fs::symlink("/etc", quiet.nas.disk.path("/mnt/tank/link")).unwrap();
    for home in [
        "/mnt/tank/file",
        "/mnt/tank/link",
        "/mnt/tank/link/deeper",
        "/mnt/tank/file/deeper",
        "/mnt/tank/home/anna/.ssh",
    ] {
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_home", &json!(home), "bsdusr_home");
    }
    for mode in [
        json!("4755"),
        json!("2755"),
        json!("1777"),
        json!("0"),
        json!("99"),
        json!("rwx"),
        json!(-1),
        json!("77777"),
        json!("000"),
        json!([755]),
        json!([]),
        json!({"mode": "755"}),
        json!(true),
        json!(false),
    ] {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_mode", &mode, "bsdusr_home");
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_mode", &mode, "bsdusr_home");
    }
}

#[test]
fn shells_groups_and_rights_that_are_not_there_are_refused() {
    let quiet = Quiet::start();
    for shell in ["", "/bin/nosuch", "sh", "/mnt/tank/sh", "/bin/../bin/sh", "/etc/passwd"] {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_shell", &json!(shell), "bsdusr_shell");
    }
    for group in [json!(99999), json!(-1), json!("wheel"), json!([1]), json!(1.5)] {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_group", &group, "bsdusr_group");
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_group", &group, "bsdusr_group");
    }
    let too_many: Vec<u32> = (1..=65).collect();
    for groups in [json!([99999]), json!("wheel"), json!(["x"]), json!([[1]]), json!(too_many)] {
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_to_group", &groups, "bsdusr_to_group");
    }
    let mut neither = good_user();
    neither["bsdusr_creategroup"] = json!(0);
    quiet.refused("POST", "/account/users/", neither.to_string().as_bytes(), 409, "{\"bsdusr_group\": [");
}

#[test]
fn passwords_and_keys_that_can_not_be_kept_are_refused() {
    let quiet = Quiet::start();
    let long = "x".repeat(512);
    for password in [json!("a\nb"), json!("a\0b"), json!("a\rb"), json!(long), json!(["a"]), json!({"a": "b"})] {
        quiet.field_refused("POST", "/account/users/", &good_user(), "bsdusr_password", &password, "bsdusr_password");
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_password", &password, "bsdusr_password");
        let body = json!({"bsdusr_password": password}).to_string();
        quiet.refused("POST", &format!("{}password/", quiet.anna), body.as_bytes(), 400, "{\"bsdusr_password\": [\"");
    }
    for hash in [
        "",
        "x",
        "*",
        "!$6$salt$hashhashhash",
        "$6$rounds=999999999$salt$hash",
        "$6$a:b$hashhashhash",
        "$6$a\nb$hashhash",
    ] {
        let mut request = good_user();
        request.as_object_mut().unwrap().remove("bsdusr_password");
        let named = if hash.is_empty() { "bsdusr_password" } else { "bsdusr_password_hash" };
        quiet.field_refused("POST", "/account/users/", &request, "bsdusr_password_hash", &json!(hash), named);
    }
    let both = json!({"bsdusr_password": "x", "bsdusr_password_disabled": true}).to_string();
    quiet.refused("PUT", &quiet.anna, both.as_bytes(), 409, "{\"bsdusr_password_disabled\": [\"");
    let keys = [
        "garbage",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2E=",
        "# comment\nnot a key",
        "command=\"x\nssh-ed25519 AAAA",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ];
    let odd = [format!("{KEY}\0"), format!("{KEY}\u{85}x"), format!("{KEY}\rroot"), format!("{KEY}\u{1b}[0m")];
    for key in keys.iter().copied().chain(odd.iter().map(String::as_str)) {
        quiet.field_refused("PUT", &quiet.anna, &json!({}), "bsdusr_sshpubkey", &json!(key), "bsdusr_sshpubkey");
    }
}

#[test]
fn groups_are_guarded_like_users() {
    let quiet = Quiet::start();
    let names = [
        "",
        "-a",
        ".",
        "..",
        "a/b",
        "a,b",
        "a b",
        "123",
        "root",
        "wheel",
        "Wheel",
        "team",
        "TEAM",
        "a$b",
        "ünï",
        "accountd-ssh",
    ];
    let values =
        names.iter().map(|name| json!(name)).chain(line_breakers()).chain([json!("x".repeat(33)), json!(null)]);
    for name in values {
        let good = json!({"bsdgrp_gid": 4300});
        quiet.field_refused("POST", "/account/groups/", &good, "bsdgrp_group", &name, "bsdgrp_group");
    }
    let dotted = json!({"bsdgrp_gid": 4300, "bsdgrp_group": ".a"}).to_string();
    let said = r#"{"bsdgrp_group": ["Name must begin with a letter, a digit or an underscore."]}"#;
    quiet.refused("POST", "/account/groups/", dotted.as_bytes(), 409, said);
    for name in ["x".repeat(33), "字".repeat(33)] {
        let body = json!({"bsdgrp_gid": 4300, "bsdgrp_group": name}).to_string();
        let said = r#"{"bsdgrp_group": ["Ensure this value has at most 32 characters (it has 33)."]}"#;
        quiet.refused("POST", "/account/groups/", body.as_bytes(), 409, said);
    }
    quiet.refused(
        "POST",
        "/account/groups/",
        b"{}",
        409,
        r#"{"bsdgrp_gid": ["This field is required."], "bsdgrp_group": ["#,
    );
}

#[test]
fn built_in_accounts_keep_what_makes_them_so() {
    let quiet = Quiet::start();
    let refused = |method: &str, path: &str, body: Value, said: &str| {
        quiet.refused(method, path, body.to_string().as_bytes(), 409, said);
    };
    for (field, value) in [
        ("bsdusr_username", json!("toor")),
        ("bsdusr_uid", json!(5000)),
        ("bsdusr_home", json!("/mnt/tank/root")),
        ("bsdusr_group", json!(2)),
    ] {
        let said = format!(r#"{{"{field}": ["This attribute cannot be changed"]}}"#);
        refused("PUT", "/account/users/1/", json!({field: value}), &said);
    }
    refused("PUT", "/account/groups/1/", json!({"bsdgrp_group": "rootless"}), r#"{"bsdgrp_group": ["This attribute"#);
    refused("PUT", "/account/groups/1/", json!({"bsdgrp_gid": 4300}), r#"{"bsdgrp_gid": ["This attribute"#);
    refused("DELETE", "/account/users/1/", json!({}), r#"{"error_message": "[EINVAL] Cannot delete a built-in user"}"#);
    refused(
        "DELETE",
        "/account/groups/1/",
        json!({}),
        r#"{"error_message": "[EINVAL] Cannot delete a built-in group"}"#,
    );
}
