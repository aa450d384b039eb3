//! Repositories of git and Mercurial: what they are called, and what is said of them.
//!
//! Each is a directory below one root. Who may read and write it is what the access control lists
//! (acl(5)) in it say; the state store holds only what no file system does.

mod clone_uri;
mod fault;
mod name;
mod pull;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use clone_uri::{CloneUri, CloneUriError, Parts, Scheme, decoded};
pub use fault::{RepositoryFault, RepositoryField, RepositoryProblem};
pub use name::{RepositoryName, RepositoryNameError};
pub use pull::{PullEnd, PullOrder, PullSource, PullState, PullTicket, Pulled};

use crate::id::{AccountId, AccountRef};

/// The longest description, in characters.
pub const LONGEST_DESCRIPTION: usize = 1000;
/// The most entries for users and groups that one repository has; the lists of a file system hold no
/// more than a block of them.
pub const MOST_GRANTS: usize = 200;

/// Given once, never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepositoryId(pub u64);

impl fmt::Display for RepositoryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryKind {
    Git,
    Hg,
}

impl RepositoryKind {
    pub const ALL: [Self; 2] = [Self::Git, Self::Hg];

    /// Also that of the program.
    pub fn name(self) -> &'static str {
        match self {
            RepositoryKind::Git => "git",
            RepositoryKind::Hg => "hg",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What somebody may do with a repository, each more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    None,
    Read,
    Write,
    /// Write, and change the repository itself and who may what.
    Admin,
}

impl Access {
    pub const ALL: [Self; 4] = [Self::None, Self::Read, Self::Write, Self::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Access::None => "none",
            Access::Read => "read",
            Access::Write => "write",
            Access::Admin => "admin",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }
}

/// Who is given something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    User(AccountId),
    Group(AccountId),
    /// Everybody else who has an account.
    Others,
}

/// Whom something is to be given, as somebody calls them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GranteeRef {
    User(AccountRef),
    Group(AccountRef),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    pub id: RepositoryId,
    pub name: String,
    pub kind: RepositoryKind,
    pub description: String,
    /// `None`: the account was removed by another program.
    pub owner: Option<AccountId>,
    /// Of an owner that is gone, its uid.
    pub owner_name: String,
    /// Whether those who are given nothing may not read it.
    pub private: bool,
    /// Where a pull comes from, without what is secret in it.
    pub clone_uri: Option<String>,
    /// Seconds since 1970.
    pub created: u64,
    /// What the caller may do with it.
    pub access: Access,
    /// As the access control list has it; left out in lists.
    pub grants: Vec<RepositoryGrant>,
}

/// What the access control list of a repository gives; its owner is not among these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryGrant {
    pub grantee: Grantee,
    /// Empty for [`Grantee::Others`].
    pub name: String,
    pub access: Access,
}

/// A repository as somebody calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryRef {
    Id(RepositoryId),
    Name(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewRepository {
    pub name: RepositoryName,
    pub kind: RepositoryKind,
    pub owner: AccountRef,
    pub description: String,
    pub private: bool,
    pub clone_uri: Option<CloneUri>,
}

/// `None` where nothing changes. A clone URI as it is shown is the one that it stands for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RepositoryChange {
    pub description: Option<String>,
    pub private: Option<bool>,
    #[serde(default, with = "clone_uri::change")]
    pub clone_uri: Option<Option<CloneUri>>,
}
