//! The command line of accountd-agent.

use std::path::PathBuf;

use clap::Parser;

/// Keeps the accounts of this machine and decides who may log in. Needs root; listens on a Unix
/// socket only.
#[derive(Debug, Parser)]
#[command(name = "accountd-agent", version)]
pub struct Arguments {
    /// Root directory of the machine whose accounts are kept
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Socket to listen on
    #[arg(long, value_name = "PATH", default_value = "/run/accountd/agent.sock")]
    pub socket: PathBuf,
    /// SQLite file of the state that Unix files can not hold
    #[arg(long, value_name = "FILE", default_value = "/var/lib/accountd/state.sqlite")]
    pub state: PathBuf,
    /// User that the REST front runs as
    #[arg(long, value_name = "USER", default_value = "accountd-api")]
    pub api_user: String,
    /// User that the SSH front runs as
    #[arg(long, value_name = "USER", default_value = "accountd-ssh")]
    pub ssh_user: String,
    /// Settings; a file that is not there stands for the defaults
    #[arg(long, value_name = "FILE", default_value = accountd_config::PATH)]
    pub config: PathBuf,
    /// Only follow the audit trail beside the state store, and say whether it is whole; nothing is
    /// written, and an agent may be running
    #[arg(long)]
    pub audit_verify: bool,
}
