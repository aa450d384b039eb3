//! The one place where a refusal gets its code and its text.
//!
//! They are AList's, and OpenList's where that tells less to whoever guesses. What they do not know (a name that no
//! account can have, a service that does not answer) has texts of ours under the codes that there are.

use std::borrow::Cow;

use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};

use super::words;
use crate::body::BodyError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A body, or a part of a query, that can't be read, in the words of the library that reads it upstream.
    Unreadable(String),
    /// Members of the body that have to be there: struct and member.
    Required(Vec<(&'static str, &'static str)>),
    /// Nobody has shown anything, and there is no guest.
    GuestDisabled,
    /// A token that was never given out here, or is void.
    TokenInvalidated,
    TokenExpired,
    PasswordChanged,
    Disabled,
    NotAdmin,
    Guest(GuestDenied),
    /// At login: unknown, wrong, locked.
    BadCredentials,
    /// Of a second factor: missing, wrong or used.
    WrongCode,
    /// Of an authenticator that is to be confirmed.
    CodeNotConfirmed,
    PasswordExpired,
    TooManyFailures,
    LdapDisabled,
    /// An account that there is not, by its number or by its name.
    NoUser(NoUser),
    EmptyName,
    NameTaken,
    /// What AList never makes, changes or deletes.
    OfAdminOrGuest(OfAdminOrGuest),
    /// The number of a role that there is not.
    UnknownRole(i64),
    Key(KeyError),
    /// What is wrong with a user, in words.
    Invalid(String),
    NotPermitted(&'static str),
    LastAdministrator,
    /// There is nowhere to make a home.
    NoPool,
    FilesElsewhere,
    NoSuchObject,
    Busy,
    Down,
    NoSpace,
    Internal,
}

/// What is not for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestDenied {
    Profile,
    SecondFactor,
    Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUser {
    Id,
    Name,
    /// Whose keys were asked for.
    OfKeys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfAdminOrGuest {
    Create,
    Role,
    Disable,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    Incomplete,
    Unparsable,
    TitleTaken,
    BadId,
    BadUserId,
    /// Or another user's.
    NoKey,
}

impl Error {
    pub fn required(of: &'static str, member: &'static str) -> Self {
        Error::Required(vec![(of, member)])
    }

    /// The code of the envelope, and what it says.
    pub fn code_and_message(&self) -> (u16, Cow<'static, str>) {
        let (code, message) = match self {
            Error::Unreadable(reason) | Error::Invalid(reason) => return (400, reason.clone().into()),
            Error::Required(members) => return (400, required(members).into()),
            Error::UnknownRole(role) => return (400, format!("there is no role {role}").into()),
            Error::Guest(denied) => denied.code_and_message(),
            Error::NoUser(which) => which.code_and_message(),
            Error::OfAdminOrGuest(what) => what.code_and_message(),
            Error::Key(error) => error.code_and_message(),
            Error::GuestDisabled => (401, "Guest user is disabled, login please"),
            Error::TokenInvalidated => (401, "token is invalidated"),
            Error::TokenExpired => (401, "token is expired"),
            Error::PasswordChanged => (401, "Password has been changed, login please"),
            Error::Disabled => (401, "Current user is disabled, replace please"),
            Error::BadCredentials => (401, "Invalid username or password"),
            Error::WrongCode => (402, INVALID_CODE),
            Error::CodeNotConfirmed => (400, INVALID_CODE),
            Error::PasswordExpired => (403, "the password is too old: change it first, elsewhere"),
            Error::NotAdmin => (403, "You are not an admin"),
            Error::LdapDisabled => (403, "ldap is not enabled"),
            Error::NotPermitted(what) => (403, *what),
            Error::LastAdministrator => (403, "this is the last administrator who can log in"),
            Error::FilesElsewhere => (403, "files are not served here, but over SFTP"),
            Error::TooManyFailures => (429, TOO_MANY),
            Error::EmptyName => (500, "username is empty"),
            Error::NameTaken => (500, "UNIQUE constraint failed: x_users.username"),
            Error::NoPool => (500, "there is no pool in which a home could be made"),
            Error::NoSuchObject => (500, "object not found"),
            Error::Busy => (500, "the account files are in use, try again later"),
            Error::Down => (500, "a service does not answer, try again later"),
            Error::NoSpace => (500, "no space is left for the account files"),
            Error::Internal => (500, "internal error, the log says more"),
        };
        (code, message.into())
    }

    /// What the core did not do, where nothing can be missing but a user by its number.
    pub fn of(error: accountd_core::Error) -> Self {
        match error {
            accountd_core::Error::Refused(refusal) => Self::refused(refusal),
            accountd_core::Error::Saturated => Error::Busy,
            accountd_core::Error::TooLarge => Error::Unreadable("the request is larger than this server takes".into()),
            accountd_core::Error::AgentDown(error) => {
                tracing::error!(%error, "the agent does not answer");
                Error::Down
            }
            error @ (accountd_core::Error::UnexpectedAnswer
            | accountd_core::Error::Random(_)
            | accountd_core::Error::Task(_)) => {
                tracing::error!(%error, "a request failed");
                Error::Internal
            }
        }
    }

    /// The same at login, where the credential is what is refused.
    pub fn at_login(error: accountd_core::Error) -> Self {
        match error {
            accountd_core::Error::Refused(Refusal::NotPermitted | Refusal::NotFound) => Error::BadCredentials,
            error => match Self::of(error) {
                Error::TokenInvalidated => Error::BadCredentials,
                error => error,
            },
        }
    }

    fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(invalid) => Self::invalid(&invalid),
            Refusal::InvalidItems(items) => {
                Self::invalid(&items.into_iter().flat_map(|item| item.invalid).collect::<Vec<_>>())
            }
            // No batch comes from here.
            Refusal::Unread(_) => Error::Internal,
            Refusal::NotFound => Error::NoUser(NoUser::Id),
            Refusal::BadCredentials | Refusal::StaleHandle | Refusal::BadToken => Error::TokenInvalidated,
            Refusal::TokenExpired => Error::TokenExpired,
            Refusal::TokenVoid => Error::PasswordChanged,
            Refusal::CodeRequired | Refusal::WrongCode => Error::WrongCode,
            Refusal::PasswordExpired => Error::PasswordExpired,
            Refusal::TooManyFailures { .. } => Error::TooManyFailures,
            Refusal::NotPermitted => Error::NotPermitted("you are not permitted to do this"),
            Refusal::BuiltinDelete => Error::NotPermitted("a built-in account can not be deleted"),
            Refusal::LastAdministrator => Error::LastAdministrator,
            Refusal::Busy | Refusal::Changed => Error::Busy,
            // Nothing of these is asked for here.
            Refusal::ScanRunning | Refusal::Repository(_) => Error::Internal,
            Refusal::NoSessions => Error::Down,
            Refusal::NoSpace => Error::NoSpace,
            Refusal::Internal(reason) => {
                tracing::error!(reason, "the agent failed");
                Error::Internal
            }
        }
    }

    /// A user is looked at before it is seen whether its name is taken.
    fn invalid(invalid: &[Invalid]) -> Self {
        let is_taken = |problem: &Problem| matches!(problem, Problem::Duplicate(_) | Problem::CaseDuplicate(_));
        // A user's own group has its name, and can be what has it already.
        let is_of_the_name = |one: &Invalid| {
            matches!(one.field, Field::UserName | Field::PrimaryGroup | Field::GroupName) && is_taken(&one.problem)
        };
        let has = |field, fits: &dyn Fn(&Problem) -> bool| {
            invalid.iter().any(|one: &Invalid| one.field == field && fits(&one.problem))
        };
        match () {
            () if has(Field::Code, &|problem| *problem == Problem::Wrong) => Error::CodeNotConfirmed,
            () if has(Field::KeyTitle, &is_taken) => Error::Key(KeyError::TitleTaken),
            () if has(Field::SshKeys, &|problem| matches!(problem, Problem::BadKey { .. })) => {
                Error::Key(KeyError::Unparsable)
            }
            () if has(Field::UserName, &is_taken) && invalid.iter().all(is_of_the_name) => Error::NameTaken,
            () => Error::Invalid(words::of_all(invalid)),
        }
    }
}

