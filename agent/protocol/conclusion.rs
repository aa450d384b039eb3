//! What comes of a login that the agent has granted: places are counted by login.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// Who has shown who they are, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclusion {
    pub account: AccountId,
    pub name: String,
    pub source: IpAddr,
    /// The key blob that was shown; `None`: a password.
    pub key: Option<Vec<u8>>,
    pub outcome: Concluded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concluded {
    LoggedIn,
    /// The account has as many connections already as it may.
    TooManyConnections,
    /// The account has changed since the decision, or nobody can tell whether it has.
    AccountChanged,
    /// The stack `account` of PAM does not let in whoever has shown a key.
    RefusedByPam,
}
