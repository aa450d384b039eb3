//! `accountd sandbox`: agent, login, REST and SSH on a scratch root.
//!
//! The very same programs as in production, in a mount namespace in which parts of a directory
//! lie over the machine's own: `/etc/passwd`, NSS, PAM, shells and the password lock all are the
//! sandbox's. No PID namespace: shadow-utils would take locks of processes that it can't see for
//! stale ones.

mod administrator;
mod error;
mod inside;
mod lock;
mod machine;
mod namespace;
mod password;
mod programs;
mod root;
mod seed;
mod supervisor;

#[allow(unsafe_code, reason = "the new mount calls, the bounding set and the death signal have no safe wrappers here")]
mod sys;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use self::error::SandboxError;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Scratch root, made on first use, kept afterwards: a directory that does not exist yet, an
    /// empty one of root's, or the root of another run
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Address of REST; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    api_listen: SocketAddr,
    /// Address of SSH; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2022")]
    ssh_listen: SocketAddr,
    /// File with the administrator's password; without it one is made on first use, and shown
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    /// No log on standard error
    #[arg(long)]
    quiet: bool,
    /// Run a command inside the sandbox that is running on DIR, instead of starting one
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, trailing_var_arg = true)]
    exec: Vec<OsString>,
}

/// Starts a sandbox and stays until it is told to end, or runs a command in one.
pub fn run(arguments: Arguments) -> Result<ExitCode, SandboxError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(SandboxError::NotRoot);
    }
    if let Some((command, rest)) = arguments.exec.split_first() {
        return inside::exec(&arguments.root, command, rest);
    }
    let lock = lock::SandboxLock::take(&arguments.root)?;
    let password = password::choose(arguments.admin_password_file.as_deref())?;
    let programs = programs::Programs::open()?;
    let first = seed::plant(lock.root())?;
    namespace::enter(lock.root())?;
    if first == seed::Planted::New {
        seed::set_password(password.text())?;
        password.show_if_made();
    }
    let options = supervisor::Options {
        api_listen: arguments.api_listen,
        ssh_listen: arguments.ssh_listen,
        quiet: arguments.quiet,
        root: lock.root().to_owned(),
        new_password: (first == seed::Planted::New).then(|| password.text().to_owned()),
        program: std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned(),
    };
    supervisor::run(&programs, options)?;
    drop(lock);
    Ok(ExitCode::SUCCESS)
}
