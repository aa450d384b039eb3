//! What a session of an account may be: as accountd.toml(5) has it, narrowed by the key that was
//! shown (sshd(8), AUTHORIZED_KEYS FILE FORMAT). Decided by the agent, enforced where sessions are
//! opened.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::repository::RepositoryKind;

/// The forced command by which sshd(8) stands for its own file server, and so does this one for its.
pub const INTERNAL_SFTP: &str = "internal-sftp";

/// What a client may ask of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceKind {
    Sftp,
    Scp,
    Rsync,
    Git,
    Hg,
    /// Any command and the shell itself; needs an account with a login shell.
    Shell,
}

impl ServiceKind {
    pub const ALL: [Self; 6] = [Self::Sftp, Self::Scp, Self::Rsync, Self::Git, Self::Hg, Self::Shell];

    pub fn name(self) -> &'static str {
        match self {
            ServiceKind::Sftp => "sftp",
            ServiceKind::Scp => "scp",
            ServiceKind::Rsync => "rsync",
            ServiceKind::Git => "git",
            ServiceKind::Hg => "hg",
            ServiceKind::Shell => "shell",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPolicy {
    pub services: BTreeSet<ServiceKind>,
    /// Runs in place of whatever the client asks for (`command=` of the key).
    pub forced_command: Option<String>,
    pub terminal: TerminalUse,
    pub forwarding: Forwarding,
    /// Names of variables that a client may set, with `*` and `?` (`AcceptEnv` of sshd_config(5)).
    pub accept_environment: Vec<String>,
    /// Set for the session (`environment=` of the key).
    pub environment: Vec<(String, String)>,
    pub leftovers: Leftovers,
    pub uploads: Uploads,
    /// What the session sees as `/`; `None`: the file system as it is. A session with a root
    /// serves files and nothing else.
    pub root: Option<Vec<u8>>,
    /// A directory in that root, reached without leaving it, which is what the session sees then.
    #[serde(default)]
    pub below: Option<Vec<u8>>,
    /// File mode creation mask (umask(2)).
    pub umask: u32,
    /// Which repositories of accountd it serves, whether or not it has a shell; `None`: none.
    #[serde(default)]
    pub repositories: Option<ServedRepositories>,
}

/// Repositories below a directory, reached by their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedRepositories {
    pub root: String,
    pub kinds: BTreeSet<RepositoryKind>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminalUse {
    #[default]
    Allowed,
    Refused,
}

/// Which TCP connections a session may make for its client (`ssh -L`, `-D`, `-W`, `-J`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarding {
    None,
    Anywhere,
    /// `permitopen=` of the key: a host as the client writes it, and a port; `None`: any.
    To(Vec<(String, Option<u16>)>),
}

/// What becomes of processes that a session leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftovers {
    /// They end with it, also those that have called setsid(2).
    #[default]
    End,
    /// They go on, until their account is disabled or deleted with its processes.
    Keep,
}

/// Where an upload is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uploads {
    #[default]
    InPlace,
    /// Under a temporary name that becomes the real one when the client closes the file.
    Atomic,
}
