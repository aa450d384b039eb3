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
    /// Copies OpenSSH's host keys, so that clients know the server that they have known
    ///
    /// Ed25519 and ECDSA keys are taken; an RSA key is not (RUSTSEC-2023-0071). What is there already
    /// stays. Needs root.
    ImportHostKeys(ImportArguments),
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
    /// Address to listen on, as often as there are some; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2022")]
    pub listen: Vec<SocketAddr>,
    /// Socket of accountd-login
    #[arg(long, value_name = "PATH", default_value = "/run/accountd/login.sock")]
    pub login_socket: PathBuf,
    /// Host key, Ed25519 or ECDSA, as often as there are some; made when it is missing
    #[arg(long, value_name = "FILE", default_values = ["/var/lib/accountd-ssh/ssh_host_ed25519_key", "/var/lib/accountd-ssh/ssh_host_ecdsa_key"])]
    pub host_key: Vec<PathBuf>,
    /// Text that is shown before a client authenticates
    #[arg(long, value_name = "FILE")]
    pub banner: Option<PathBuf>,
    /// Seconds that a client has to authenticate
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub login_grace: u64,
    /// The most connections that have not authenticated, in all; from a third of it on, some are turned away
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub unauthenticated: usize,
    /// The most of them from one IPv4 address or one IPv6 /64
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub unauthenticated_per_source: usize,
    /// Seconds of silence after which a client is asked whether it is there
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub keepalive: u64,
    /// Seconds after which a connection is closed on which nothing happens; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub idle: u64,
    /// Seconds that clients have to finish when this ends
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub drain: u64,
    /// Started as root: become this user first
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct ImportArguments {
    /// Directory of OpenSSH's host keys
    #[arg(long, value_name = "DIR", default_value = "/etc/ssh")]
    pub from: PathBuf,
    /// Directory of accountd's
    #[arg(long, value_name = "DIR", default_value = "/var/lib/accountd-ssh")]
    pub to: PathBuf,
    /// User that the SSH front runs as
    #[arg(long, value_name = "USER", default_value = "accountd-ssh")]
    pub user: String,
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
        Command::ImportHostKeys(arguments) => report(front::import_host_keys(&arguments)),
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
