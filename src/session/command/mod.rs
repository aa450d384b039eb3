//! A command line: what may be done without a shell is, the rest is the shell's.
//!
//! Where an account has no shell, a command line is one of the few that other programs send for
//! their users, taken apart into words here; nothing in it is expanded.

mod rsync;
mod service;
mod shell;
mod words;

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub use service::{Own, Services, run};
pub use shell::run as run_shell;
pub use words::literals;

/// Why a command does not run, in words for the user.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("this account may use {0} only")]
    NotServed(String),
    #[error("{0}: this option is not served")]
    Option(String),
    #[error("the command can not be taken apart without a shell, which this account does not have")]
    NeedsShell,
    #[error("cannot run {program}: {reason}")]
    Execute { program: String, reason: String },
}

/// Puts a program in the place of this one; returns only when that fails. Signals are as programs
/// expect them (std sets SIGPIPE back, signal(7)).
fn execute(mut command: Command) -> Result<Infallible, CommandError> {
    let program = command.get_program().to_string_lossy().into_owned();
    Err(CommandError::Execute { program, reason: command.exec().to_string() })
}

/// `-bash` for `/bin/bash`: a shell that is called so is a login shell.
fn login_name(shell: &std::path::Path) -> OsString {
    let mut name = OsString::from("-");
    name.push(shell.file_name().unwrap_or(shell.as_os_str()));
    name
}
