//! What can be wrong with a request about a repository.

use serde::{Deserialize, Serialize};

use super::{CloneUriError, RepositoryNameError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryField {
    Name,
    Kind,
    Owner,
    Description,
    CloneUri,
    Grantee,
    Access,
}

impl RepositoryField {
    pub fn name(self) -> &'static str {
        match self {
            RepositoryField::Name => "name",
            RepositoryField::Kind => "kind",
            RepositoryField::Owner => "owner",
            RepositoryField::Description => "description",
            RepositoryField::CloneUri => "clone_uri",
            RepositoryField::Grantee => "grantee",
            RepositoryField::Access => "access",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryProblem {
    #[error("{0}")]
    Name(RepositoryNameError),
    #[error("{0}")]
    CloneUri(CloneUriError),
    #[error("lies below or above the repository {0}")]
    Nested(String),
    /// Something that is no repository of ours is at its place.
    #[error("is in use by something else in the directory of repositories")]
    InTheWay,
    /// Of a user who is to be deleted.
    #[error("can not be deleted: it owns the repository {0}")]
    Owns(String),
    #[error("owns the repository, and has everything already")]
    IsOwner,
    #[error("can be read by others, but not written")]
    OthersOnlyRead,
}

/// Why nothing was done with a repository, or a pull has brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryFault {
    #[error("no such repository")]
    NotFound,
    #[error("the file system of the repositories has no access control lists (acl(5))")]
    NoAcls,
    #[error("the directory of repositories can not be used: {0}")]
    NoRoot(String),
    #[error("{0} is not installed")]
    NoProgram(String),
    #[error("the repository could not be made: {0}")]
    NotMade(String),
    /// Another change of the same repository is under way.
    #[error("the repository is being changed")]
    BeingChanged,
    #[error("the repository is being pulled into already")]
    Pulling,
    #[error("the repository has no clone_uri to pull from")]
    NoCloneUri,
    #[error("pulls from URLs of the scheme {0} are not allowed")]
    SchemeNotAllowed(String),
    #[error("the pull has failed: {0}")]
    PullFailed(String),
    #[error("the pull has taken more than {0} seconds, and was ended")]
    PullTooLong(u64),
    /// accountd-login does not answer, or the owner's account is locked, expired or gone.
    #[error("the pull can not be run: {0}")]
    PullNotRun(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_called_the_same_on_the_wire_and_to_people() {
        use RepositoryField::{Access, CloneUri, Description, Grantee, Kind, Name, Owner};
        for field in [Name, Kind, Owner, Description, CloneUri, Grantee, Access] {
            assert_eq!(serde_json::to_value(field).unwrap(), field.name());
        }
    }
}
