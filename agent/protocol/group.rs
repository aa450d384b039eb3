//! A group: as it is, as it is to be made, and what is to be changed of it.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, Gid};
use crate::limits::{Limits, LimitsChange};
use crate::name::NewGroupName;
use crate::precondition::Tag;
use crate::sudo::{SudoChange, SudoCommands, SudoGrant};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: AccountId,
    pub name: String,
    pub gid: Gid,
    pub builtin: bool,
    /// What a drop-in of ours lets its members do.
    #[serde(default)]
    pub sudo: Option<SudoGrant>,
    /// The member list of group(5).
    pub members: Vec<String>,
    /// Of each of its members.
    #[serde(default)]
    pub limits: Limits,
    /// Not in lists.
    #[serde(default)]
    pub tag: Option<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NewGroup {
    pub name: NewGroupName,
    /// `None`: the first free one of the configured range.
    pub gid: Option<u32>,
    pub shared_gid: SharedGid,
    /// Empty: no sudo.
    #[serde(default)]
    pub sudo: SudoCommands,
    #[serde(default)]
    pub limits: LimitsChange,
}

/// Whether a group may have a gid that another group has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedGid {
    #[default]
    Refused,
    Allowed,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct GroupChange {
    pub name: Option<NewGroupName>,
    pub gid: Option<u32>,
    #[serde(default)]
    pub shared_gid: SharedGid,
    pub sudo: Option<SudoChange>,
    #[serde(default)]
    pub limits: LimitsChange,
}
