//! The one place where a refusal gets its status and its shape.

use accountd_protocol::refusal::Refusal;
use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde_json::json;

use super::faults::{Faults, ItemFaults};
use super::form::Form;
use super::place::{Action, Kind, Place};
use super::reply::Reply;
use crate::body::BodyError;
use crate::caller::NoCaller;

/// Seconds after which a client may try again what could not be done now.
const RETRY_AFTER: &str = "5";
const CANNED: &str = "Sorry, this request could not be processed. Please try again later.";

#[derive(Debug)]
pub enum Error {
    Unauthenticated,
    /// Too many wrong passwords have come; for so many seconds.
    TooManyFailures(u64),
    /// What is wrong with the body as a whole.
    Json(&'static str),
    /// The media type of a body that is not JSON.
    Format(String),
    TooLarge,
    /// What is wrong with the query, HTML-escaped.
    Query(String),
    Fields {
        place: Place,
        faults: Faults,
    },
    /// What is wrong with objects of a list.
    Items(ItemFaults),
    NotFound(Place),
    /// The id in the path is no number.
    NotAnId,
    BuiltinDelete(Kind),
    /// Nobody would be left who can administer.
    LastAdministrator,
    /// Somebody else holds the account files, or everybody asks at once.
    Busy,
    AgentDown,
    NoSpace,
    Internal,
}

impl Error {
    /// What the core did not do, seen from where it was asked.
    pub fn at(place: Place, error: accountd_core::Error, form: &Form) -> Self {
        match error {
            accountd_core::Error::Refused(refusal) => Self::refused(place, refusal, form),
            accountd_core::Error::Saturated => Error::Busy,
            accountd_core::Error::TooLarge => Error::TooLarge,
            accountd_core::Error::AgentDown(error) => {
                tracing::error!(%error, "the agent does not answer");
                Error::AgentDown
            }
            error @ (accountd_core::Error::UnexpectedAnswer
            | accountd_core::Error::Random(_)
            | accountd_core::Error::Task(_)) => {
                tracing::error!(%error, "a request failed");
                Error::Internal
            }
        }
    }

    /// The same for a request with several objects, each of which was a form.
    pub fn of_items(place: Place, error: accountd_core::Error, forms: &[Form]) -> Self {
        let accountd_core::Error::Refused(Refusal::InvalidItems(items)) = error else {
            return Self::at(place, error, &Form::default());
        };
        let mut faults = ItemFaults::default();
        for item in items {
            if let Some(form) = forms.get(item.index) {
                faults.add(item.index, Faults::of(place, &item.invalid, form));
            }
        }
        Error::Items(faults)
    }

    fn refused(place: Place, refusal: Refusal, form: &Form) -> Self {
        match refusal {
            Refusal::Invalid(invalid) => Error::Fields { place, faults: Faults::of(place, &invalid, form) },
            Refusal::InvalidItems(items) => {
                let invalid: Vec<_> = items.into_iter().flat_map(|item| item.invalid).collect();
                Error::Fields { place, faults: Faults::of(place, &invalid, form) }
            }
            // No batch comes from here.
            Refusal::Unread(_) => Error::Internal,
            Refusal::NotFound => Error::NotFound(place),
            Refusal::TooManyFailures { seconds } => Error::TooManyFailures(seconds),
            Refusal::BadCredentials
            | Refusal::StaleHandle
            | Refusal::NotPermitted
            | Refusal::PasswordExpired
            | Refusal::CodeRequired
            | Refusal::WrongCode
            | Refusal::BadToken
            | Refusal::TokenExpired
            | Refusal::TokenVoid => Error::Unauthenticated,
            Refusal::BuiltinDelete => Error::BuiltinDelete(place.kind),
            Refusal::LastAdministrator => Error::LastAdministrator,
            // Nothing here is asked for with a precondition.
            Refusal::Busy | Refusal::Changed | Refusal::ScanRunning => Error::Busy,
            Refusal::NoSessions => Error::AgentDown,
            Refusal::NoSpace => Error::NoSpace,
            // Nothing here is about repositories.
            Refusal::Repository(_) => Error::Internal,
            Refusal::Internal(reason) => {
                tracing::error!(reason, "the agent failed");
                Error::Internal
            }
        }
    }

