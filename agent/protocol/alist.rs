//! What the dialect of AList and OpenList has to know of the machine, and what it says again.

use serde::{Deserialize, Serialize};

/// `[alist]` of accountd.toml(5), as far as the dialect goes by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlistSettings {
    /// The account of whoever shows nothing.
    pub guest: String,
    /// The directory that homes of new accounts are made in; `None`: there is no pool.
    pub homes: Option<String>,
}

/// The words of this dialect for an account (see [`Echoes`](crate::user::Echoes)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlistWords {
    pub permission: i32,
    pub base_path: String,
    pub sso_id: String,
    pub allow_ldap: bool,
}

impl AlistWords {
    /// As [`Echoes`](crate::user::Echoes) keep them.
    pub fn text(&self) -> String {
        // Neither a map with other keys than text nor a float is in it, so it can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
