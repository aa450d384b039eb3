//! What becomes of decisions when their account changes.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, Uid};

/// Counts the changes that the agent has seen since it started; a decision is good for a session
/// as long as no revocation of its account has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// Decisions of this account before `generation` are void, and its sessions are to be ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub account: AccountId,
    pub uid: Uid,
    pub name: String,
    pub generation: Generation,
}

/// Acknowledges a [`Revocation`]: no session of that account is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    pub generation: Generation,
    /// How many there were.
    #[serde(default)]
    pub ended: u64,
}
