//! accountd-session: one session of one user, running as that user.
//!
//! Whoever starts it has set identity, umask and limits and has changed to the home. Standard
//! input and output are the session's stream; standard error is a log.
#![forbid(unsafe_code)]

mod arguments;
mod path;
mod sftp;

use std::process::ExitCode;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Arguments { command: Command::Help, .. }) => {
            print!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(Arguments { command: Command::Sftp, root, links }) => report(serve_sftp(root, links)),
        Err(message) => {
            eprintln!("accountd-session: {message}\n{}", arguments::HELP);
            ExitCode::from(2)
        }
    }
}

fn serve_sftp(root: Option<std::path::PathBuf>, links: sftp::LinkOrder) -> Result<(), sftp::SessionError> {
    // Neither a debugger of the same user nor a set-user-id program is part of a file session.
    nix::sys::prctl::set_dumpable(false).map_err(sftp::SessionError::Harden)?;
    nix::sys::prctl::set_no_new_privs().map_err(sftp::SessionError::Harden)?;
    let tree = path::Tree::open(root.as_deref()).map_err(sftp::SessionError::Root)?;
    sftp::serve(tree, links, std::io::stdin(), std::io::stdout())
}

fn report(result: Result<(), sftp::SessionError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accountd-session: {error}");
            ExitCode::FAILURE
        }
    }
}