    fn status(&self) -> Status {
        match self {
            Error::Unauthenticated => Status::Unauthorized,
            Error::TooManyFailures(_) => Status::TooManyRequests,
            Error::Json(_) | Error::Format(_) | Error::Query(_) => Status::BadRequest,
            Error::TooLarge => Status::PayloadTooLarge,
            Error::Fields { place, .. } => match place.action {
                Action::Create | Action::Change | Action::Delete | Action::List | Action::Show | Action::Home => {
                    Status::Conflict
                }
                Action::Password | Action::Memberships => Status::BadRequest,
            },
            Error::Items(_) => Status::Conflict,
            Error::NotFound(_) | Error::NotAnId => Status::NotFound,
            Error::BuiltinDelete(_) | Error::LastAdministrator => Status::Conflict,
            Error::Busy | Error::AgentDown => Status::ServiceUnavailable,
            Error::NoSpace => Status::InsufficientStorage,
            Error::Internal => Status::InternalServerError,
        }
    }

    pub fn reply(&self) -> Reply {
        let status = self.status();
        let message = |text: &str| Reply::json(status, &json!({"error_message": text}));
        match self {
            Error::Unauthenticated => Reply::empty(status),
            Error::TooManyFailures(seconds) => {
                message("Too many failed logins. Please try again later.").with("Retry-After", seconds.to_string())
            }
            Error::Json(reason) => Reply::json(status, &json!({"error": reason})),
            Error::Query(reason) => Reply::json(status, &json!({"error": reason})),
            Error::Format(format) => message(&no_deserializer(format)),
            Error::TooLarge => message("The request is larger than this server accepts."),
            Error::Fields { faults, .. } => Reply::json(status, faults),
            Error::Items(faults) => Reply::json(status, faults),
            Error::NotFound(place) => not_found(*place),
            Error::LastAdministrator => message("[EINVAL] This is the last administrator who can log in"),
            Error::BuiltinDelete(Kind::User) => message("[EINVAL] Cannot delete a built-in user"),
            Error::BuiltinDelete(Kind::Group) => message("[EINVAL] Cannot delete a built-in group"),
            Error::Busy => {
                message("The account database is busy. Please try again later.").with("Retry-After", RETRY_AFTER)
            }
            Error::AgentDown => message(CANNED).with("Retry-After", RETRY_AFTER),
            Error::NoSpace => message("No space is left for the account database."),
            Error::NotAnId | Error::Internal => message(CANNED),
        }
    }
}

fn no_deserializer(format: &str) -> String {
    format!(
        "The format indicated '{format}' had no available deserialization method. \
         Please check your ``formats`` and ``content_types`` on your Serializer."
    )
}

/// What is missing is said in three ways, by what was to be done with it.
fn not_found(place: Place) -> Reply {
    match place.action {
        Action::List | Action::Show | Action::Password | Action::Memberships | Action::Home => {
            Reply::empty(Status::NotFound)
        }
        Action::Change => Reply::json(Status::NotFound, &"Object not found"),
        Action::Create | Action::Delete => Reply::json(Status::NotFound, &json!({"error_message": CANNED})),
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Format(format) => Error::Format(format),
            BodyError::Unreadable => Error::Json("Request body could not be read."),
            BodyError::TooLarge => Error::TooLarge,
        }
    }
}

impl From<NoCaller> for Error {
    fn from(error: NoCaller) -> Self {
        match error {
            NoCaller::NoCredential => Error::Unauthenticated,
            NoCaller::Core(error) => Error::at(Place::user(Action::Show), error, &Form::default()),
        }
    }
}

impl<'r> Responder<'r, 'static> for Error {
    /// The web console asks without wanting the browser's own dialog.
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let reply = self.reply();
        let from_console = request.headers().get_one("X-Requested-From") == Some("WebUI");
        match self {
            Error::Unauthenticated if !from_console => {
                reply.with("WWW-Authenticate", "Basic Realm=\"django-tastypie\"").respond_to(request)
            }
            _ => reply.respond_to(request),
        }
    }
}
