//! Who is turned away for a while, because too many wrong passwords have come.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// Numbers the bans since the agent has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BanId(pub u64);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    pub id: BanId,
    pub of: Banned,
    /// Seconds since 1970, as `until`.
    pub since: u64,
    pub until: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Banned {
    /// An IPv4 address, or a network of IPv6.
    Source(String),
    /// Its passwords, but not where it has logged in before.
    Account { id: AccountId, name: String },
}

/// For the log.
impl fmt::Display for Banned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Banned::Source(source) => write!(out, "source {source}"),
            Banned::Account { id: _, name } => write!(out, "account {}", name.escape_debug()),
        }
    }
}
