//! The command line of `accountd`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::version::VERSION;
use crate::{front, sandbox};

/// Accounts of a NAS appliance: REST makes real Unix users, who log in over SFTP as themselves.
#[derive(Debug, Parser)]
#[command(name = "accountd", version = VERSION)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves REST; asks accountd-agent for everything
    Api(ApiArguments),
    /// Serves SSH; asks accountd-login for everything
    Ssh(SshArguments),
    /// Runs all of accountd on a scratch root, away from the machine's own accounts
    ///
    /// Needs root. Agent, login, REST and SSH run as in production, in a mount namespace in which
    /// DIR/etc, DIR/home, DIR/mnt, DIR/root, DIR/run, DIR/tmp and DIR/var lie over the machine's
    /// own and the rest is read-only. It keeps trials apart; it is not a security boundary: a
    /// sandbox user with sudo is the machine's root.
    Sandbox(sandbox::Arguments),
}

#[derive(Debug, clap::Args)]
pub struct ApiArguments {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Socket of accountd-agent
    #[arg(long, value_name = "PATH", default_value = "/run/accountd/agent.sock")]
    pub agent_socket: PathBuf,
    /// Started as root: become this user first
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct SshArguments {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2022")]
    pub listen: SocketAddr,
    /// Socket of accountd-login
    #[arg(long, value_name = "PATH", default_value = "/run/accountd/login.sock")]
    pub login_socket: PathBuf,
    /// Ed25519 host key; made when it is missing
    #[arg(long, value_name = "FILE", default_value = "/var/lib/accountd-ssh/ssh_host_ed25519_key")]
    pub host_key: PathBuf,
    /// Seconds that a client has to authenticate
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub login_grace: u64,
    /// The most connections that have not authenticated, in all
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub unauthenticated: usize,
    /// The most of them from one IPv4 address or one IPv6 /64
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub unauthenticated_per_source: usize,
    /// Started as root: become this user first
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

/// The whole program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("ACCOUNTD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false)
        .with_env_filter(filter)
        .init();
    match arguments.command {
        Command::Api(arguments) => report(front::api(arguments)),
        Command::Ssh(arguments) => report(front::ssh(arguments)),
        Command::Sandbox(arguments) => match sandbox::run(arguments) {
            Ok(code) => code,
            Err(error) => report(Err(error)),
        },
    }
}

fn report(result: Result<(), impl std::fmt::Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accountd: {error}");
            ExitCode::FAILURE
        }
    }
}
