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
    pub const ALL: [Role; 3] = [Role::Administrator, Role::AccountAdministrator, Role::Auditor];

    /// The group that gives it where nothing else is configured.
    pub const fn usual_group(self) -> &'static str {
        match self {
            Role::Administrator => "accountd-administrators",
            Role::AccountAdministrator => "accountd-account-administrators",
            Role::Auditor => "accountd-auditors",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::AccountAdministrator => "account_administrator",
            Role::Auditor => "auditor",
        }
    }
}
