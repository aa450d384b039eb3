//! A shell at a terminal, with somebody who sits there.

use std::fs;

use super::{anna, nas_with_anna};
use crate::accountctl::pty::Pty;
use crate::freenas::Nas;
use crate::world::wait_for;

fn sit_down(nas: &Nas, arguments: &[&str]) -> Pty {
    let mut command = anna(nas).prepare("ssh");
    command.env("TERM", "xterm-256color").args(["-tt", "127.0.0.1"]).args(arguments);
    Pty::of((31, 97), &command)
}

#[test]
fn a_login_shell_runs_at_a_terminal_of_the_clients_size_and_ends_with_its_status() {
    let nas = nas_with_anna();
    fs::write(nas.disk.path("/etc/motd"), "Welcome to the NAS\n").unwrap();
    let mut pty = sit_down(&nas, &[]);
    pty.expect("Welcome to the NAS");
    pty.type_line("PS1=; stty size; echo \"$TERM $0 $(shopt -q login_shell && echo login) $(tty) $SSH_TTY\"");
    pty.expect("31 97");
    pty.expect("xterm-256color -bash login /dev/pts/");
    pty.resize((25, 80));
    pty.type_line("while [ \"$(stty size)\" != '25 80' ]; do sleep 0.02; done; echo is\" \"smaller");
    pty.expect("is smaller");
    pty.type_line("exit 42");
    assert_eq!(pty.end().0, 42);
}

#[test]
fn ctrl_c_interrupts_what_runs_and_not_the_shell() {
    let nas = nas_with_anna();
    let mut pty = sit_down(&nas, &[]);
    // What says it is in the foreground already.
    pty.type_line("PS1=; sh -c 'echo no\"\"w-; exec sleep 600'");
    pty.expect("now-");
    pty.type_bytes(b"\x03");
    pty.expect("^C");
    pty.type_line("echo \"status \"$?");
    pty.expect("status 130");
    pty.type_line("exit 3");
    assert_eq!(pty.end().0, 3);
}

#[test]
fn who_and_last_show_who_sits_at_a_terminal() {
    let nas = nas_with_anna();
    let mut pty = sit_down(&nas, &[]);
    pty.type_line("PS1=; echo at\" \"$(tty)");
    pty.expect("at /dev/pts/");
    let who = nas.world.run(&["who"]);
    assert!(
        who.lines().any(|line| line.starts_with("anna ") && line.contains("pts/") && line.contains("(127.0.0.1)")),
        "{who}"
    );
    let last = nas.world.run(&["last"]);
    assert!(
        last.lines().any(|line| line.starts_with("anna ") && line.contains("pts/") && line.contains("127.0.0.1")),
        "{last}"
    );
    pty.type_line("exit");
    pty.end();
    wait_for("the login to end", || !nas.world.run(&["who"]).contains("anna"));
    wait_for("the end of the login in the history", || {
        let last = nas.world.run(&["last"]);
        last.lines().any(|line| line.starts_with("anna ") && line.contains(" - "))
    });
}

#[test]
fn a_command_has_a_terminal_when_its_client_asks_for_one() {
    let nas = nas_with_anna();
    let mut pty = sit_down(&nas, &["test -t 0 -a -t 1 -a -t 2 && stat -c '%U %a' $(tty)"]);
    pty.expect("anna 620");
    assert_eq!(pty.end().0, 0);
}

#[test]
fn the_message_of_the_day_is_for_shells_and_for_those_who_have_not_hushed_it() {
    let nas = nas_with_anna();
    fs::write(nas.disk.path("/etc/motd"), "Welcome to the NAS\n").unwrap();
    assert_eq!(super::says(&nas, "echo only this"), "only this\n");
    super::says(&nas, "touch .hushlogin");
    let mut pty = sit_down(&nas, &[]);
    pty.type_line("PS1=; echo no\" \"message; exit");
    pty.expect("no message");
    let (_, seen) = pty.end();
    assert!(!seen.contains("Welcome"), "{seen}");
}
