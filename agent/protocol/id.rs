//! User, group and account ids as types of their own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A Unix user id (credentials(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub u32);

/// A Unix group id (credentials(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gid(pub u32);

/// The API's stable id of a user or a group: given once, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// An account as somebody calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRef {
    Id(AccountId),
    Name(String),
    /// A uid or a gid.
    Number(u32),
    /// Who asks.
    Caller,
}

/// Numbers that no account may have: the 16-bit and 32-bit "no change" values of chown(2), the
/// overflow id, and everything that programs read as a negative `int`.
pub fn never_an_id(number: u32) -> bool {
    matches!(number, 65534 | 65535) || number > i32::MAX as u32
}

impl Uid {
    pub const ROOT: Uid = Uid(0);
}

impl Gid {
    pub const ROOT: Gid = Gid(0);
}

macro_rules! display_number {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}
display_number!(Uid Gid AccountId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_that_mean_nobody_or_nothing_are_never_given() {
        for number in [65534, 65535, 2_147_483_648, 4_294_967_294, 4_294_967_295] {
            assert!(never_an_id(number), "{number}");
        }
        for number in [0, 1, 1000, 65533, 65536, 2_147_483_647] {
            assert!(!never_an_id(number), "{number}");
        }
    }
}
