//! Why the agent did not do what it was asked: which field, and what is wrong with it.
//!
//! Dialects word these in their own way and choose the status; the agent never sends a status.

use serde::{Deserialize, Serialize};

use crate::key_advice::{KeyAdvice, RepairFault};
use crate::name::NameError;
use crate::policy::PasswordRule;
use crate::removal::HomeStays;
use crate::repository::{RepositoryFault, RepositoryField, RepositoryProblem};
use crate::sudo::SudoProblem;
use crate::text::TextError;

/// What a request may be wrong about. Dialects map these to their own field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    UserName,
    Uid,
    FullName,
    Email,
    Home,
    HomeMode,
    Shell,
    Password,
    PasswordHash,
    PrimaryGroup,
    Groups,
    SshKeys,
    GroupName,
    Gid,
    Sudo,
    Locked,
    PasswordDisabled,
    MinDays,
    MaxDays,
    WarnDays,
    InactiveDays,
    Expires,
    MustChange,
    CurrentPassword,
    RandomPassword,
    Rule(PasswordRule),
    EndProcesses,
    Members,
    /// What an API key is called.
    ApiKeyName,
    Roles,
    /// How many API keys there are.
    ApiKeys,
    Limit(LimitField),
    /// The items of a batch as a whole.
    Items,
    /// A backup as a whole.
    Backup,
    /// Names of accounts that an import is told to leave out, or how to take over.
    Skip,
    Accounts,
    /// A code of an authenticator.
    Code,
    /// The secret of one, that is to be confirmed.
    CodeSecret,
    /// How long a login token is to be good.
    Lifetime,
    /// Of a request about a repository.
    Repository(RepositoryField),
    /// What an SSH key is called.
    KeyTitle,
}

/// A limit by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitField {
    Quota,
    Sessions,
    Bandwidth,
    Permissions,
    Idle,
    Networks,
    Root,
    Echo,
}

impl LimitField {
    pub fn name(self) -> &'static str {
        match self {
            LimitField::Quota => "quota",
            LimitField::Sessions => "max_sessions",
            LimitField::Bandwidth => "bandwidth",
            LimitField::Permissions => "permissions",
            LimitField::Idle => "idle_timeout",
            LimitField::Networks => "allowed_networks",
            LimitField::Root => "session_root",
            LimitField::Echo => "echo",
        }
    }
}

