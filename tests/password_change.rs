//! keyboard-interactive: OpenSSH's client asks its user, a script answers by what is asked. Passwords
//! that are too old are changed on the way in.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use russh::client::{self, KeyboardInteractiveAuthResponse as Heard};
use russh::keys::PublicKeyOrCertificate;
use serde_json::json;

use crate::openssh::run;
use crate::v2::Nas;
use crate::world::{World, wait_for};

/// What somebody says to each question.
#[derive(Clone, Copy)]
struct Answers<'a> {
    password: &'a str,
    new: &'a str,
    again: &'a str,
}

impl<'a> Answers<'a> {
    fn new(password: &'a str, new: &'a str) -> Self {
        Self { password, new, again: new }
    }
}

/// A login of one user.
struct Login<'a> {
    nas: &'a Nas,
    user: &'a str,
    /// What happens once, when the new password is asked for.
    meanwhile: Option<Command>,
}

/// For a shell, which is to leave it alone.
fn quoted(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")));
    words.collect::<Vec<_>>().join(" ")
}

impl<'a> Login<'a> {
    fn of(nas: &'a Nas, user: &'a str) -> Self {
        Self { nas, user, meanwhile: None }
    }

    /// sftp; and what its user was asked, one question a line.
    fn run(&self, answers: Answers<'_>) -> (Output, String) {
        let world = &self.nas.world;
        let (script, asked) = (world.client_file("questions"), world.client_file("asked"));
        fs::write(&asked, "").unwrap();
        let meanwhile = self.meanwhile.as_ref().map(|command| format!("{} >&2; : >{script:?}.done", quoted(command)));
        let meanwhile = meanwhile.map(|line| format!("[ -e {script:?}.done ] || {{ {line}; }};"));
        let text = format!(
            "#!/bin/sh\necho \"$1\" >>{asked:?}\ncase $1 in\n*'Retype new password: ') printf '%s\\n' \"$AGAIN\";;\n\
             *'New password: ') {} printf '%s\\n' \"$NEW\";;\n*'Password: ') printf '%s\\n' \"$PASSWORD\";;\nesac\n",
            meanwhile.unwrap_or_default()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let plain = world.with_password(self.user, "").prepare("sftp");
        let mut command = Command::new(plain.get_program());
        // The first value of an option counts.
        command.args(["-o", "PreferredAuthentications=keyboard-interactive"]).args(plain.get_args());
        command.args(["-b", "-", "127.0.0.1"]);
        command.env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force");
        let Answers { password, new, again } = answers;
        command.envs([("PASSWORD", password), ("NEW", new), ("AGAIN", again)]);
        (run(command, b"pwd\n"), fs::read_to_string(asked).unwrap())
    }

    /// Whether it was let in, and how often it was asked for a new password.
    #[track_caller]
    fn ends(&self, answers: Answers<'_>) -> (bool, usize) {
        let (output, asked) = self.run(answers);
        let said = String::from_utf8_lossy(&output.stderr);
        let is_in = match output.status.code() {
            Some(0) => true,
            Some(255) if said.contains("Permission denied") => false,
            code => panic!("ended with {code:?}: {said}"),
        };
        (is_in, asked.matches("New password: ").count())
    }
}

fn nas_with_anna(settings: &str) -> Nas {
    let nas = Nas::of(World::start_with(settings));
    nas.post("/users", &json!({"username": "anna", "password": "Old-pass1", "home": "/mnt/tank/home/anna"}));
    nas
}

fn has_to_change(nas: &Nas) {
    nas.patch("/users/anna", &json!({"must_change": true})).status_is(200);
}

#[test]
fn one_question_is_as_good_as_the_password_method_and_tells_strangers_nothing() {
    let nas = nas_with_anna("");
    let asked = |user: &str, password: &str| {
        let (output, asked) = Login::of(&nas, user).run(Answers::new(password, "x"));
        let shown = asked.replace(user, "USER");
        (output.status.success(), shown)
    };
    let (is_in, right) = asked("anna", "Old-pass1");
    assert!(is_in && right.ends_with("Password: \n") && right.lines().count() == 1, "{right}");
    assert_eq!(asked("anna", "wrong"), (false, right.clone()));
    for user in ["nobody-here", "root", "accountd-api", "daemon"] {
        assert_eq!(asked(user, "wrong"), (false, right.clone()), "{user}");
    }
    // A wrong password of somebody whose right one is too old is asked for nothing more.
    has_to_change(&nas);
    assert_eq!(asked("anna", "wrong"), (false, right));
}

#[test]
fn a_password_that_is_too_old_is_changed_on_the_way_in() {
    let nas = nas_with_anna("");
    has_to_change(&nas);
    let samba = nas.disk.field("/etc/samba/smbpasswd", "anna", 3);
    let (output, asked) = Login::of(&nas, "anna").run(Answers::new("Old-pass1", "New-pass2"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ends: Vec<&str> = asked.lines().map(|line| line.rsplit(") ").next().unwrap()).collect();
    assert_eq!(ends, ["Password: ", "New password: ", "Retype new password: "]);
    assert!(nas.world.with_password("anna", "New-pass2").logs_in());
    assert!(!nas.world.with_password("anna", "Old-pass1").logs_in());
    assert_ne!(nas.disk.field("/etc/samba/smbpasswd", "anna", 3), samba);
    assert_ne!(nas.disk.field("/etc/shadow", "anna", 2), "0");
    assert_eq!(Login::of(&nas, "anna").ends(Answers::new("New-pass2", "x")), (true, 0));
    let record = &nas.rest.get("/audit?action=set_password&target=anna&limit=1").object(200)["items"][0];
    assert_eq!((&record["actor"]["name"], &record["actor"]["source"]), (&json!("anna"), &json!("127.0.0.1")));
    let told = nas.rest.get("/audit?action=login&outcome=refused").body;
    assert!(told.contains("the password has to be changed first"), "{told}");
    let all = nas.rest.get("/audit").body + &nas.world.log();
    assert!(!all.contains("Old-pass1") && !all.contains("New-pass2"));
}

#[test]
fn sessions_by_the_old_password_end_and_the_one_that_has_changed_it_begins() {
    let nas = nas_with_anna("");
    let mut command = nas.world.with_password("anna", "Old-pass1").prepare("ssh");
    command.args(["-s", "127.0.0.1", "sftp"]);
    let mut ssh = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    ssh.stdin.as_mut().unwrap().write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).unwrap();
    ssh.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    has_to_change(&nas);
    assert!(ssh.try_wait().unwrap().is_none(), "an old password alone ends nothing");
    assert_eq!(Login::of(&nas, "anna").ends(Answers::new("Old-pass1", "New-pass2")), (true, 1));
    wait_for("the end of the old session", || ssh.try_wait().unwrap().is_some());
}

#[test]
fn a_password_past_its_last_day_is_changed_until_the_account_is_inactive() {
    let nas = nas_with_anna("");
    nas.world.run(&["chage", "-d", "2020-01-01", "-M", "30", "-m", "5", "anna"]);
    assert_eq!(Login::of(&nas, "anna").ends(Answers::new("Old-pass1", "New-pass2")), (true, 1));
    nas.world.run(&["chage", "-d", "2020-01-01", "-I", "10", "anna"]);
    let line = nas.disk.line("/etc/shadow", "anna");
    assert_eq!(Login::of(&nas, "anna").ends(Answers::new("New-pass2", "New-pass3")), (false, 0));
    nas.world.run(&["chage", "-I", "-1", "-E", "2020-01-01", "anna"]);
    assert_eq!(Login::of(&nas, "anna").ends(Answers::new("New-pass2", "New-pass3")), (false, 0));
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), line.unwrap().split(':').nth(1).unwrap());
}

