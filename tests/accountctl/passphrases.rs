//! The passphrase of a backup, typed at a terminal: twice where it is chosen, once where it is known.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::sys::termios::{LocalFlags, tcgetattr};
use serde_json::json;

use super::pty::Pty;
use crate::v2::Nas;

const SIZE: (u16, u16) = (24, 160);

fn has_echo(terminal: &impl AsFd) -> bool {
    tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
}

/// Waits for the question, which is asked without echo, and answers it.
#[track_caller]
fn answer(terminal: &mut Pty, question: &str, typed: &str) {
    terminal.expect(question);
    assert!(!has_echo(&terminal.slave), "{question}");
    terminal.type_line(typed);
}

fn with_anna() -> (Nas, PathBuf) {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--home", "/mnt/tank/home/anna"]);
    let file = nas.world.client_file("backup.age");
    (nas, file)
}

/// A backup that was encrypted with a passphrase that was typed.
fn export(nas: &Nas, file: &str, passphrase: &str) {
    let mut terminal = Pty::start(nas, SIZE, &["backup", "export", file, "--encrypt"]);
    answer(&mut terminal, "Passphrase: ", passphrase);
    answer(&mut terminal, "The same again: ", passphrase);
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen}");
    assert!(seen.contains("1 users and 1 groups are in") && seen.ends_with("echo is on\r\n"), "{seen}");
    assert!(!seen.contains(passphrase), "{seen}");
}

#[test]
fn a_passphrase_is_typed_twice_for_a_new_backup_and_once_for_one_that_there_is() {
    let (nas, path) = with_anna();
    let file = path.to_str().unwrap();
    export(&nas, file, "correct horse");
    let content = fs::read(&path).unwrap();
    assert!(content.starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let other = Nas::start();
    let mut terminal = Pty::start(&other, SIZE, &["backup", "import", file]);
    answer(&mut terminal, "Passphrase: ", "correct horse");
    terminal.expect("Make 2 and change 0? [y/N] ");
    assert!(has_echo(&terminal.slave), "a question is no secret");
    assert_eq!(other.disk.line("/etc/passwd", "anna"), None, "nobody has agreed yet");
    terminal.type_line("y");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen}");
    assert!(!seen.contains("again") && !seen.contains("correct"), "it is asked for once: {seen}");
    assert_eq!(other.disk.line("/etc/passwd", "anna"), nas.disk.line("/etc/passwd", "anna"));

    let mut terminal = Pty::start(&other, SIZE, &["backup", "import", file]);
    answer(&mut terminal, "Passphrase: ", "correct horse");
    let (status, seen) = terminal.end();
    assert!(status == 0 && !seen.contains("[y/N]"), "there is nothing to agree to: {seen}");
    assert!(seen.contains("0 created, 0 changed, 2 same"), "{seen}");
    let mut terminal = Pty::start(&nas, SIZE, &["backup", "show", file]);
    answer(&mut terminal, "Passphrase: ", "correct horse");
    let (status, seen) = terminal.end();
    assert!(status == 0 && seen.contains("anna"), "{seen}");
}

#[test]
fn two_that_differ_write_nothing() {
    let (nas, path) = with_anna();
    let file = path.to_str().unwrap();
    let ask = ["backup", "export", file, "--encrypt"];
    let mut terminal = Pty::start(&nas, SIZE, &ask);
    answer(&mut terminal, "Passphrase: ", "correct horse");
    answer(&mut terminal, "The same again: ", "correct house");
    let (status, seen) = terminal.end();
    assert_eq!(status, 1, "{seen}");
    assert!(seen.contains("the two are not the same") && seen.ends_with("echo is on\r\n"), "{seen}");
    let mut terminal = Pty::start(&nas, SIZE, &ask);
    answer(&mut terminal, "Passphrase: ", "");
    let (status, seen) = terminal.end();
    assert!(status == 1 && seen.contains("nothing was typed"), "{seen}");
    let mut terminal = Pty::start(&nas, SIZE, &ask);
    terminal.expect("Passphrase: ");
    terminal.type_bytes(b"half\x03");
    let (status, seen) = terminal.end();
    assert!(status == 130 && seen.ends_with("echo is on\r\n"), "ended by ^C: {seen}");
    let is_of_backup = |name: &str| name.contains("backup");
    let left = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<String> = left.map(|name| name.into_string().unwrap()).filter(|name| is_of_backup(name)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(nas.json(&["audit", "list", "--action", "export"])["items"], json!([]), "nobody was given it");

    export(&nas, file, "correct horse");
    let before = fs::read(&path).unwrap();
    let mut terminal = Pty::start(&nas, SIZE, &["backup", "export", file, "--encrypt", "--force"]);
    answer(&mut terminal, "Passphrase: ", "one");
    answer(&mut terminal, "The same again: ", "two");
    assert_eq!(terminal.end().0, 1);
    assert!(fs::read(&path).unwrap() == before, "the one before stays");
}

#[test]
fn a_wrong_passphrase_is_said_and_changes_nothing() {
    let (nas, path) = with_anna();
    let file = path.to_str().unwrap();
    export(&nas, file, "correct horse");
    let other = Nas::start();
    let before = other.disk.everything("/etc");
    for typed in ["correct house", "correct horse ", "x"] {
        let mut terminal = Pty::start(&other, SIZE, &["--yes", "backup", "import", file]);
        answer(&mut terminal, "Passphrase: ", typed);
        let (status, seen) = terminal.end();
        assert_eq!(status, 1, "{seen}");
        assert!(seen.contains("the passphrase is wrong") && seen.contains("Nothing has been changed"), "{seen}");
        assert!(seen.contains("backup.age") && seen.ends_with("echo is on\r\n"), "{seen}");
    }
    assert!(other.disk.everything("/etc") == before);
    assert_eq!(other.json(&["audit", "list", "--action", "import"])["items"], json!([]), "it was not even tried");
}

#[test]
fn without_a_terminal_a_passphrase_has_to_come_in_a_file() {
    let (nas, path) = with_anna();
    let file = path.to_str().unwrap();
    nas.ctl(&["backup", "export", file, "--encrypt"]).fails(2, &["no terminal", "--passphrase-file"]);
    assert!(!path.exists());
    export(&nas, file, "correct horse");
    nas.ctl(&["--yes", "backup", "import", file]).fails(2, &["no terminal", "--passphrase-file"]);
    let said = nas.ctl_with("correct horse\n", &["backup", "show", file, "--passphrase-file", "-"]);
    assert_eq!(said.status, 0, "{said:?}");
}
