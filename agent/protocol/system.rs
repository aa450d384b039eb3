//! The machine that the accounts are on.

use serde::{Deserialize, Serialize};

/// The machine as far as accounts go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Of the agent.
    pub version: String,
    /// The login shells that an account may have.
    pub shells: Vec<String>,
    /// Directories whose children are pools, in which homes lie.
    pub home_roots: Vec<String>,
    /// Permission bits of a new home where a request has none.
    pub home_mode: u32,
}
