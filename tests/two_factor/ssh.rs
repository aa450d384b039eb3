//! OpenSSH's client, whose user is asked for the code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use super::{Enrolled, PATIENT, nas_with};
use crate::openssh::run;
use crate::v2::Nas;

/// What somebody types.
#[derive(Clone, Copy)]
struct Typed<'a> {
    password: &'a str,
    code: &'a str,
    new: &'a str,
}

impl<'a> Typed<'a> {
    fn new(password: &'a str, code: &'a str) -> Self {
        Self { password, code, new: "" }
    }
}

/// sftp, with what its user was asked in order; by key too, where one is given.
fn sftp(nas: &Nas, user: &str, key: Option<&Path>, typed: Typed<'_>) -> (Output, Vec<String>) {
    let (script, asked) = (nas.world.client_file("questions"), nas.world.client_file("asked"));
    fs::write(&asked, "").unwrap();
    let text = format!(
        "#!/bin/sh\necho \"$1\" >>{asked:?}\ncase $1 in\n*'ew password: ') printf '%s\\n' \"$NEW\";;\n\
         *'Password: ') printf '%s\\n' \"$PASSWORD\";;\n*'Verification code: ') printf '%s\\n' \"$CODE\";;\nesac\n"
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let (plain, methods) = match key {
        Some(key) => (nas.world.with_key(user, key).prepare("sftp"), "publickey,keyboard-interactive"),
        None => (nas.world.with_password(user, "").prepare("sftp"), "keyboard-interactive"),
    };
    let mut command = Command::new(plain.get_program());
    command.args(["-o", &format!("PreferredAuthentications={methods}")]).args(plain.get_args());
    command.args(["-b", "-", "127.0.0.1"]);
    command.env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force");
    command.envs([("PASSWORD", typed.password), ("CODE", typed.code), ("NEW", typed.new)]);
    let output = run(command, b"pwd\n");
    let asked = fs::read_to_string(asked).unwrap();
    let questions = asked.lines().map(|line| line.rsplit(") ").next().unwrap().to_owned()).collect();
    (output, questions)
}

/// Whether it was let in, and what was asked.
#[track_caller]
fn ends(nas: &Nas, user: &str, key: Option<&Path>, typed: Typed<'_>) -> (bool, Vec<String>) {
    let (output, asked) = sftp(nas, user, key, typed);
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => (true, asked),
        Some(255) if said.contains("Permission denied") => (false, asked),
        code => panic!("ended with {code:?}: {said}"),
    }
}

fn questions(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

const PASSWORD: &str = "Password: ";
const CODE: &str = "Verification code: ";

#[test]
fn the_code_is_asked_for_behind_a_right_password_and_a_password_alone_lets_nobody_in() {
    let nas = nas_with(PATIENT, &["anna", "berta"]);
    let anna = Enrolled::of(&nas, "anna");
    let code = anna.phone.code();
    assert_eq!(ends(&nas, "anna", None, Typed::new("Pass-word1", &code)), (true, questions(&[PASSWORD, CODE])));
    // The same again, and the method without questions.
    assert_eq!(ends(&nas, "anna", None, Typed::new("Pass-word1", &code)), (false, questions(&[PASSWORD, CODE])));
    assert!(!nas.world.with_password("anna", "Pass-word1").logs_in());
    assert_eq!(ends(&nas, "anna", None, Typed::new("Pass-word1", "")), (false, questions(&[PASSWORD, CODE])));
    assert!(ends(&nas, "anna", None, Typed::new("Pass-word1", &anna.recovery[0])).0);
    // Nobody else is asked for it: neither who has a wrong password nor who is not enrolled.
    for user in ["anna", "berta", "nobody-here"] {
        assert_eq!(ends(&nas, user, None, Typed::new("wrong", &code)), (false, questions(&[PASSWORD])), "{user}");
    }
    assert_eq!(ends(&nas, "berta", None, Typed::new("Pass-word1", &code)), (true, questions(&[PASSWORD])));
    let refused = nas.rest.get("/audit?action=login&outcome=refused").object(200);
    assert!(refused.to_string().contains("password and code"), "{refused}");
}

#[test]
fn a_key_lets_in_alone_or_with_a_code_as_it_is_configured() {
    for (keys, alone) in [("alone", true), ("with_code", false)] {
        let config = format!("{PATIENT}[two_factor]\nkeys = \"{keys}\"\n");
        let nas = nas_with(&config, &["anna", "berta"]);
        let (key, line) = nas.world.make_key("key", "ed25519");
        for name in ["anna", "berta"] {
            nas.put(&format!("/users/{name}/keys"), &json!({"keys": [line]})).status_is(200);
        }
        let anna = Enrolled::of(&nas, "anna");
        assert_eq!(nas.world.with_key("anna", &key).logs_in(), alone, "{keys}");
        assert!(nas.world.with_key("berta", &key).logs_in(), "who is not enrolled needs no code");
        if alone {
            continue;
        }
        let code = anna.phone.code();
        assert_eq!(ends(&nas, "anna", Some(&key), Typed::new("", &anna.phone.wrong())), (false, questions(&[CODE])));
        assert_eq!(ends(&nas, "anna", Some(&key), Typed::new("", &code)), (true, questions(&[CODE])));
        assert_eq!(ends(&nas, "anna", Some(&key), Typed::new("", &code)), (false, questions(&[CODE])));
        assert!(ends(&nas, "anna", Some(&key), Typed::new("", &anna.recovery[0])).0);
        // Without the key the password and the code are enough.
        assert!(ends(&nas, "anna", None, Typed::new("Pass-word1", &anna.recovery[1])).0);
        // Another key is none.
        let (other, _) = nas.world.make_key("other", "ed25519");
        let (is_in, asked) = ends(&nas, "anna", Some(&other), Typed::new("wrong", &anna.recovery[2]));
        assert!(!is_in && !asked.contains(&CODE.to_owned()), "{asked:?}");
    }
}

#[test]
fn a_password_that_is_too_old_is_changed_behind_the_code() {
    let nas = nas_with(PATIENT, &["anna"]);
    let anna = Enrolled::of(&nas, "anna");
    nas.patch("/users/anna", &json!({"must_change": true})).status_is(200);
    let typed = |code| Typed { password: "Pass-word1", code, new: "Other-pass2" };
    let wrong = anna.phone.wrong();
    assert_eq!(ends(&nas, "anna", None, typed(&wrong)), (false, questions(&[PASSWORD, CODE])));
    let (is_in, asked) = ends(&nas, "anna", None, typed(&anna.phone.code()));
    assert_eq!((is_in, asked), (true, questions(&[PASSWORD, CODE, "New password: ", "Retype new password: "])));
    assert!(!nas.world.with_password("anna", "Other-pass2").logs_in());
    assert!(ends(&nas, "anna", None, Typed::new("Other-pass2", &anna.recovery[0])).0);
}
