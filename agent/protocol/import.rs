//! Taking a backup over: what is to become of conflicts, and what came of each account.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::backup::Backup;
use crate::batch::Effect;
use crate::refusal::Invalid;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Import {
    pub backup: Box<Backup>,
    pub choices: Choices,
    pub effect: Effect,
}

/// What to do where something is in the way. Without a choice, a conflict keeps all from being done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// Of an account that is here and is another than in the backup.
    pub on_name: OnName,
    /// Of a uid or gid that can't be had here.
    pub on_id: OnId,
    /// Of members, groups and commands of sudo that are not here.
    pub on_missing: OnMissing,
    /// Of a login shell that is none here.
    pub on_shell: OnShell,
    /// Of lines of key files that are not understood.
    pub on_keys: OnMissing,
    /// Of rules for passwords that are set here otherwise.
    pub on_policy: OnName,
    /// Accounts that are left out: users, groups, or both of a name.
    pub skip: BTreeSet<String>,
    /// Where homes go: a path, or one that it lies in, and what comes in its place.
    pub homes: BTreeMap<String, String>,
    pub accounts: BTreeMap<String, AccountChoice>,
}

/// What is so for one account, over everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountChoice {
    /// Of the user of this name.
    pub uid: Option<u32>,
    /// Of the group of this name.
    pub gid: Option<u32>,
    pub on_name: Option<OnName>,
    /// The name that the user and the group of this name get.
    pub rename: Option<String>,
    /// The one that the user gets, over [`AccountChoice::rename`].
    pub rename_user: Option<String>,
    /// The one that the group gets, over [`AccountChoice::rename`].
    pub rename_group: Option<String>,
    pub on_id: Option<OnId>,
    pub shell: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnName {
    #[default]
    Fail,
    /// What is here stays.
    Skip,
    /// What is here becomes like the backup, but for its numbers and its home.
    Overwrite,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnId {
    #[default]
    Fail,
    /// The account gets a free one of this machine.
    Renumber,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    #[default]
    Fail,
    /// It is left out.
    Drop,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShell {
    #[default]
    Fail,
    /// The account gets one that lets nobody in.
    Nologin,
}

/// In the order of the backup: rules, groups, built-in groups, users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    pub items: Vec<ImportedItem>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedItem {
    pub kind: ItemKind,
    /// Its place in its list of the backup, counted from 0.
    pub index: usize,
    /// What it is called in the backup.
    pub name: String,
    /// What it is called here, if that is another.
    pub new_name: Option<String>,
    pub outcome: ImportOutcome,
    /// What keeps it from being done.
    pub open: Vec<Invalid>,
    /// What was in the way, and was dealt with as chosen.
    pub settled: Vec<Settled>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    PasswordRules,
    Group,
    BuiltinGroup,
    User,
}

/// What became of an account, or would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    Created,
    Changed,
    /// It was here as it is in the backup.
    Same,
    Skipped,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    pub conflict: Invalid,
    pub by: Settlement,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    Skipped,
    Overwritten,
    /// The number that it has in the backup, and the one that it gets.
    Renumbered {
        from: u32,
        to: u32,
    },
    Dropped,
    Renamed,
    Nologin,
    /// What is here was left as it is, beside what was overwritten.
    Kept,
}

impl ImportReport {
    pub fn is_open(&self) -> bool {
        self.items.iter().any(|item| !item.open.is_empty())
    }
}
