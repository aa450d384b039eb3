//! accountctl: the administrator's command, over /api/v2.
//!
//! `accountctl NOUN VERB`. Nothing is decided here: a command is a few requests, each sent in the
//! name of whoever asks. [`nouns`] has a file for each noun; what they share is who asks and where
//! ([`settings`], [`credential`]), a request and its answer ([`client`], [`problem`]), lists that are
//! followed to their end ([`listing`]), jobs that are too ([`follow`]), sets that are changed in part
//! ([`edit`]), and what is printed ([`output`], [`outcome`]).
#![forbid(unsafe_code)]

mod age;
mod client;
mod credential;
mod edit;
mod error;
mod flags;
mod follow;
mod kept_file;
mod key_lines;
mod limits;
mod listing;
mod nouns;
mod outcome;
mod output;
mod path;
mod problem;
mod secret_file;
mod session;
mod set_of_names;
mod settings;
mod sudo;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod url;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use error::Error;
use nouns::Noun;
use output::Presentation;
use session::Session;
use settings::{Connection, Environment};

/// Administers the accounts of a NAS.
///
/// Root on the machine itself needs no password. Everybody else says who they are with --user, a
/// token in ACCOUNTCTL_TOKEN, or ~/.config/accountd/accountctl.toml; accountctl(1) says more. Exit
/// status: 0 done, 1 refused or failed, 2 usage, 3 not reachable, 4 not permitted.
#[derive(Debug, Parser)]
#[command(name = "accountctl", subcommand_required = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    noun: Noun,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    presentation: Presentation,
}

/// The whole program; `version` is what --version says.
pub fn run(version: &'static str) -> ExitCode {
    let matches = Arguments::command().version(version).get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match perform(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is gone, the status still says it.
            let _ = std::io::stderr().write_all(error.lines().as_bytes());
            ExitCode::from(error.status() as u8)
        }
    }
}

fn perform(arguments: Arguments) -> Result<(), Error> {
    let Arguments { noun, connection, presentation } = arguments;
    let way = connection.way(Environment::of_process())?;
    let is_exposed = !way.url.is_this_machine();
    let session = Session::new(way, &presentation);
    if is_exposed {
        session.output.note("Note: without TLS, whoever is on the way can read the credential.");
    }
    noun.run(&session)
}
