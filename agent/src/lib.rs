//! accountd-agent: the root program that decides who is who and makes accounts real.

mod accounts;
mod agent;
mod arguments;
pub mod database;
mod error;
mod homes;
mod identity;
#[cfg(any(test, feature = "laws"))]
#[doc(hidden)]
pub mod laws;
mod reserved;
mod revocations;
mod samba;
mod server;

#[allow(unsafe_code, reason = "libcrypt and per-thread file system identity have no safe wrappers")]
mod sys;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tracing::info;

use crate::agent::Agent;
use crate::arguments::Arguments;
use crate::error::Error;
use crate::homes::{NO_HOME, WORKER_ARGUMENT, WorkError, run_worker};

/// The whole program: the agent, or one of its own children at work in a home.
pub fn run() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == WORKER_ARGUMENT) {
        return work();
    }
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    log.log_internal_errors(false).init();
    report(serve(&Arguments::parse()))
}

fn work() -> ExitCode {
    match run_worker(std::io::stdin().lock()) {
        Err(WorkError::NoHome) => ExitCode::from(NO_HOME),
        result => report(result),
    }
}

fn serve(arguments: &Arguments) -> Result<(), Error> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let agent = Arc::new(Agent::open(arguments)?);
    let listener = server::listen(&arguments.socket, agent.api_gid())?;
    info!(socket = %arguments.socket.display(), "accounts are kept");
    server::serve(&agent, &listener)
}

fn report(result: Result<(), impl std::fmt::Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accountd-agent: {error}");
            ExitCode::FAILURE
        }
    }
}
