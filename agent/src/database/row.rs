//! What the state store knows of users and groups that the files can't hold.

use std::sync::{Arc, LazyLock};

use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::limits::Limits;

use super::extras::Extras;

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
    /// `None`: nothing of it.
    pub extras: Option<Arc<Extras>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    pub id: AccountId,
    pub name: String,
    pub gid: Gid,
    pub origin: Origin,
    pub limits: Option<Arc<Limits>>,
}

static NO_EXTRAS: LazyLock<Extras> = LazyLock::new(Extras::default);
static NO_LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);

impl UserRow {
    pub fn is_builtin(&self) -> bool {
        self.origin == Origin::Builtin
    }

    pub fn extras(&self) -> &Extras {
        self.extras.as_deref().unwrap_or(&NO_EXTRAS)
    }
}

impl GroupRow {
    pub fn is_builtin(&self) -> bool {
        self.origin == Origin::Builtin
    }

    pub fn limits(&self) -> &Limits {
        self.limits.as_deref().unwrap_or(&NO_LIMITS)
    }
}

/// As a row keeps it.
pub fn kept<T: Default + PartialEq>(value: T) -> Option<Arc<T>> {
    (value != T::default()).then(|| Arc::new(value))
}
