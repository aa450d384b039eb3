//! What the state store knows of users and groups that the files can't hold.

use accountd_protocol::id::{AccountId, Gid, Uid};

/// Whether an account was there when accountd first started on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Added,
    Builtin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub id: AccountId,
    pub name: String,
    pub uid: Uid,
    pub origin: Origin,
    pub email: String,
    pub microsoft_account: bool,
    /// The hash that comes back when the password is enabled again.
    pub kept_hash: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    pub id: AccountId,
    pub name: String,
    pub gid: Gid,
    pub origin: Origin,
}
