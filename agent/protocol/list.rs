//! Parts of lists: which accounts, in which order, and from where on.

use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// A part of a list: of what passes every filter, in the order of `sort`, `limit` items behind
/// `after` and `offset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub offset: usize,
    pub limit: usize,
    /// First key first; empty means built-in last, then by uid or gid.
    pub sort: Vec<SortKey>,
    #[serde(default)]
    pub filters: Vec<Filter>,
    #[serde(default)]
    pub after: Option<Position>,
    #[serde(default)]
    pub keys: KeyTexts,
}

impl Window {
    /// Everything, in the order that accounts are kept in.
    pub fn all() -> Self {
        Self::part(0, usize::MAX, Vec::new())
    }

    /// A part that is counted from the beginning.
    pub fn part(offset: usize, limit: usize, sort: Vec<SortKey>) -> Self {
        Self { offset, limit, sort, filters: Vec::new(), after: None, keys: KeyTexts::Read }
    }
}

/// Whether each user comes with the text of its key file, for which its home has to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyTexts {
    #[default]
    Read,
    LeftOut,
}

/// What an item of a list has to be like. What a group has no field for, no group is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    Id(AccountId),
    /// uid of users, gid of groups.
    Number(u32),
    /// gid of users.
    PrimaryGid(u32),
    Name(String),
    NamePrefix(String),
    Email(String),
    Shell(String),
    Locked(bool),
    PasswordDisabled(bool),
    Builtin(bool),
    /// With a grant, whatever it is, or without.
    Sudo(bool),
    /// Users that are in the group of this name, be it their primary one or not.
    Group(String),
    /// Groups whose member list has this name.
    Member(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    pub by: SortBy,
    pub direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    Id,
    /// uid of users, gid of groups.
    Number,
    Name,
    FullName,
    Home,
    Shell,
    Builtin,
    Locked,
    PrimaryGroup,
    Email,
    PasswordDisabled,
    MicrosoftAccount,
    UnixHash,
    SmbHash,
    /// Whether there is any grant.
    Sudo,
    /// Whether it shows as one of everything.
    AllSudo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Ascending,
    Descending,
}

/// A value that items are compared by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortValue {
    Number(u64),
    Text(String),
}

/// A place in the order of a list, whether or not an item stands there: a value for each sort key
/// (without sort keys: whether it is built in, and its number), then the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub values: Vec<SortValue>,
    pub id: AccountId,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// How many pass the filters in all.
    pub total: usize,
    /// Where the last item stands, when there are more behind it.
    #[serde(default)]
    pub next: Option<Position>,
}
