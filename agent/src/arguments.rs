//! The command line of accountd-agent.

use std::path::PathBuf;

use accountd_protocol::text::FieldPath;
use clap::{Parser, ValueEnum};

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
    /// Whether uid 0 may log in over SSH
    #[arg(long, value_enum, default_value_t = PermitRoot::No)]
    pub permit_root: PermitRoot,
    /// Whether two accounts may have one uid
    #[arg(long, value_enum, default_value_t = SharedUid::Refused)]
    pub shared_uid: SharedUid,
    /// Directory whose children are pools, in which homes may lie; may be given several times
    #[arg(long = "home-root", value_name = "DIR", default_value = "/mnt", value_parser = parse_path)]
    pub home_roots: Vec<FieldPath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PermitRoot {
    /// Never
    No,
    /// With a public key, never with a password
    Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SharedUid {
    Refused,
    /// Never with uid 0 or a service's uid
    Allowed,
}

fn parse_path(text: &str) -> Result<FieldPath, String> {
    FieldPath::new(text).map_err(|error| error.to_string())
}