const INVALID_CODE: &str = "Invalid 2FA code";
const TOO_MANY: &str = "Too many unsuccessful sign-in attempts have been made using an incorrect username or password, \
                        Try again later.";

impl GuestDenied {
    fn code_and_message(self) -> (u16, &'static str) {
        match self {
            GuestDenied::Profile => (403, "Guest user can not update profile"),
            GuestDenied::SecondFactor => (403, "Guest user can not generate 2FA code"),
            GuestDenied::Keys => (401, "user invalid"),
        }
    }
}

impl NoUser {
    fn code_and_message(self) -> (u16, &'static str) {
        match self {
            NoUser::Id => (500, "failed get old user: record not found"),
            NoUser::Name => (500, "failed find user: record not found"),
            NoUser::OfKeys => (404, "user invalid"),
        }
    }
}

impl OfAdminOrGuest {
    fn code_and_message(self) -> (u16, &'static str) {
        match self {
            OfAdminOrGuest::Create => (400, "admin or guest user can not be created"),
            OfAdminOrGuest::Role => (400, "role can not be changed"),
            OfAdminOrGuest::Disable => (400, "admin user can not be disabled"),
            OfAdminOrGuest::Delete => (500, "cannot delete admin or guest"),
        }
    }
}

impl KeyError {
    fn code_and_message(self) -> (u16, &'static str) {
        match self {
            KeyError::Incomplete => (400, "request invalid"),
            KeyError::Unparsable => (400, "provided key invalid"),
            KeyError::TitleTaken => (500, "key with the same title already exists"),
            KeyError::BadId => (400, "id format invalid"),
            KeyError::BadUserId => (400, "user id format invalid"),
            KeyError::NoKey => (404, "failed to get public key"),
        }
    }
}

fn required(members: &[(&'static str, &'static str)]) -> String {
    let line = |(of, member): &(&str, &str)| {
        format!("Key: '{of}.{member}' Error:Field validation for '{member}' failed on the 'required' tag")
    };
    members.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Format(_) | BodyError::Unreadable => Error::Unreadable("unexpected EOF".into()),
            BodyError::TooLarge => Error::Unreadable("http: request body too large".into()),
        }
    }
}
