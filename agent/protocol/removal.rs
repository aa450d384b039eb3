//! What becomes of the home of a user that is deleted, and why one may have to stay.

use serde::{Deserialize, Serialize};

/// What is to become of a deleted user's home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletedHome {
    #[default]
    Keep,
    /// It goes with all that is in it, or the account stays too.
    Remove,
}

/// Why a home is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HomeStays {
    #[error("is the home of {0} too")]
    SharedWith(String),
    #[error("has the home of {0} in it")]
    Holds(String),
    #[error("does not lie below one of: {0}")]
    Outside(String),
    /// fstab(5) names it.
    #[error("lies below {0}, where something has to be mounted and nothing is")]
    NotMounted(String),
    #[error("is the root of a pool")]
    PoolRoot,
    #[error("is a symbolic link or is reached over one")]
    Linked,
    #[error("is not a directory")]
    NotADirectory,
    #[error("belongs to somebody else")]
    NotOwned,
    #[error("lies in a directory that others than root can change")]
    Exposed,
    /// The directory that it would go to exists and is not root's alone.
    #[error("can not go to {0}, which others than root can reach")]
    BadTrash(String),
}