/// What is wrong with a field's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    #[error("is required")]
    Required,
    #[error("must be left out here")]
    MustBeAbsent,
    #[error("{0}")]
    Name(NameError),
    #[error("{0}")]
    Text(TextError),
    #[error("is already in use: {0}")]
    Duplicate(String),
    #[error("differs only in case from the existing name {0}")]
    CaseDuplicate(String),
    #[error("is reserved")]
    Reserved,
    /// subuid(5), subgid(5): whose it is.
    #[error("is in the subordinate range of {0}")]
    Subordinate(String),
    #[error("can not be chosen: none is free")]
    NoneFree,
    #[error("belongs to a service of this system")]
    ServiceAccount,
    #[error("can not be changed on a built-in account")]
    Builtin,
    #[error("does not exist: {0}")]
    NoSuch(String),
    #[error("is not one of the login shells of this system")]
    NotAShell,
    #[error("must lie below one of: {0}")]
    OutsideRoots(String),
    /// fstab(5) names it.
    #[error("lies below {0}, where something has to be mounted and nothing is")]
    NotMounted(String),
    #[error("must not be a root of the pool itself")]
    PoolRoot,
    #[error("exists and is not a directory")]
    NotADirectory,
    #[error("exists and belongs to somebody else")]
    NotOwned,
    #[error("can not be done: the uid is that of {0} too")]
    SharedUid(String),
    #[error("is used by {0}")]
    InUse(String),
    #[error("must be an octal mode from 0 to 777 that lets the owner read and enter")]
    BadMode,
    #[error("has more than {max} entries (it has {actual})")]
    TooMany { max: usize, actual: usize },
    #[error("is longer than {max} bytes (it has {actual})")]
    TooLong { max: usize, actual: usize },
    #[error("is longer than {max} characters (it has {actual})")]
    TooManyCharacters { max: usize, actual: usize },
    #[error("is not in the future")]
    Past,
    #[error("contains a newline, NUL or another control character")]
    ControlCharacters,
    #[error("is not a password hash that can be verified here")]
    BadHash,
    #[error("line {line} is not a public key: {reason}")]
    BadKey { line: usize, reason: String },
    #[error("can not be kept in a home that is not writable")]
    HomeNotWritable,
    #[error("can not be granted to a name that sudoers can not hold")]
    NotForSudoers,
    #[error("can not be granted: {0}")]
    NoSudo(String),
    #[error("{0}")]
    SudoCommand(SudoProblem),
    /// Another list could not be written without losing what somebody has put there.
    #[error("has a drop-in that was changed by hand: take the grant away first")]
    SudoByHand,
    #[error("can not be changed while the home is being transferred")]
    TransferRunning,
    #[error("can not be moved: the home of {0} lies in it")]
    HoldsHome(String),
    #[error("has a soft limit above the hard one")]
    SoftAboveHard,
    #[error("must not be 0")]
    Zero,
    #[error("is more than {0}")]
    TooLarge(u64),
    #[error("must be an absolute path without '..', or one in the home that begins with '~/'")]
    NotAPlainPath,
    #[error("is not the present password")]
    Wrong,
    #[error("is the present password")]
    Unchanged,
    #[error("can not be changed yet: it was changed too short a time ago")]
    TooEarly,
    #[error("is shorter than {0} characters")]
    TooShort(u16),
    #[error("needs {0} of: lower case letters, upper case letters, digits, other characters")]
    TooFewClasses(u8),
    #[error("is one of the last {0} passwords")]
    Recent(u8),
    #[error("is not from {least} to {most}")]
    NotFrom { least: u32, most: u32 },
    #[error("is more than {0}")]
    MoreThan(u32),
    #[error("is less than the days between two changes")]
    LessThanMinDays,
    #[error("is not supported")]
    Unsupported,
    /// Of roles, and where they come from.
    #[error("can not be so: the group {0} gives others")]
    GivenBy(String),
    #[error("is the user of another item too")]
    Twice,
    #[error("is damaged: its content is not the one that its SHA-256 was made of")]
    Damaged,
    #[error("is set to {0} here")]
    SetOtherwise(u32),
    #[error("can not be removed: it {0}")]
    HomeStays(HomeStays),
    /// What keeps keys from being written, read or made to count.
    #[error("{} keeps keys from counting: {:?}", .0.path, .0.fault)]
    Keys(KeyAdvice),
    #[error("{path} can not be repaired: {fault}")]
    NotRepairable { path: String, fault: RepairFault },
    /// Of the secret of an authenticator.
    #[error("was not begun, or too long ago: begin again")]
    NotBegun,
    #[error("{0}")]
    Repository(RepositoryProblem),
}

/// One field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    pub field: Field,
    pub problem: Problem,
}

/// What is wrong with one object of a request that has several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidItem {
    /// Counted from 0, in the order of the request.
    pub index: usize,
    pub invalid: Vec<Invalid>,
}

/// A value that a dialect could not take, in the dialect's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    pub field: String,
    pub code: String,
    pub message: String,
}

