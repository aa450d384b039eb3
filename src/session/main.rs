//! accountd-session: one session of one user, running as that user.
//!
//! Whoever starts it has set identity, umask and limits and has changed to the home. Standard
//! input and output are the session's; what it says on standard error is the user's to read where
//! there is a command, and nobody's where there are files.

mod arguments;
mod command;
mod connect;
mod dot_names;
mod farewell;
mod home;
#[cfg(test)]
mod laws;
mod limits;
mod notes;
mod pace;
mod path;
mod permissions;
mod quota;
mod record;
mod rename;
mod repositories;
mod scp;
mod sftp;
mod transfer;
mod upload;

#[allow(unsafe_code, reason = "a descriptor that was handed over by its number has no safe wrapper")]
mod sys;

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use arguments::{Arguments, Command, Options};
use command::Own;
use limits::Limits;
use path::Tree;
use quota::{Quota, Relay};
use record::Record;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Arguments { command: Command::Help, .. }) => {
            print!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(Arguments { command, options }) => serve(command, &options),
        Err(message) => {
            eprintln!("accountd-session: {message}\n{}", arguments::HELP);
            ExitCode::from(2)
        }
    }
}

fn serve(command: Command, options: &Options) -> ExitCode {
    match command {
        Command::Help => ExitCode::SUCCESS,
        Command::Sftp => report(serve_sftp(options)),
        Command::Scp(words) => serve_scp(options, &words),
        Command::Pull(name) => {
            forget_given(options);
            serve_pull(options, &name)
        }
        Command::Line(line) => {
            if let Some(served) = &options.repositories
                && let Some((asked, place)) = served.find(line.as_bytes())
            {
                forget_given(options);
                return harden().map_or_else(|error| report(Err(error)), |()| served.serve(&asked, &place));
            }
            let own = Own { scp: |words: &[Vec<u8>]| serve_scp(options, words), others: || forget_given(options) };
            command::run(&line, options.shell.as_deref(), options.services, own)
        }
        Command::Shell(shell) => {
            forget_given(options);
            command::run_shell(&shell)
        }
        Command::Connect(to) => {
            forget_given(options);
            report(harden().and_then(|()| Ok(connect::run(&to, std::io::stdin())?)))
        }
    }
}

/// What runs in place of this program has no records, and nobody leases anything for it.
fn forget_given(options: &Options) {
    let log = options.log.filter(|number| *number != 2);
    for number in [log, options.quota.map(|(number, _)| number)].into_iter().flatten() {
        // One that is not open is as closed.
        let _ = nix::unistd::close(number);
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot give up privileges: {0}")]
    Harden(nix::errno::Errno),
    #[error("cannot open the session's root: {0}")]
    Root(nix::errno::Errno),
    #[error("cannot use the descriptor of --log: {0}")]
    Log(std::io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
    #[error("cannot use the descriptor of --quota: {0}")]
    Quota(std::io::Error),
    #[error(transparent)]
    Sftp(#[from] sftp::SessionError),
    #[error(transparent)]
    Connect(#[from] connect::ConnectError),
}

/// Neither a debugger of the same user nor a set-user-id program is part of a session without a
/// shell.
fn harden() -> Result<(), Failure> {
    nix::sys::prctl::set_dumpable(false).map_err(Failure::Harden)?;
    nix::sys::prctl::set_no_new_privs().map_err(Failure::Harden)
}

/// What a session of files needs: nothing of more rights, its root, where its records go, and what it
/// is held to.
fn prepare(options: &Options) -> Result<(Tree, Record, Limits), Failure> {
    harden()?;
    let tree = Tree::open_in(options.root.as_deref(), options.below.as_deref()).map_err(Failure::Root)?;
    let tree = tree.with(options.permissions.dot_names());
    let record = Record::to(options.log).map_err(Failure::Log)?;
    let quota = match options.quota {
        Some((number, backend)) => {
            let relay = Relay::to(number).map_err(Failure::Quota)?;
            Quota::of(relay, backend, &tree).map_err(Failure::Root)?
        }
        None => Quota::default(),
    };
    if quota.is_counted() {
        let stream = std::io::stdin().as_fd().try_clone_to_owned();
        stream.and_then(farewell::end_with_stream).map_err(Failure::Signals)?;
    }
    // There are copies of both by now.
    forget_given(options);
    let limits = Limits { permissions: options.permissions.clone(), rates: options.rates, quota };
    Ok((tree, record, limits))
}

fn serve_sftp(options: &Options) -> Result<(), Failure> {
    let (tree, record, limits) = prepare(options)?;
    let settings = sftp::Settings { tree, links: options.links, uploads: options.uploads, record, limits };
    Ok(sftp::serve(settings, std::io::stdin(), std::io::stdout())?)
}

fn serve_scp(options: &Options, words: &[Vec<u8>]) -> ExitCode {
    match prepare(options) {
        Ok((tree, record, limits)) => {
            let settings = scp::Settings { tree, uploads: options.uploads, record, limits };
            ExitCode::from(scp::serve(settings, words, std::io::stdin(), std::io::stdout()))
        }
        Err(error) => report(Err(error)),
    }
}

fn serve_pull(options: &Options, name: &str) -> ExitCode {
    match (harden(), &options.repositories) {
        (Ok(()), Some(served)) => repositories::pull(served, name),
        (Ok(()), None) => ExitCode::FAILURE,
        (Err(error), _) => report(Err(error)),
    }
}

fn report(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accountd-session: {error}");
            ExitCode::FAILURE
        }
    }
}
