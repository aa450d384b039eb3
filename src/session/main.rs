//! accountd-session: one session of one user, running as that user.
//!
//! Whoever starts it has set identity, umask and limits and has changed to the home. Standard
//! input and output are the session's stream; standard error is a log.
#![forbid(unsafe_code)]

mod arguments;
mod home;
#[cfg(test)]
mod laws;
mod path;
mod record;
mod rename;
mod scp;
mod sftp;
mod upload;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use record::Record;
use sftp::SessionError;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Arguments { command: Command::Help, .. }) => {
            print!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(arguments) => match run(arguments) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("accountd-session: {error}");
                ExitCode::FAILURE
            }
        },
        Err(message) => {
            eprintln!("accountd-session: {message}\n{}", arguments::HELP);
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, SessionError> {
    // Neither a debugger of the same user nor a set-user-id program is part of a file session.
    nix::sys::prctl::set_dumpable(false).map_err(SessionError::Harden)?;
    nix::sys::prctl::set_no_new_privs().map_err(SessionError::Harden)?;
    let Arguments { command, root, links, uploads, log, words } = arguments;
    let tree = path::Tree::open(root.as_deref()).map_err(SessionError::Root)?;
    let record = Record::to(log).map_err(SessionError::Log)?;
    let (input, output) = (std::io::stdin(), std::io::stdout());
    match command {
        Command::Help => Ok(ExitCode::SUCCESS),
        Command::Sftp => {
            sftp::serve(sftp::Settings { tree, links, uploads, record }, input, output)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Scp => Ok(ExitCode::from(scp::serve(scp::Settings { tree, uploads, record }, &words, input, output))),
    }
}