#[test]
fn a_new_password_that_the_policy_does_not_take_is_asked_for_three_times() {
    let nas = nas_with_anna("[passwords]\nmin_length = 9\nmin_classes = 3\n");
    has_to_change(&nas);
    let line = nas.disk.line("/etc/shadow", "anna");
    let long = "aB3".repeat(171);
    for (new, again) in [
        ("aB3", "aB3"),
        ("abcdefghij", "abcdefghij"),
        ("New-pass2", "New-pass3"),
        ("", ""),
        ("Old-pass1", "Old-pass1"),
        (&long, &long),
    ] {
        let answers = Answers { password: "Old-pass1", new, again };
        assert_eq!(Login::of(&nas, "anna").ends(answers), (false, 3), "{new}");
        assert_eq!(nas.disk.line("/etc/shadow", "anna"), line, "{new}");
    }
    let refused = nas.rest.get("/audit?action=change_own_password&outcome=refused").object(200);
    assert_eq!(refused["items"][0]["reason"], "password is not acceptable", "{refused}");
    assert_eq!(Login::of(&nas, "anna").ends(Answers::new("Old-pass1", &long[..511])), (true, 1));
}

#[test]
fn what_has_become_of_the_account_meanwhile_counts() {
    let nas = nas_with_anna("");
    has_to_change(&nas);
    let hash = nas.disk.field("/etc/shadow", "anna", 1);
    let login = |command: &[&str]| {
        let login = Login { meanwhile: Some(nas.world.inside(command)), ..Login::of(&nas, "anna") };
        let ended = login.ends(Answers::new("Old-pass1", "New-pass2"));
        fs::remove_file(nas.world.client_file("questions.done")).unwrap();
        ended
    };
    assert_eq!(login(&["usermod", "-L", "anna"]), (false, 1));
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), format!("!{hash}"));
    nas.world.run(&["usermod", "-U", "anna"]);
    assert_eq!(login(&["chage", "-E", "2020-01-01", "anna"]), (false, 1));
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), hash);
    nas.world.run(&["chage", "-E", "-1", "anna"]);
    assert_eq!(login(&["usermod", "-p", "something-else", "anna"]), (false, 1));
    assert_eq!(nas.disk.field("/etc/shadow", "anna", 1), "something-else");
    nas.world.run(&["usermod", "-p", &hash, "anna"]);
    has_to_change(&nas);
    assert_eq!(login(&["userdel", "anna"]), (false, 1));
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), None);
}

