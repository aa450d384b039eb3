//! The one place where a refusal gets its status and its problem type (RFC 9457).

use std::borrow::Cow;

use accountd_core::Error as CoreError;
use accountd_protocol::refusal::{Invalid, Refusal};
use accountd_protocol::repository::RepositoryFault;
use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde_json::{Value, json};

use super::faults::{Conflict, Fault, Kind};
use crate::body::BodyError;
use crate::caller::{CODE_HEADER, NoCaller};
use crate::reply::Reply;

/// Seconds after which a client may try again what could not be done now.
const RETRY_AFTER: &str = "5";
/// How a caller can say who it is (RFC 9110, 11.6.1).
const CHALLENGES: &str = "Basic realm=\"accountd\", charset=\"UTF-8\", Bearer realm=\"accountd\"";

#[derive(Debug)]
pub enum Error {
    Unauthenticated,
    /// The password is right, and is not enough.
    CodeRequired,
    /// The password is right, and the code is not, or not any more.
    WrongCode,
    /// Too many wrong passwords have come; for so many seconds.
    TooManyFailures(String),
    NotPermitted,
    /// What there is none of.
    NotFound(&'static str),
    /// The methods that there are.
    Method(String),
    /// What is wrong with the request as a whole.
    Malformed(String),
    /// The media type of a body that is not JSON.
    Format(String),
    TooLarge,
    /// Parameters of the query.
    Query(Vec<Fault>),
    /// Fields of the body.
    Fields(Vec<Fault>),
    /// The account is not as `If-Match` has it.
    Changed,
    /// Another request had this `Idempotency-Key`.
    KeyReused,
    /// A request with this `Idempotency-Key` is not answered yet.
    KeyInUse,
    ScanRunning,
    Builtin,
    /// The password is good for nothing but being changed.
    PasswordExpired,
    /// Nobody would be left who can administer.
    LastAdministrator,
    /// Somebody else holds the account files.
    Busy,
    /// The agent does not answer, or everybody asks at once.
    Unavailable,
    NoSpace,
    /// What is the matter with a repository.
    Repository(RepositoryFault),
    Internal,
}

impl Error {
    /// What the core did not do with an account of this kind.
    pub fn of(kind: Kind, error: CoreError) -> Self {
        match error {
            CoreError::Refused(refusal) => Self::refused(kind, refusal),
            CoreError::Saturated => Error::Unavailable,
            CoreError::TooLarge => Error::TooLarge,
            CoreError::AgentDown(error) => {
                tracing::error!(%error, "the agent does not answer");
                Error::Unavailable
            }
            error @ (CoreError::UnexpectedAnswer | CoreError::Random(_) | CoreError::Task(_)) => {
                tracing::error!(%error, "a request failed");
                Error::Internal
            }
        }
    }

    pub fn refused(kind: Kind, refusal: Refusal) -> Self {
        let fields = |invalid: Vec<Invalid>| Error::Fields(invalid.iter().map(|one| Fault::of(kind, one)).collect());
        match refusal {
            Refusal::Invalid(invalid) => fields(invalid),
            Refusal::InvalidItems(items) => fields(items.into_iter().flat_map(|item| item.invalid).collect()),
            Refusal::Unread(faults) => Error::Fields(faults.into_iter().map(Fault::read).collect()),
            Refusal::NotFound => Error::NotFound(kind.word()),
            Refusal::BadCredentials | Refusal::StaleHandle => Error::Unauthenticated,
            Refusal::TooManyFailures { seconds } => Error::TooManyFailures(seconds.to_string()),
            Refusal::NotPermitted => Error::NotPermitted,
            Refusal::Changed => Error::Changed,
            Refusal::PasswordExpired => Error::PasswordExpired,
            Refusal::LastAdministrator => Error::LastAdministrator,
            Refusal::BuiltinDelete => Error::Builtin,
            Refusal::Busy => Error::Busy,
            Refusal::ScanRunning => Error::ScanRunning,
            Refusal::NoSessions => Error::Unavailable,
            Refusal::NoSpace => Error::NoSpace,
            Refusal::CodeRequired => Error::CodeRequired,
            Refusal::WrongCode => Error::WrongCode,
            Refusal::BadToken | Refusal::TokenExpired | Refusal::TokenVoid => Error::Unauthenticated,
            Refusal::Repository(RepositoryFault::NotFound) => Error::NotFound(Kind::Repository.word()),
            Refusal::Repository(fault) => Error::Repository(fault),
            Refusal::Internal(reason) => {
                tracing::error!(reason, "the agent failed");
                Error::Internal
            }
        }
    }

