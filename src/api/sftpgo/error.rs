//! The one place where a refusal gets its status and its shape.
//!
//! The texts and most statuses are SFTPGo's; 401, 413, 429 and 503 are ours, in its shape.

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};

use super::reply::Reply;
use super::words;
use crate::body::BodyError;
use crate::caller::NoCaller;

/// Seconds after which a client may try again what could not be done now.
const RETRY_AFTER: &str = "5";
const CHALLENGE: &str = "Basic realm=\"accountd\", charset=\"UTF-8\"";

#[derive(Debug)]
pub enum Error {
    Unauthenticated,
    /// The password is right, and is not enough.
    CodeRequired,
    WrongCode,
    /// The password is right, and too old for anything but being changed elsewhere.
    PasswordExpired,
    /// Too many wrong passwords have come; for so many seconds.
    TooManyFailures(u64),
    NotPermitted(&'static str),
    /// A query, a path or a body that can't be read, in SFTPGo's words.
    Malformed(String),
    TooLarge,
    /// The id in the body is not the one in the path.
    OtherId,
    /// What is wrong with a user, without the words that come before it.
    Validation(String),
    /// The name that is taken already.
    Duplicate(String),
    /// A user that is not there, in words.
    NoSuchUser(String),
    NoSuchConnection,
    ScanRunning,
    /// Somebody else holds the account files, or everybody asks at once.
    Busy,
    /// The agent or login does not answer.
    Down,
    NoSpace,
    Internal,
}

impl Error {
    pub fn no_user(id: AccountId) -> Self {
        Self::no_user_of_id(id.0)
    }

    pub fn no_user_of_id(id: impl std::fmt::Display) -> Self {
        Error::NoSuchUser(format!("user with ID {id} does not exist"))
    }

    pub fn no_user_named(name: &str) -> Self {
        Error::NoSuchUser(format!("username {name} does not exist"))
    }

    /// What the core did not do, where nothing can be missing but what is said by the caller itself.
    pub fn of(error: accountd_core::Error) -> Self {
        match error {
            accountd_core::Error::Refused(refusal) => Self::refused(refusal),
            accountd_core::Error::Saturated => Error::Busy,
            accountd_core::Error::TooLarge => Error::TooLarge,
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

    /// The same about a user: what is missing then is the user.
    pub fn about(id: AccountId) -> impl Fn(accountd_core::Error) -> Self {
        move |error| match error {
            accountd_core::Error::Refused(Refusal::NotFound) => Self::no_user(id),
            error => Self::of(error),
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
            Refusal::NotFound => Error::NoSuchUser("user does not exist".into()),
            Refusal::BadCredentials | Refusal::StaleHandle => Error::Unauthenticated,
            Refusal::BadToken | Refusal::TokenExpired | Refusal::TokenVoid => Error::Unauthenticated,
            Refusal::CodeRequired => Error::CodeRequired,
            Refusal::WrongCode => Error::WrongCode,
            Refusal::PasswordExpired => Error::PasswordExpired,
            Refusal::TooManyFailures { seconds } => Error::TooManyFailures(seconds),
            Refusal::NotPermitted => Error::NotPermitted("you are not permitted to do this"),
            Refusal::BuiltinDelete => Error::NotPermitted("a built-in account can not be deleted"),
            Refusal::LastAdministrator => Error::NotPermitted("this is the last administrator who can log in"),
            // Nothing here is asked for with a precondition.
            Refusal::Busy | Refusal::Changed => Error::Busy,
            Refusal::ScanRunning => Error::ScanRunning,
            Refusal::NoSessions => Error::Down,
            Refusal::NoSpace => Error::NoSpace,
            // Nothing here is about repositories.
            Refusal::Repository(_) => Error::Internal,
            Refusal::Internal(reason) => {
                tracing::error!(reason, "the agent failed");
                Error::Internal
            }
        }
    }

    /// A user is looked at before it is seen whether its name is taken.
    fn invalid(invalid: &[Invalid]) -> Self {
        let taken = |one: &&Invalid| one.field == Field::UserName && matches!(one.problem, Problem::Duplicate(_));
        let (duplicates, others): (Vec<_>, Vec<_>) = invalid.iter().partition(taken);
        match duplicates.first() {
            Some(Invalid { problem: Problem::Duplicate(name), .. }) if others.is_empty() => {
                Error::Duplicate(name.clone())
            }
            Some(_) | None => Error::Validation(words::of_all(&others)),
        }
    }

    fn status(&self) -> Status {
        match self {
            Error::Unauthenticated | Error::PasswordExpired | Error::CodeRequired | Error::WrongCode => {
                Status::Unauthorized
            }
            Error::TooManyFailures(_) => Status::TooManyRequests,
            Error::NotPermitted(_) => Status::Forbidden,
            Error::Malformed(_) | Error::OtherId | Error::Validation(_) => Status::BadRequest,
            Error::TooLarge => Status::PayloadTooLarge,
            Error::NoSuchUser(_) | Error::NoSuchConnection => Status::NotFound,
            Error::ScanRunning => Status::Conflict,
            Error::Busy | Error::Down => Status::ServiceUnavailable,
            Error::Duplicate(_) | Error::NoSpace | Error::Internal => Status::InternalServerError,
        }
    }

    pub fn reply(&self) -> Reply {
        let status = self.status();
        let error = |text: &str| Reply::error(status, text);
        match self {
            Error::Unauthenticated => error("Unauthorized").with("WWW-Authenticate", CHALLENGE),
            Error::CodeRequired => {
                error("a code is needed: send it as X-Accountd-OTP").with("WWW-Authenticate", CHALLENGE)
            }
            Error::WrongCode => error("the code is wrong, or was used before").with("WWW-Authenticate", CHALLENGE),
            Error::PasswordExpired => error("the password has to be changed first").with("WWW-Authenticate", CHALLENGE),
            Error::TooManyFailures(seconds) => {
                error("too many failed logins, try again later").with("Retry-After", seconds.to_string())
            }
            Error::NotPermitted(reason) => error(reason),
            Error::Malformed(reason) => error(reason),
            Error::TooLarge => error("the request is larger than this server takes"),
            Error::OtherId => {
                Reply::message(status, "user ID in request body does not match user ID in path parameter")
            }
            Error::Validation(reason) => error(&format!("Validation error: {reason}")),
            Error::Duplicate(name) => error(&format!("username '{name}' already exists")),
            Error::NoSuchUser(which) => error(&format!("Not found: {which}")),
            Error::NoSuchConnection => Reply::message(status, "Not Found"),
            Error::ScanRunning => Reply::message(status, "Another scan is already in progress"),
            Error::Busy => error("the account files are in use, try again later").with("Retry-After", RETRY_AFTER),
            Error::Down => error("a service does not answer, try again later").with("Retry-After", RETRY_AFTER),
            Error::NoSpace => error("no space is left for the account files"),
            Error::Internal => error("internal error, the log says more"),
        }
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Format(_) | BodyError::Unreadable => Error::Malformed("unexpected EOF".into()),
            BodyError::TooLarge => Error::TooLarge,
        }
    }
}

impl From<NoCaller> for Error {
    fn from(error: NoCaller) -> Self {
        match error {
            NoCaller::NoCredential => Error::Unauthenticated,
            NoCaller::Core(error) => Error::of(error),
        }
    }
}

impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.reply().respond_to(request)
    }
}