/// A client that trusts every host key.
struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Answers `anna`'s questions by hand; gives what came of each round.
async fn rounds(nas: &Nas, rounds: &[&[&str]]) -> Vec<String> {
    let config = Arc::new(client::Config::default());
    let mut client = client::connect(config, nas.world.ssh(), Trusting).await.unwrap();
    let mut heard = vec![client.authenticate_keyboard_interactive_start("anna", None).await.unwrap()];
    for answers in rounds {
        let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
        heard.push(client.authenticate_keyboard_interactive_respond(answers).await.unwrap());
    }
    let word = |heard: &Heard| match heard {
        Heard::Success => "in".to_owned(),
        Heard::Failure { .. } => "refused".to_owned(),
        Heard::InfoRequest { instructions, prompts, .. } => {
            assert!(prompts.iter().all(|prompt| !prompt.echo));
            format!("{}:{instructions}", prompts.len())
        }
    };
    heard.iter().map(word).collect()
}

#[test]
fn a_client_is_told_why_and_one_that_does_not_answer_as_it_is_asked_is_refused() {
    let nas = nas_with_anna("[passwords]\nmin_length = 9\n");
    has_to_change(&nas);
    let line = nas.disk.line("/etc/shadow", "anna");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = |script: &[&[&str]]| runtime.block_on(rounds(&nas, script));
    let too_old = "2:Your password is too old and has to be changed.";
    let old: &[&str] = &["Old-pass1"];
    assert_eq!(told(&[&[]]), ["1:", "refused"]);
    assert_eq!(told(&[&["Old-pass1", "x"]]), ["1:", "refused"]);
    assert_eq!(told(&[old, &["New-pass2"]]), ["1:", too_old, "refused"]);
    assert_eq!(told(&[&["wrong"]]), ["1:", "refused"]);
    let script: &[&[&str]] = &[old, &["short", "short"], &["a\nnew-password", "a\nnew-password"]];
    let short = "2:The new password is shorter than 9 characters.";
    let control = "2:The new password contains a newline, NUL or another control character.";
    assert_eq!(told(script), ["1:", too_old, short, control]);
    let long = "x".repeat(512);
    let heard = told(&[old, &[&long, &long], &["New-pass2", "New-pass3"], &["New-pass2", "New-pass2"]]);
    let too_long = "2:The new password is longer than 511 bytes (it has 512).";
    assert_eq!(heard, ["1:", too_old, too_long, "2:The two new passwords are not the same.", "in"]);
    assert_ne!(nas.disk.line("/etc/shadow", "anna"), line);
    // It let in, and was the only thing that was made: nobody who stopped in the middle changed anything.
    let made = nas.rest.get("/audit?action=set_password&target=anna").object(200);
    assert_eq!(made["items"].as_array().unwrap().len(), 1, "{made}");
}

#[test]
fn wrong_answers_are_counted_as_wrong_passwords_are() {
    let nas = nas_with_anna("");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(async {
        let config = Arc::new(client::Config::default());
        let mut client = client::connect(config, nas.world.ssh(), Trusting).await.unwrap();
        let mut refused = 0;
        while client.authenticate_keyboard_interactive_start("anna", None).await.is_ok() {
            let answer = vec!["wrong".to_owned()];
            let Ok(Heard::Failure { .. }) = client.authenticate_keyboard_interactive_respond(answer).await else {
                break;
            };
            refused += 1;
            assert!(refused < 10, "it goes on for ever");
        }
        refused
    });
    // This client has not asked first which methods there are.
    assert_eq!(refused, 7);
    assert!(nas.world.with_password("anna", "Old-pass1").logs_in());
}