    fn status(&self) -> Status {
        match self {
            Error::Unauthenticated | Error::CodeRequired | Error::WrongCode => Status::Unauthorized,
            Error::TooManyFailures(_) => Status::TooManyRequests,
            Error::NotPermitted | Error::PasswordExpired => Status::Forbidden,
            Error::NotFound(_) => Status::NotFound,
            Error::Method(_) => Status::MethodNotAllowed,
            Error::Malformed(_) | Error::Query(_) => Status::BadRequest,
            Error::Format(_) => Status::UnsupportedMediaType,
            Error::TooLarge => Status::PayloadTooLarge,
            Error::Fields(faults) if are_conflicts(faults) => Status::Conflict,
            Error::Fields(_) | Error::KeyReused => Status::UnprocessableEntity,
            Error::Changed => Status::PreconditionFailed,
            Error::ScanRunning | Error::KeyInUse | Error::Builtin | Error::LastAdministrator => Status::Conflict,
            Error::Busy => Status::Locked,
            Error::Unavailable => Status::ServiceUnavailable,
            Error::NoSpace => Status::InsufficientStorage,
            Error::Repository(fault) => repository_status(fault),
            Error::Internal => Status::InternalServerError,
        }
    }

    /// `type` and `title`: the same for ever.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Error::Unauthenticated => ("unauthenticated", "Say who you are"),
            Error::CodeRequired => ("two-factor-required", "A code of your authenticator is needed"),
            Error::WrongCode => ("two-factor-wrong", "The code is wrong"),
            Error::TooManyFailures(_) => ("too-many-failures", "Too many wrong passwords have come"),
            Error::NotPermitted => ("not-permitted", "You may not do this"),
            Error::NotFound(_) => ("not-found", "There is nothing here"),
            Error::Method(_) => ("method-not-allowed", "This can not be done here"),
            Error::Malformed(_) => ("malformed-request", "The request can not be read"),
            Error::Query(_) => ("invalid-query", "The query has parameters that are no good"),
            Error::Format(_) => ("unsupported-media-type", "The body has to be application/json"),
            Error::TooLarge => ("too-large", "The request is too large"),
            Error::Fields(faults) if are_conflicts(faults) => ("conflict", "Something that exists is in the way"),
            Error::Fields(_) => ("invalid-values", "The body has values that are no good"),
            Error::Changed => ("precondition-failed", "It is not as If-Match has it"),
            Error::KeyReused => ("idempotency-key-reused", "Another request had this Idempotency-Key"),
            Error::ScanRunning => ("scan-running", "A scan of this user is on its way already"),
            Error::KeyInUse => ("idempotency-key-in-use", "A request with this Idempotency-Key is under way"),
            Error::Builtin => ("builtin", "A built-in account can not be deleted"),
            Error::PasswordExpired => ("password-expired", "The password has to be changed first"),
            Error::LastAdministrator => ("last-administrator", "It is the last administrator who can log in"),
            Error::Busy => ("busy", "The account files are locked by another program"),
            Error::Unavailable => ("unavailable", "The service can not answer now"),
            Error::NoSpace => ("no-space", "No space is left for the account files"),
            Error::Repository(fault) => repository_words(fault),
            Error::Internal => ("internal", "Something went wrong here"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Error::NotFound(what) => format!("No such {what}."),
            Error::Method(allowed) => format!("What can be done here: {allowed}."),
            Error::Malformed(reason) => reason.clone(),
            Error::Format(format) => format!("It is {format}."),
            Error::Query(faults) | Error::Fields(faults) => {
                let all: Vec<String> =
                    faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
                format!("{}.", all.join("; "))
            }
            Error::Changed => "Get it again, and decide anew.".into(),
            Error::KeyReused => "Take a fresh key for each request that is not a repetition.".into(),
            Error::ScanRunning => "Wait for it, or cancel it.".into(),
            Error::KeyInUse | Error::Busy => "Nothing has been changed. Try again later.".into(),
            Error::Unavailable => "Try again later; look first whether a change has been made.".into(),
            Error::Unauthenticated => "The credential is missing or wrong.".into(),
            Error::CodeRequired => "Send it with the password, as X-Accountd-OTP.".into(),
            Error::WrongCode => "Each code is good once: wait for the next one.".into(),
            Error::TooManyFailures(seconds) => format!("Nothing has been looked at. Try again in {seconds} seconds."),
            Error::PasswordExpired => "PUT it to /api/v2/users/~/password, with the present one as current.".into(),
            Error::TooLarge | Error::NotPermitted | Error::Builtin | Error::LastAdministrator | Error::NoSpace => {
                "Nothing has been changed.".into()
            }
            Error::Repository(fault) => sentence(&fault.to_string()),
            Error::Internal => "The log of the service says more.".into(),
        }
    }

