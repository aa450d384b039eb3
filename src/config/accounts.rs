//! `[accounts]`

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    pub permit_root: PermitRoot,
    pub shared_uid: SharedUid,
    pub show_hashes: ShowHashes,
}

/// Whether uid 0 may log in over SSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermitRoot {
    /// Never.
    #[default]
    No,
    /// With a public key, never with a password.
    Keys,
}

/// Whether two accounts may have one uid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedUid {
    #[default]
    Refused,
    /// Never with uid 0 or a service's uid.
    Allowed,
}

/// What an administrator sees of password hashes over REST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowHashes {
    /// The hashes, as clients that carry them to another machine need them.
    #[default]
    Real,
    /// `*`, as for an account without one.
    Masked,
}
