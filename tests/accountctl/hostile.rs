//! Names that somebody has made to do harm: they are shown, and do nothing.

use std::fs;

use super::pty::Pty;
use crate::v2::Nas;

const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\u{202e}drawkcab\t\\";

/// With users that other programs have made.
fn start() -> Nas {
    let nas = Nas::start();
    let path = nas.disk.path("/etc/passwd");
    let lines = format!(
        "evil:x:3009:3009:{EVIL}:/nonexistent:/bin/sh\n\
         a b%2fc/d?e#:x:3010:3010:Odd:/nonexistent:/bin/sh\n\
         1234:x:3011:3011:Digits:/nonexistent:/bin/sh\n"
    );
    let new = path.with_extension("edited");
    fs::copy(&path, &new).unwrap();
    fs::write(&new, fs::read_to_string(&path).unwrap() + &lines).unwrap();
    fs::rename(new, path).unwrap();
    nas
}

#[track_caller]
fn is_harmless(text: &str) {
    let harm = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r') || *c == '\u{202e}');
    assert_eq!(harm, None, "{text:?}");
}

#[test]
fn no_escape_sequence_reaches_a_terminal_or_a_line_of_fields() {
    let nas = start();
    let shown = nas.done(&["user", "show", "evil"]);
    is_harmless(&shown);
    let full_name = shown.lines().find_map(|line| line.strip_prefix("full_name\t")).unwrap();
    assert_eq!(full_name, r"\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\u{202e}drawkcab\t\\");
    let list = nas.done(&["user", "list", "--fields", "username,full_name,uid", "--name", "evil"]);
    assert_eq!(list.split('\t').count(), 3, "{list:?}");
    let json = nas.done(&["--json", "user", "show", "evil"]);
    is_harmless(&json);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["full_name"], EVIL);
    is_harmless(&nas.done(&["--json", "user", "list"]));
    let terminal = Pty::start(&nas, (24, 80), &["user", "list"]);
    let (status, screen) = terminal.end();
    assert_eq!(status, 0);
    assert!(screen.contains("evil"), "{screen}");
    is_harmless(&screen);
    let mut terminal = Pty::start(&nas, (24, 80), &["user", "delete", "evil"]);
    terminal.expect("Delete user evil");
    terminal.type_line("n");
    is_harmless(&terminal.end().1);
    let refused = nas.ctl(&["user", "show", EVIL]);
    assert_eq!(refused.status, 1);
    is_harmless(&refused.err);
}

#[test]
fn any_name_is_one_name_and_digits_are_an_id() {
    let nas = start();
    let shown = |name: &str| nas.json(&["user", "show", name])["uid"].clone();
    assert_eq!(shown("a b%2fc/d?e#"), 3010);
    nas.done(&["user", "lock", "a b%2fc/d?e#"]);
    nas.ctl(&["user", "show", "../users"]).fails(1, &["No such user"]);
    nas.ctl(&["user", "show", ".."]).fails(1, &["No such user"]);
    nas.ctl(&["user", "show", "1234"]).fails(1, &["No such user", "digits alone are an id"]);
    let id = nas.done(&["-q", "user", "list", "--name", "1234"]);
    assert_eq!(shown(id.trim()), 3011);
    assert_eq!(shown("~"), 0);
}
