//! The command line of accountd-login.

use std::path::PathBuf;

use clap::Parser;

/// Opens, counts and ends sessions. Needs root; listens on a Unix socket only.
#[derive(Debug, Parser)]
#[command(name = "accountd-login", version)]
pub struct Arguments {
    /// Socket of accountd-agent
    #[arg(long, value_name = "PATH", default_value = "/run/accountd/agent.sock")]
    pub agent_socket: PathBuf,
    /// Socket to listen on
    #[arg(long, value_name = "PATH", default_value = "/run/accountd/login.sock")]
    pub socket: PathBuf,
    /// User that the SSH front runs as
    #[arg(long, value_name = "USER", default_value = "accountd-ssh")]
    pub front_user: String,
    /// Seconds that sessions go on while the agent can not be heard; it may be being started again
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub agent_patience: u64,
    /// Program that serves a session
    #[arg(long, value_name = "FILE", default_value = "/usr/libexec/accountd/accountd-session")]
    pub session_program: PathBuf,
}
