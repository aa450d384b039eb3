//! The SSH connections that are open, and what runs on them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// One connection of an account, from its login on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenConnection {
    pub id: ConnectionId,
    pub account: AccountId,
    pub user: String,
    /// As the client calls itself: `SSH-2.0-OpenSSH_9.2`.
    pub client_version: String,
    pub source: SocketAddr,
    /// Milliseconds of Unix time.
    pub connected: u64,
    pub last_activity: u64,
    pub sessions: Vec<OpenSession>,
}

/// 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub String);

/// What runs on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// As the log has it.
    pub number: u64,
    /// `sftp`, `scp`, `rsync`, `git`, `command`, `shell` or `connect`.
    pub service: String,
    pub began: u64,
    pub transfers: Vec<OpenTransfer>,
}

/// A file that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransfer {
    /// As the client has written it; what is no UTF-8 is U+FFFD.
    pub path: String,
    pub direction: TransferDirection,
    pub started: u64,
    pub last_activity: u64,
    /// Bytes so far.
    pub size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferDirection {
    Upload,
    Download,
}

/// What a session says of a transfer that takes long, on a line of its own among its records: behind
/// [`NOTE`], in JSON. The numbers are the session's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferNote {
    /// It has been going on for some time.
    Begun {
        id: u64,
        path: String,
        direction: TransferDirection,
        size: u64,
        for_milliseconds: u64,
    },
    At {
        id: u64,
        size: u64,
    },
    Ended {
        id: u64,
    },
}

/// Begins the line of a [`TransferNote`].
pub const NOTE: u8 = 1;
