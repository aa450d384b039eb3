//! Logins through PAM: modules of Debian's, and one of the tests' own, in front of OpenSSH's client.

mod account;
mod dialogue;
mod faults;
mod sessions;
mod verdicts;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::openssh::{Client, run};
use crate::v2::Nas;
use crate::world::{World, accountd};

const PASSWORD: &str = "Pass-word1";
/// Delays and bans are other tests' affair.
const PATIENT: &str = "[bans]\nignore = [\"127.0.0.0/8\"]\n";
/// What pam_unix(8) decides, at once.
const UNIX: &str = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n\
                    password required pam_unix.so\nsession required pam_permit.so\n";

/// A sandbox whose logins go through PAM, with `anna` and `berta`, who have a shell.
fn nas_with(settings: &str) -> Nas {
    let nas = Nas::of(World::start_with(&format!("{settings}[login]\nuse_pam = true\n")));
    for name in ["anna", "berta"] {
        let home = format!("/mnt/tank/home/{name}");
        nas.post("/users", &json!({"username": name, "password": PASSWORD, "home": home, "shell": "/bin/bash"}));
    }
    nas
}

fn nas() -> Nas {
    nas_with(PATIENT)
}

/// The service, from the next login on.
fn stacks(nas: &Nas, text: &str) {
    write(nas, "etc/pam.d/accountd", text);
}

fn write(nas: &Nas, path: &str, text: &str) {
    fs::write(nas.world.root().join(path), text).unwrap();
}

/// A program of the sandbox.
fn write_program(nas: &Nas, path: &str, text: &str) {
    write(nas, path, text);
    fs::set_permissions(nas.world.root().join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Builds the tests' own module where the sandbox has it as `/var/lib/module.so`.
fn build_module(nas: &Nas) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pam_login/module.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O0", "-o"])
        .arg(nas.world.root().join("var/lib/module.so"))
        .arg(source)
        .arg("-lpam")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

fn anna(nas: &Nas) -> Client<'_> {
    nas.world.with_password("anna", PASSWORD)
}

/// Stacks with accountd's own module behind pam_unix, as Debian's common files have it.
fn stacks_with_own_module(nas: &Nas) {
    let module = accountd().with_file_name("deps").join("libpam_accountd.so");
    fs::copy(module, nas.world.root().join("var/lib/pam_accountd.so")).unwrap();
    let own = |kind: &str| format!("{kind} [success=ok ignore=ignore default=die] /var/lib/pam_accountd.so\n");
    stacks(nas, &format!("{UNIX}{}{}{}", own("auth"), own("account"), own("session")));
}

/// `anna` with a key of hers.
fn anna_by_key(nas: &Nas) -> Client<'_> {
    let (key, line) = nas.world.make_key("key", "ed25519");
    nas.put("/users/anna/keys", &json!({"keys": [line]})).status_is(200);
    nas.world.with_key("anna", &key)
}

/// A command that has to succeed; gives what it printed.
#[track_caller]
fn says(client: &Client<'_>, command: &str) -> String {
    let output = client.ssh(&[command]);
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A dialogue of keyboard-interactive, behind a key where the client has one.
struct Asked {
    is_in: bool,
    /// In their order.
    questions: Vec<String>,
    /// What else the client was shown.
    shown: String,
}

/// Somebody who answers each question that ends like this, in its order.
fn dialogue(nas: &Nas, client: &Client<'_>, answers: &[(&str, &str)]) -> Asked {
    let (script, asked) = (nas.world.client_file("questions"), nas.world.client_file("asked"));
    fs::write(&asked, "").unwrap();
    let cases: String =
        answers.iter().map(|(end, answer)| format!("*'{end}') printf '%s\\n' '{answer}';;\n")).collect();
    fs::write(&script, format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >>{asked:?}\ncase $1 in\n{cases}esac\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let methods = "PreferredAuthentications=publickey,keyboard-interactive";
    let mut command = client.prepare_with("ssh", &[methods, "LogLevel=INFO"]);
    command.args(["127.0.0.1", "true"]).env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force");
    let output = run(command, b"");
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_in = is_in(&output);
    let asked = fs::read_to_string(asked).unwrap();
    let questions = asked.lines().map(|line| line.rsplit(") ").next().unwrap().to_owned()).collect();
    Asked { is_in, questions, shown }
}

/// Whether somebody was let in who was refused otherwise.
#[track_caller]
fn is_in(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => true,
        Some(255) if said.contains("Permission denied") || said.contains("Too many authentication") => false,
        code => panic!("ended with {code:?}: {said}"),
    }
}

#[test]
fn what_pam_says_of_a_password_counts_in_both_methods() {
    let nas = nas();
    stacks(&nas, UNIX);
    let by_questions = |user: &str, password: &str| {
        let asked = dialogue(&nas, &nas.world.with_password(user, ""), &[("Password: ", password)]);
        (asked.is_in, asked.questions)
    };
    let one = vec!["Password: ".to_owned()];
    assert!(anna(&nas).logs_in());
    assert_eq!(by_questions("anna", PASSWORD), (true, one.clone()));
    for (user, password) in [("anna", "wrong"), ("anna", ""), ("nobody-here", PASSWORD), ("root", PASSWORD)] {
        assert!(!nas.world.with_password(user, password).logs_in(), "{user}");
        assert_eq!(by_questions(user, password), (false, one.clone()), "{user}");
    }
    // Whatever the password is.
    stacks(&nas, &UNIX.replace("auth required pam_unix.so nodelay", "auth required pam_deny.so"));
    assert!(!anna(&nas).logs_in());
    let permit = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
    stacks(&nas, permit);
    assert!(nas.world.with_password("anna", "wrong").logs_in());
    // And the account decides as ever.
    for user in ["nobody-here", "root", "daemon"] {
        assert!(!nas.world.with_password(user, "wrong").logs_in(), "{user}");
    }
    nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    assert!(!nas.world.with_password("anna", "wrong").logs_in());
    assert!(nas.world.with_password("berta", "wrong").logs_in());
    // Without a service of this name, the one called `other` is asked (pam.d(5)).
    fs::remove_file(nas.world.root().join("etc/pam.d/accountd")).unwrap();
    write(&nas, "etc/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n");
    assert!(!nas.world.with_password("berta", PASSWORD).logs_in());
}

#[test]
fn without_the_setting_pam_is_not_asked() {
    let nas = nas();
    stacks(&nas, "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n");
    assert!(!anna(&nas).logs_in());
    write(&nas, "etc/accountd/accountd.toml", PATIENT);
    nix::sys::signal::kill(nas.world.process("agent"), nix::sys::signal::Signal::SIGHUP).unwrap();
    crate::world::wait_for("the setting", || anna(&nas).logs_in());
    assert!(anna_by_key(&nas).logs_in());
}
