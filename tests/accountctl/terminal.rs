//! accountctl with somebody at the terminal: secrets without echo, questions, tables that fit.

use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, tcgetattr};

use super::pty::Pty;
use crate::v2::Nas;

const SIZE: (u16, u16) = (24, 80);

fn has_echo(terminal: &impl AsFd) -> bool {
    tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
}

#[test]
fn a_new_password_is_typed_twice_and_not_shown() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let mut terminal = Pty::start(&nas, SIZE, &["user", "passwd", "anna"]);
    terminal.expect("New password of anna: ");
    assert!(!has_echo(&terminal.slave));
    terminal.type_line("sesame open");
    terminal.expect("The same again: ");
    terminal.type_line("sesame open");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen}");
    assert!(!seen.contains("sesame") && seen.ends_with("echo is on\r\n"), "{seen}");
    nas.rest.as_user("anna", "sesame open").get("/users/~").status_is(200);
}

#[test]
fn two_that_differ_change_nothing_and_the_echo_comes_back() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let before = nas.disk.line("/etc/shadow", "anna");
    let mut terminal = Pty::start(&nas, SIZE, &["user", "passwd", "anna"]);
    terminal.expect("New password of anna: ");
    terminal.type_line("one");
    terminal.expect("again: ");
    terminal.type_line("two");
    let (status, seen) = terminal.end();
    assert_eq!(status, 1);
    assert!(seen.contains("the two are not the same") && seen.contains("Nothing has been changed"), "{seen}");
    let mut terminal = Pty::start(&nas, SIZE, &["user", "passwd", "anna"]);
    terminal.expect("New password of anna: ");
    terminal.type_bytes(b"half\x03");
    let (status, seen) = terminal.end();
    assert_eq!(status, 130, "ended by ^C: {seen}");
    assert!(seen.ends_with("echo is on\r\n"), "{seen}");
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), before);
}

#[test]
fn the_password_of_whoever_asks_is_asked_for_too() {
    let nas = Nas::start();
    nas.ctl_with("pw", &["user", "add", "anna", "--new-password-file", "-"]);
    let mut terminal = Pty::start(&nas, SIZE, &["--user", "anna", "user", "show"]);
    terminal.expect("Password of anna: ");
    terminal.type_line("pw");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen}");
    assert!(seen.contains("username           anna\r\n"), "{seen}");
    let mut terminal = Pty::start(&nas, SIZE, &["user", "add", "berta", "--ask-password"]);
    terminal.expect("New password of berta: ");
    terminal.type_line("pw2");
    terminal.expect("again: ");
    terminal.type_line("pw2");
    assert_eq!(terminal.end().0, 0);
    nas.rest.as_user("berta", "pw2").get("/users/~").status_is(200);
}

#[test]
fn a_deletion_is_asked_about_and_only_yes_is_yes() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--uid", "3001", "--home", "/mnt/tank/home/anna"]);
    for answer in ["", "n", "yess"] {
        let mut terminal = Pty::start(&nas, SIZE, &["user", "delete", "anna", "--delete-home"]);
        terminal.expect("Delete user anna, uid 3001, and its home /mnt/tank/home/anna? [y/N] ");
        terminal.type_line(answer);
        let (status, seen) = terminal.end();
        assert_eq!(status, 1, "{seen}");
        assert!(seen.contains("Nothing has been changed"), "{seen}");
    }
    assert!(nas.disk.path("/mnt/tank/home/anna").exists());
    let mut terminal = Pty::start(&nas, SIZE, &["user", "delete", "anna", "--delete-home"]);
    terminal.expect("[y/N] ");
    terminal.type_line("y");
    assert_eq!(terminal.end().0, 0);
    assert!(nas.disk.line("/etc/passwd", "anna").is_none() && !nas.disk.path("/mnt/tank/home/anna").exists());
}

#[test]
fn only_what_was_asked_about_is_deleted() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let mut terminal = Pty::start(&nas, SIZE, &["user", "delete", "anna"]);
    terminal.expect("[y/N] ");
    nas.world.run(&["usermod", "-c", "Somebody Else", "anna"]);
    terminal.type_line("y");
    let (status, seen) = terminal.end();
    assert_eq!(status, 1);
    assert!(seen.contains("decide anew"), "{seen}");
    assert!(nas.disk.line("/etc/passwd", "anna").is_some());
}

#[test]
fn a_list_lines_up_and_fits_the_terminal() {
    let nas = Nas::start();
    let long = "A Person with a Very Long Name that Goes On and On";
    nas.done(&["user", "add", "anna", "--full-name", long, "--home", "/mnt/tank/home/anna"]);
    let (status, screen) = Pty::start(&nas, (24, 72), &["user", "list"]).end();
    assert_eq!(status, 0);
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("ID") && lines[0].contains("USERNAME"), "{screen}");
    assert!(lines.iter().all(|line| line.chars().count() <= 72), "{screen}");
    let place = lines[0].find("USERNAME").unwrap();
    assert_eq!(&lines[1][place..place + 4], "anna", "{screen}");
    assert!(lines[1].contains('…') && !screen.contains(long), "{screen}");
    let (_, wide) = Pty::start(&nas, (24, 200), &["user", "list"]).end();
    assert!(wide.contains(long), "{wide}");
}

#[test]
fn a_plan_is_shown_before_it_is_agreed_to() {
    let nas = Nas::start();
    let shadow = nas.disk.path("/etc/shadow");
    let text = std::fs::read_to_string(&shadow).unwrap() + "stray:*:1::::::\n";
    std::fs::write(&shadow, text).unwrap();
    let mut terminal = Pty::start(&nas, (24, 160), &["check", "repair"]);
    terminal.expect("shadow.no_account");
    terminal.expect("Repair these");
    terminal.type_line("n");
    assert_eq!(terminal.end().0, 1);
    assert!(nas.disk.line("/etc/shadow", "stray").is_some());
    let mut terminal = Pty::start(&nas, (24, 160), &["check", "repair"]);
    terminal.expect("[y/N] ");
    terminal.type_line("yes");
    assert_eq!(terminal.end().0, 0);
    assert_eq!(nas.disk.line("/etc/shadow", "stray"), None);
}
