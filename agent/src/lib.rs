//! accountd-agent: the root program that decides who is who and makes accounts real.

mod accounts;
mod agent;
mod arguments;
mod audit;
mod belongings;
mod checks;
pub mod database;
mod error;
mod hexadecimal;
mod homes;
mod identity;
mod ids;
mod job_passwords;
mod jobs;
#[cfg(any(test, feature = "laws"))]
#[doc(hidden)]
pub mod laws;
mod metrics;
mod open_sessions;
mod operations;
mod pam;
mod places;
mod processes;
mod quota;
mod recording;
mod repositories;
mod reserved;
mod resumed;
mod revocations;
mod samba;
mod samba_sessions;
#[cfg(test)]
mod scratch;
mod server;
mod settings;
mod sudoers;
mod suspension;

#[allow(
    unsafe_code,
    reason = "libcrypt, per-thread identity, NSS, signal handlers and getdents64 have no safe wrappers"
)]
mod sys;

use std::process::ExitCode;
use std::sync::Arc;

use accountd_protocol::audit::AuditVerdict;
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
    let arguments = Arguments::parse();
    report(if arguments.audit_verify { verify_audit(&arguments) } else { serve(&arguments) })
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
    agent.start_clerk()?;
    agent.start_ban_records()?;
    agent.start_repositories()?;
    agent.start_jobs()?;
    agent.place_waiting_keys()?;
    agent.drop_left_keys()?;
    agent.make_alist_accounts();
    let listener = server::listen(&arguments.socket, agent.api_gid())?;
    let pam_listener = pam::listen(&arguments.socket)?;
    agent.start_pam_sessions()?;
    pam::serve(&agent, pam_listener)?;
    info!(socket = %arguments.socket.display(), "accounts are kept");
    server::keep_watch(&agent, arguments.socket.clone())?;
    server::serve(&agent, &listener)
}

/// Says how far the audit trail is whole; an error where it is not.
fn verify_audit(arguments: &Arguments) -> Result<(), Error> {
    let AuditVerdict { first, whole_to, hash, flaw } = audit::verify(&arguments.state)?;
    println!("whole from {first} to {whole_to}, hash {hash}");
    let Some(flaw) = flaw else { return Ok(()) };
    println!("{}: record {}: {}", flaw.place, flaw.sequence, flaw.what);
    Err(Error::AuditNotWhole)
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
