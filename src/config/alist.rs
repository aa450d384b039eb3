//! `[alist]`

use accountd_protocol::text::FieldPath;
use serde::{Deserialize, Serialize};

/// What clients of AList and OpenList find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alist {
    /// Whether there is anything of it; then a second hash of each password is kept, for clients that show one
    /// instead of the password.
    pub enabled: bool,
    /// The account that administers over this dialect.
    pub admin: String,
    /// The account of whoever shows nothing.
    pub guest: String,
    /// The directory that homes of new accounts are made in; without it the first pool.
    pub homes: Option<FieldPath>,
}

impl Default for Alist {
    fn default() -> Self {
        Self { enabled: false, admin: "admin".into(), guest: "guest".into(), homes: None }
    }
}
