//! Commands and shells over SSH: run as the user, by the user's own shell.

pub mod ended;
mod environment;
mod policy;
mod programs;
mod terminal;

use std::process::Output;

use crate::freenas::{Nas, new_user, with_bash};
use crate::openssh::{Client, run};

/// A sandbox with `anna` (uid 3001, password `pw`), whose shell is bash.
pub fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&with_bash(&new_user("anna", 3001, "pw")));
    nas
}

pub fn anna(nas: &Nas) -> Client<'_> {
    nas.world.with_password("anna", "pw")
}

/// A command that has to succeed; gives what it printed.
#[track_caller]
pub fn says(nas: &Nas, command: &str) -> String {
    let output = anna(nas).ssh(&[command]);
    assert!(output.status.success(), "{command}: {output:?}");
    text(&output.stdout)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit status, output and errors.
pub fn heard(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_command_runs_as_the_user_by_the_users_shell_in_the_users_home() {
    let nas = nas_with_anna();
    assert_eq!(says(&nas, "id -un; id -u; pwd; echo $0"), "anna\n3001\n/mnt/tank/home/anna\nbash\n");
    assert_eq!(says(&nas, "shopt -q login_shell || echo no login shell"), "no login shell\n");
    let (status, out, err) = heard(&anna(&nas).ssh(&["echo out; echo err >&2; exit 37"]));
    assert_eq!((status, out.as_str(), err.as_str()), (Some(37), "out\n", "err\n"));
}

#[test]
fn a_command_has_input_output_and_errors_of_any_size_and_any_bytes() {
    let nas = nas_with_anna();
    let bytes: Vec<u8> = (0..8u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut command = anna(&nas).prepare("ssh");
    command.args(["127.0.0.1", "tee /dev/stderr"]);
    let output = run(command, &bytes);
    assert!(output.status.success());
    assert!(output.stdout == bytes, "{} of {} bytes", output.stdout.len(), bytes.len());
    assert!(output.stderr == bytes, "{} of {} bytes of errors", output.stderr.len(), bytes.len());
}

#[test]
fn several_commands_share_a_connection_and_each_has_its_own_end() {
    let nas = nas_with_anna();
    let socket = nas.world.client_file("master");
    let mut master = anna(&nas).prepare("ssh");
    master.args(["-M", "-N", "-f", "-S"]).arg(&socket).arg("127.0.0.1");
    assert!(master.status().unwrap().success());
    let run = |command: &str| {
        let mut client = std::process::Command::new("ssh");
        client.args(["-F", "/dev/null", "-S"]).arg(&socket).args(["127.0.0.1", command]);
        std::thread::spawn(move || client.output().unwrap())
    };
    let all: Vec<_> = (0..10).map(|number| (number, run(&format!("sleep 0.{number}; exit {number}")))).collect();
    for (number, one) in all {
        assert_eq!(one.join().unwrap().status.code(), Some(number));
    }
    let mut end = std::process::Command::new("ssh");
    end.args(["-F", "/dev/null", "-S"]).arg(&socket).args(["-O", "exit", "127.0.0.1"]);
    assert!(end.output().unwrap().status.success());
}

#[test]
fn a_command_is_as_long_as_a_program_can_be_told_and_one_that_is_longer_is_told_so() {
    let nas = nas_with_anna();
    let command = |length: usize| format!("echo {} | wc -c", "a".repeat(length));
    for length in [1000, 120_000] {
        assert_eq!(says(&nas, &command(length)).trim(), (length + 1).to_string());
    }
    let (status, _, err) = heard(&run(shell_reading(&nas), b""));
    assert_eq!((status, err.trim_end()), (Some(1), "The command is too long."));
}

/// A command that is too long for one argument of ssh's, too: it is put together from several.
fn shell_reading(nas: &Nas) -> std::process::Command {
    let mut command = anna(nas).prepare("ssh");
    command.arg("127.0.0.1").args(vec!["a".repeat(100_000); 2]);
    command
}
