//! What a new password has to be, and how long those of new accounts last: rules with a number each, and
//! where that number comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::precondition::Tag;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordRule {
    /// In characters.
    MinLength,
    /// Of lower case letters, upper case letters, digits and everything else.
    MinClasses,
    /// How many of the last passwords are not taken again.
    History,
    /// shadow(5), for new accounts.
    MinDays,
    MaxDays,
    WarnDays,
}

impl PasswordRule {
    pub const ALL: [Self; 6] =
        [Self::MinLength, Self::MinClasses, Self::History, Self::MinDays, Self::MaxDays, Self::WarnDays];

    pub fn name(self) -> &'static str {
        match self {
            PasswordRule::MinLength => "min_length",
            PasswordRule::MinClasses => "min_classes",
            PasswordRule::History => "history",
            PasswordRule::MinDays => "min_days",
            PasswordRule::MaxDays => "max_days",
            PasswordRule::WarnDays => "warn_days",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSource {
    Default,
    /// accountd.toml(5)
    File,
    /// An administrator has set it, over the file.
    Api,
}

/// The rules that count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub password: BTreeMap<PasswordRule, (u32, RuleSource)>,
    pub tag: Tag,
}

/// What to change; `None` is back to what the file or the default says.
pub type PolicyChange = BTreeMap<PasswordRule, Option<u32>>;
