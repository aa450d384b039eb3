//! accountd-login: the only program that opens, counts and ends sessions.
//!
//! The SSH front asks, the agent decides, the spawner starts. No network socket, no account file.

mod agent;
mod arguments;
mod children;
mod connection;
mod control;
mod counters;
mod environment;
mod error;
mod events;
#[cfg(test)]
mod granted;
mod keeper;
mod keepers;
mod order;
mod orders;
mod pam;
mod plan;
mod pulls;
mod questions;
mod quota;
mod records;
mod registry;
mod revocations;
#[cfg(test)]
mod scripted_agent;
mod server;
mod session;
mod session_streams;
mod spawner;
mod terminal;
mod watchdog;
mod word;

#[allow(unsafe_code, reason = "fork, execveat, close_range and prctl have no safe wrappers")]
mod sys;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::arguments::Arguments;
use crate::error::Error;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A log that nobody takes any more must not end a thread.
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    log.log_internal_errors(false).init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accountd-login: {error}");
            ExitCode::FAILURE
        }
    }
}

/// As many descriptors as may be (getrlimit(2)): each session costs two here. What the spawner
/// starts has limits of its own.
fn raise_open_files() -> Result<(), Error> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Error::kernel("read the limit of open files"))?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(Error::kernel("raise the limit of open files"))
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    nix::sys::prctl::set_dumpable(false).map_err(Error::kernel("become undumpable"))?;
    // The spawner is a copy of this process with its one thread; nothing may start one before.
    let spawner = spawner::start(arguments)?;
    raise_open_files()?;
    let stop = server::stop_signals()?;
    let registry = Arc::new(registry::Registry::default());
    let agent = Arc::new(agent::Agent::new(arguments.agent_socket.clone()));
    let counters = Arc::new(counters::Counters::default());
    counters::tell(agent.clone(), counters.clone())?;
    let patience = Duration::from_secs(arguments.agent_patience);
    revocations::follow(arguments.agent_socket.clone(), registry.clone(), patience)?;
    let front = server::Front::new(&arguments.front_user);
    let listener = server::listen(&arguments.socket, &front)?;
    watchdog::start(arguments.socket.clone(), registry.clone())?;
    let shared = connection::Shared { agent, registry, spawner: Arc::new(spawner), counters };
    questions::answer(arguments.agent_socket.clone(), shared.clone())?;
    server::serve(&listener, &stop, shared, &front)
}
