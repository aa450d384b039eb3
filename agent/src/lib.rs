//! accountd-agent: the root program that decides who is who and makes accounts real.

mod accounts;
mod agent;
mod arguments;
mod belongings;
pub mod database;
mod error;
mod homes;
mod identity;
mod ids;
#[cfg(any(test, feature = "laws"))]
#[doc(hidden)]
pub mod laws;
mod operations;
mod reserved;
mod revocations;
mod samba;
mod server;
mod sudoers;

#[allow(unsafe_code, reason = "libcrypt, per-thread identity, NSS and getdents64 have no safe wrappers")]
mod sys;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tracing::info;

use crate::agent::Agent;
use crate::arguments::Arguments;
use crate::error::Error;
use crate::homes::{NO_HOME, WORKER_ARGUMENT, WorkError, run_worker};
use crate::ids::{LOOK_UP_ARGUMENT, run_look_up};

/// The whole program: the agent, or one of its own children, at work in a home or looking up names.
pub fn run() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(argument) if argument == WORKER_ARGUMENT => return work(),
        Some(argument) if argument == LOOK_UP_ARGUMENT => return report(run_look_up(arguments.next())),
        Some(_) | None => {}
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
    agent.start_transfers()?;
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