/// Why a request changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Every field that is wrong, not only the first.
    #[error("invalid request")]
    Invalid(Vec<Invalid>),
    /// Every object that is wrong.
    #[error("invalid request")]
    InvalidItems(Vec<InvalidItem>),
    /// One item of a batch, whose values came so that the agent could not be asked.
    #[error("invalid request")]
    Unread(Vec<Unread>),
    #[error("no such account")]
    NotFound,
    /// Unknown user, wrong password, locked: the caller is not told which.
    #[error("authentication failed")]
    BadCredentials,
    /// Nothing was looked at: too many wrong passwords have come before.
    #[error("too many failures: try again in {seconds} seconds")]
    TooManyFailures { seconds: u64 },
    /// The handle is unknown, too old, or its account has changed: send the credentials again.
    #[error("the caller must authenticate again")]
    StaleHandle,
    #[error("not permitted")]
    NotPermitted,
    /// The password was right, and is too old for anything but being changed.
    #[error("the password has to be changed first")]
    PasswordExpired,
    /// Nobody would be left who can show a password and is an administrator.
    #[error("it is the last administrator who can log in")]
    LastAdministrator,
    /// The account is not as the request's precondition has it.
    #[error("the account has changed")]
    Changed,
    #[error("a built-in account can not be deleted")]
    BuiltinDelete,
    /// Another program held the password lock for longer than the deadline, or a source of NSS
    /// that may have what was asked for gave no answer.
    #[error("the account files are locked by another program, or a source of names does not answer")]
    Busy,
    /// A scan of this user is on its way already.
    #[error("another scan is already in progress")]
    ScanRunning,
    /// `accountd-login` does not answer.
    #[error("sessions can not be asked about now")]
    NoSessions,
    #[error("no space left for the account files")]
    NoSpace,
    /// The password was right, and is not enough: the account has a second factor.
    #[error("a code is needed")]
    CodeRequired,
    /// The password was right; the code is wrong, or was used before.
    #[error("the code is wrong")]
    WrongCode,
    /// It was never given out here, or it was revoked.
    #[error("the token is void")]
    BadToken,
    #[error("the token is expired")]
    TokenExpired,
    /// The account's password, second factor or name is another since it was given out.
    #[error("the account has changed since the token was given out")]
    TokenVoid,
    #[error("{0}")]
    Repository(RepositoryFault),
    /// The public half of an internal error; the agent has logged the rest.
    #[error("{0}")]
    Internal(String),
}

impl Refusal {
    pub fn invalid(field: Field, problem: Problem) -> Self {
        Refusal::Invalid(vec![Invalid { field, problem }])
    }

    /// The fields of a request about one object; `None` for any other refusal.
    pub fn invalid_fields(&self) -> Option<&[Invalid]> {
        match self {
            Refusal::Invalid(invalid) => Some(invalid),
            Refusal::InvalidItems(_)
            | Refusal::Unread(_)
            | Refusal::NotFound
            | Refusal::BadCredentials
            | Refusal::TooManyFailures { .. }
            | Refusal::StaleHandle
            | Refusal::NotPermitted
            | Refusal::PasswordExpired
            | Refusal::LastAdministrator
            | Refusal::Changed
            | Refusal::BuiltinDelete
            | Refusal::Busy
            | Refusal::ScanRunning
            | Refusal::NoSessions
            | Refusal::NoSpace
            | Refusal::CodeRequired
            | Refusal::WrongCode
            | Refusal::BadToken
            | Refusal::TokenExpired
            | Refusal::TokenVoid
            | Refusal::Repository(_)
            | Refusal::Internal(_) => None,
        }
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Problem::Name(error)
    }
}

impl From<TextError> for Problem {
    fn from(error: TextError) -> Self {
        Problem::Text(error)
    }
}

impl From<RepositoryProblem> for Problem {
    fn from(problem: RepositoryProblem) -> Self {
        Problem::Repository(problem)
    }
}

impl From<RepositoryFault> for Refusal {
    fn from(fault: RepositoryFault) -> Self {
        Refusal::Repository(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_name_of_its_own() {
        let named = [
            (LimitField::Quota, "quota"),
            (LimitField::Sessions, "max_sessions"),
            (LimitField::Bandwidth, "bandwidth"),
            (LimitField::Permissions, "permissions"),
            (LimitField::Idle, "idle_timeout"),
            (LimitField::Networks, "allowed_networks"),
            (LimitField::Root, "session_root"),
            (LimitField::Echo, "echo"),
        ];
        for (limit, name) in named {
            assert_eq!(limit.name(), name);
        }
    }
}
