//! What an account may do over REST, beside looking after itself.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Makes, changes and removes ordinary accounts and groups.
    AccountAdministrator,
    /// Reads everything but secrets.
    Auditor,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::AccountAdministrator => "account_administrator",
            Role::Auditor => "auditor",
        }
    }
}