    fn faults(&self) -> Cow<'_, [Fault]> {
        let code = |code, message: &str| Cow::Owned(vec![Fault::new(CODE_HEADER, code, message.to_owned())]);
        match self {
            Error::Query(faults) | Error::Fields(faults) => Cow::Borrowed(faults),
            Error::CodeRequired => code("two_factor_required", "is needed"),
            Error::WrongCode => code("two_factor_wrong", "is wrong, or was used before"),
            Error::Unauthenticated
            | Error::TooManyFailures(_)
            | Error::NotPermitted
            | Error::NotFound(_)
            | Error::Method(_)
            | Error::Malformed(_)
            | Error::Format(_)
            | Error::TooLarge
            | Error::Changed
            | Error::KeyReused
            | Error::KeyInUse
            | Error::ScanRunning
            | Error::Builtin
            | Error::PasswordExpired
            | Error::LastAdministrator
            | Error::Busy
            | Error::Unavailable
            | Error::NoSpace
            | Error::Repository(_)
            | Error::Internal => Cow::Borrowed(&[]),
        }
    }

    /// A header that goes with a status.
    fn header(&self) -> Option<(&'static str, &str)> {
        match self {
            Error::Unauthenticated | Error::CodeRequired | Error::WrongCode => Some(("WWW-Authenticate", CHALLENGES)),
            Error::Method(allowed) => Some(("Allow", allowed)),
            Error::TooManyFailures(seconds) => Some(("Retry-After", seconds)),
            Error::KeyInUse | Error::Busy | Error::Unavailable => Some(("Retry-After", RETRY_AFTER)),
            Error::NotPermitted
            | Error::NotFound(_)
            | Error::ScanRunning
            | Error::Malformed(_)
            | Error::Format(_)
            | Error::TooLarge
            | Error::Query(_)
            | Error::Fields(_)
            | Error::Changed
            | Error::KeyReused
            | Error::Builtin
            | Error::PasswordExpired
            | Error::LastAdministrator
            | Error::NoSpace
            | Error::Repository(_)
            | Error::Internal => None,
        }
    }

    /// As an object of its own.
    pub fn problem(&self) -> Value {
        let (status, (kind, title)) = (self.status(), self.words());
        let (detail, errors) = (self.detail(), self.faults());
        json!({"type": kind, "title": title, "status": status.code, "detail": detail, "errors": errors})
    }

    /// What is wrong, as faults of one item of a list.
    pub fn in_item(&self, index: usize) -> Vec<Fault> {
        let conflict = if self.status() == Status::Conflict { Conflict::WithWhatExists } else { Conflict::No };
        match self {
            Error::Fields(faults) => {
                let of = |fault: &Fault| Fault { field: format!("[{index}].{}", fault.field), ..fault.clone() };
                faults.iter().map(of).collect()
            }
            _ => vec![Fault { conflict, ..Fault::new(format!("[{index}]"), self.words().0, self.detail()) }],
        }
    }

    pub fn reply(&self) -> Reply {
        let (status, problem) = (self.status(), self.problem());
        let reply = Reply {
            status,
            content_type: Some("application/problem+json"),
            body: problem.to_string(),
            headers: vec![("Cache-Control", "no-store".to_owned())],
        };
        match self.header() {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        }
    }
}

fn repository_status(fault: &RepositoryFault) -> Status {
    match fault {
        RepositoryFault::NotFound => Status::NotFound,
        RepositoryFault::NoAcls | RepositoryFault::NoRoot(_) | RepositoryFault::NoProgram(_) => {
            Status::ServiceUnavailable
        }
        RepositoryFault::NotMade(_) => Status::InternalServerError,
        RepositoryFault::BeingChanged
        | RepositoryFault::Pulling
        | RepositoryFault::NoCloneUri
        | RepositoryFault::SchemeNotAllowed(_)
        | RepositoryFault::PullNotRun(_) => Status::Conflict,
        RepositoryFault::PullFailed(_) => Status::BadGateway,
        RepositoryFault::PullTooLong(_) => Status::GatewayTimeout,
    }
}

fn repository_words(fault: &RepositoryFault) -> (&'static str, &'static str) {
    match fault {
        RepositoryFault::NotFound => ("not-found", "There is nothing here"),
        RepositoryFault::NoAcls | RepositoryFault::NoRoot(_) | RepositoryFault::NoProgram(_) => {
            ("no-repositories", "Repositories can not be kept here")
        }
        RepositoryFault::NotMade(_) => ("repository-not-made", "The repository could not be made"),
        RepositoryFault::BeingChanged => ("repository-busy", "The repository is being changed"),
        RepositoryFault::Pulling => ("pull-running", "A pull of this repository is under way already"),
        RepositoryFault::NoCloneUri | RepositoryFault::SchemeNotAllowed(_) => {
            ("no-clone-uri", "There is nowhere to pull from")
        }
        RepositoryFault::PullNotRun(_) => ("pull-not-run", "The pull can not be run"),
        RepositoryFault::PullFailed(_) => ("pull-failed", "The pull has failed"),
        RepositoryFault::PullTooLong(_) => ("pull-too-long", "The pull has taken too long"),
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase()).into_iter();
    let sentence: String = first.chain(letters).collect();
    format!("{}.", sentence.trim_end_matches('.'))
}

/// Where one value is no good by itself, the request has to be changed first of all.
fn are_conflicts(faults: &[Fault]) -> bool {
    faults.iter().all(|fault| fault.conflict == Conflict::WithWhatExists)
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Format(format) => Error::Format(format),
            BodyError::Unreadable => Error::Malformed("The body could not be read.".into()),
            BodyError::TooLarge => Error::TooLarge,
        }
    }
}

impl From<NoCaller> for Error {
    fn from(error: NoCaller) -> Self {
        match error {
            NoCaller::NoCredential => Error::Unauthenticated,
            NoCaller::Core(error) => Error::of(Kind::User, error),
        }
    }
}

impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.reply().respond_to(request)
    }
}
