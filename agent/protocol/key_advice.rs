//! Why the keys of an account would be refused, and what to change (sshd_config(5),
//! StrictModes).

use serde::{Deserialize, Serialize};

use crate::id::Uid;

/// One thing that keeps keys from counting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAdvice {
    /// The home, `.ssh` in it, or the key file.
    pub path: String,
    pub fault: KeyFault,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFault {
    /// There is no home: neither keys nor sessions have a place.
    NoHome,
    /// The user itself can not get there.
    Unreachable,
    Linked,
    NotADirectory,
    NotAFile,
    /// It is `owner`'s, and should be `user`'s.
    WrongOwner {
        owner: Uid,
        user: Uid,
    },
    /// It should have the permission bits `wanted`.
    Writable {
        by: Writers,
        mode: u32,
        wanted: u32,
    },
    TooLarge {
        max: u64,
    },
    /// No line of the file is a key that counts.
    NoKey,
    /// One line of it, counted from 1, lets nobody in.
    Line {
        line: usize,
        reason: String,
    },
}

/// Who can write what only the owner should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writers {
    Group,
    Others,
    Both,
}

impl Writers {
    /// By permission bits; `None` when nobody but the owner can write.
    pub fn of(mode: u32) -> Option<Self> {
        match (mode & 0o020 != 0, mode & 0o002 != 0) {
            (true, true) => Some(Writers::Both),
            (true, false) => Some(Writers::Group),
            (false, true) => Some(Writers::Others),
            (false, false) => None,
        }
    }
}

/// Why something is not root's to repair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairFault {
    #[error("it belongs to {0}")]
    OwnedBy(String),
    #[error("it has other names")]
    OtherNames,
    #[error("it lies where others than root can change it")]
    Exposed,
}
