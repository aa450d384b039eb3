//! A program that is run to its end, with a clean environment and no way to more rights.

use std::io;
use std::process::{Command, ExitCode, ExitStatus};

use nix::sys::stat::{Mode, umask};

use super::RepositoryError;

/// What a program of a repository sees of the session's environment.
const KEPT: [&str; 9] = ["HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "TZ", "SSH_CONNECTION", "SSH_CLIENT"];
/// Which protocol git's client speaks; it is text of the client's.
const PROTOCOL: &str = "GIT_PROTOCOL";

pub fn clean(program: &'static str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    let kept = KEPT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.envs(kept);
    let is_plain = |text: &String| {
        text.len() < 256 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:.-".contains(&byte))
    };
    if let Some(text) = std::env::var(PROTOCOL).ok().filter(is_plain) {
        command.env(PROTOCOL, text);
    }
    command
}

pub fn to_the_end(command: &mut Command) -> Result<ExitCode, RepositoryError> {
    // What is made is as open as the lists of its directory say, never more.
    umask(Mode::from_bits_truncate(0o007));
    status(command).map(|status| match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => ExitCode::from(code),
        None => ExitCode::FAILURE,
    })
}

fn status(command: &mut Command) -> Result<ExitStatus, RepositoryError> {
    let program = if command.get_program() == "hg" { "hg" } else { "git" };
    command.status().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RepositoryError::NoProgram(program),
        _ => RepositoryError::Io { doing: "run the program", source: error },
    })
}
