//! `[ids]`

use std::ops::RangeInclusive;

use accountd_protocol::id::never_an_id;
use serde::{Deserialize, Serialize};

/// From which numbers the agent chooses when a request names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ids {
    pub users: IdRange,
    pub groups: IdRange,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct IdRange {
    pub first: u32,
    pub last: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    first: u32,
    last: u32,
}

impl IdRange {
    pub fn numbers(&self) -> RangeInclusive<u32> {
        self.first..=self.last
    }
}

impl Default for IdRange {
    /// Above what Debian gives to its own accounts and to `useradd`'s first, below systemd's.
    fn default() -> Self {
        Self { first: 3000, last: 60_000 }
    }
}

impl TryFrom<Raw> for IdRange {
    type Error = String;

    fn try_from(Raw { first, last }: Raw) -> Result<Self, String> {
        if first == 0 || never_an_id(first) {
            return Err(format!("first can not be {first}"));
        }
        if last < first || never_an_id(last) {
            return Err(format!("last can not be {last}"));
        }
        Ok(Self { first, last })
    }
}
