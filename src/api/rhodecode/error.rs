//! The one place where a refusal gets its words. There is one status for all.

use accountd_protocol::refusal::Refusal;

use crate::body::BodyError;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("No Content-Length in request")]
    NoLength,
    #[error("Content-Length is 0")]
    NothingSent,
    /// Why, without what was sent: there may be a password in it.
    #[error("JSON parse error ERR:{0}")]
    Unparsable(String),
    #[error("Incorrect JSON query missing '{0}'")]
    MissingMember(&'static str),
    #[error("Incorrect JSON query 'args' is not an object")]
    BadArguments,
    /// Unknown, revoked, or of an account that is not active.
    #[error("Invalid API KEY")]
    InvalidKey,
    #[error("too many failures: try again in {0} seconds")]
    TooManyFailures(u64),
    #[error("Method not allowed")]
    NotAllowed,
    #[error("No such method: {0}")]
    NoSuchMethod(String),
    #[error("Missing non optional `{0}` arg in JSON DATA")]
    MissingArgument(&'static str),
    #[error("Access was denied to this resource.")]
    Denied,
    #[error("Internal server error")]
    Internal,
    /// In the words of a method.
    #[error("{0}")]
    Said(String),
}

impl Error {
    /// What a method says where it has no words for what was refused.
    pub fn of(error: accountd_core::Error) -> Self {
        Self::in_words(error, || Error::Internal)
    }

    /// What a method says where the core has not done what was asked.
    pub fn or_said(said: String) -> impl FnOnce(accountd_core::Error) -> Self {
        move |error| Self::in_words(error, || Error::Said(said))
    }

    /// A refusal has words of the method, which say nothing about why: so the log does.
    fn in_words(error: accountd_core::Error, words: impl FnOnce() -> Self) -> Self {
        match error {
            accountd_core::Error::Refused(refusal) => Self::refused(&refusal).unwrap_or_else(|| {
                tracing::info!(?refusal, "a request was refused");
                words()
            }),
            error @ (accountd_core::Error::AgentDown(_)
            | accountd_core::Error::Saturated
            | accountd_core::Error::TooLarge
            | accountd_core::Error::UnexpectedAnswer
            | accountd_core::Error::Random(_)
            | accountd_core::Error::Task(_)) => {
                tracing::error!(%error, "a request failed");
                words()
            }
        }
    }

    /// What has the same words whichever the method is.
    fn refused(refusal: &Refusal) -> Option<Self> {
        match refusal {
            Refusal::NotPermitted => Some(Error::Denied),
            // Of the key: nothing else is shown here.
            Refusal::StaleHandle | Refusal::BadCredentials | Refusal::PasswordExpired => Some(Error::InvalidKey),
            Refusal::CodeRequired
            | Refusal::WrongCode
            | Refusal::BadToken
            | Refusal::TokenExpired
            | Refusal::TokenVoid => Some(Error::InvalidKey),
            Refusal::TooManyFailures { seconds } => Some(Error::TooManyFailures(*seconds)),
            Refusal::Invalid(_)
            | Refusal::InvalidItems(_)
            | Refusal::Unread(_)
            | Refusal::NotFound
            | Refusal::LastAdministrator
            | Refusal::Changed
            | Refusal::BuiltinDelete
            | Refusal::Busy
            | Refusal::ScanRunning
            | Refusal::NoSessions
            | Refusal::NoSpace
            | Refusal::Repository(_)
            | Refusal::Internal(_) => None,
        }
    }

    /// What has become of an API key.
    pub fn of_key(error: accountd_core::Error) -> Self {
        match error {
            accountd_core::Error::Refused(Refusal::NotPermitted) => Error::InvalidKey,
            error => Self::of(error),
        }
    }

    pub fn of_body(error: BodyError) -> Self {
        match error {
            BodyError::Format(_) | BodyError::Unreadable => Error::Unparsable("the body ends too early".into()),
            BodyError::TooLarge => Error::Unparsable("the body is larger than 1 MiB".into()),
        }
    }
}
