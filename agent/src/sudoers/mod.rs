//! sudo's drop-ins: one file below `sudoers.d` for each user and each group that may use sudo
//! (sudoers(5)).
//!
//! A file is named after the account's stable id, because sudo ignores names with a dot in them.
//! That it is there is what grants; who removes it by hand has taken the grant back.

mod check;
mod directory;
mod program;
mod rule;

use std::fmt;
use std::sync::Arc;

use accountd_protocol::id::AccountId;
use accountd_protocol::sudo::{SudoCommands, SudoGrant};
use serde::{Deserialize, Serialize};

pub use check::{Unchecked, check};
pub use directory::{DropIns, Grant, Prepared};
pub use program::check as check_program;
pub use rule::{granted, is_about, is_only_about, renamed, rule, written};

/// Below the root directory.
pub const DIRECTORY: &str = "etc/sudoers.d";

/// Whom a drop-in is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    User(AccountId),
    Group(AccountId),
}

/// For the log.
impl fmt::Display for Grantee {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grantee::User(id) => write!(out, "user {}", id.0),
            Grantee::Group(id) => write!(out, "group {}", id.0),
        }
    }
}

/// Whether somebody has a drop-in, and what it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sudo {
    Granted(Arc<SudoGrant>),
    None,
}

impl Sudo {
    pub fn of(grant: SudoGrant) -> Self {
        Sudo::Granted(Arc::new(grant))
    }

    /// `None` is a grant that is about somebody else.
    pub fn read(grant: Option<SudoGrant>) -> Self {
        grant.map_or(Sudo::None, Self::of)
    }

    /// No drop-in where there is nothing to grant.
    pub fn commands(commands: &SudoCommands) -> Self {
        if commands.is_empty() { Sudo::None } else { Self::of(SudoGrant::Commands(commands.clone())) }
    }

    pub fn is_granted(&self) -> bool {
        matches!(self, Sudo::Granted(_))
    }

    pub fn grant(&self) -> Option<&SudoGrant> {
        match self {
            Sudo::Granted(grant) => Some(grant),
            Sudo::None => None,
        }
    }

    /// Whether it shows as one of everything.
    pub fn shows_as_all(&self) -> bool {
        self.grant().is_some_and(SudoGrant::shows_as_all)
    }

    /// For records: `false`, `true` for everything with the password, else what is granted.
    pub fn in_words(&self) -> String {
        match self.grant() {
            None => "false".into(),
            Some(SudoGrant::ByHand) => "changed by hand".into(),
            Some(SudoGrant::Commands(commands)) if *commands == SudoCommands::everything() => "true".into(),
            Some(SudoGrant::Commands(commands)) => {
                let words: Vec<String> = commands.places().map(|(list, _, command)| written(list, command)).collect();
                words.join(", ")
            }
        }
    }
}

/// What somebody is called in sudoers(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
}

impl Grantee {
    pub fn kind(self) -> Kind {
        match self {
            Grantee::User(_) => Kind::User,
            Grantee::Group(_) => Kind::Group,
        }
    }

    /// The name of the drop-in.
    pub fn file_name(self) -> String {
        match self {
            Grantee::User(id) => format!("{USER}{id}"),
            Grantee::Group(id) => format!("{GROUP}{id}"),
        }
    }

    /// Whom a file of this name is for; `None` for a file of somebody else.
    pub fn of_file(name: &str) -> Option<Self> {
        let id = |digits: &str| digits.parse().ok().map(AccountId);
        let user = name.strip_prefix(USER).and_then(id).map(Grantee::User);
        let grantee = user.or_else(|| name.strip_prefix(GROUP).and_then(id).map(Grantee::Group))?;
        (grantee.file_name() == name).then_some(grantee)
    }
}

const USER: &str = "accountd-user-";
const GROUP: &str = "accountd-group-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_ours_are_for_somebody() {
        for grantee in [Grantee::User(AccountId(7)), Grantee::Group(AccountId(12))] {
            assert_eq!(Grantee::of_file(&grantee.file_name()), Some(grantee));
        }
        for name in ["README", "anna", "accountd-user-", "accountd-user-07", "accountd-user-+7", "accountd-user-7.new"]
        {
            assert_eq!(Grantee::of_file(name), None, "{name}");
        }
    }
}
