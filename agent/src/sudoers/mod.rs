//! sudo's drop-ins: one file below `sudoers.d` for each user and each group that may use sudo
//! (sudoers(5)).
//!
//! A file is named after the account's stable id, because sudo ignores names with a dot in them.
//! That it is there is what grants; who removes it by hand has taken the grant back.

mod check;
mod directory;
mod rule;

use accountd_protocol::id::AccountId;
use serde::{Deserialize, Serialize};

pub use check::{Unchecked, check};
pub use directory::{DropIns, Grant, Prepared};
pub use rule::{is_about, renamed, rule};

/// Below the root directory.
pub const DIRECTORY: &str = "etc/sudoers.d";

/// Whom a drop-in is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    User(AccountId),
    Group(AccountId),
}

/// Whether somebody has a drop-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sudo {
    Granted,
    None,
}

impl Sudo {
    pub fn other(self) -> Self {
        match self {
            Sudo::Granted => Sudo::None,
            Sudo::None => Sudo::Granted,
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
