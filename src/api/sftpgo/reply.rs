//! An answer of this dialect.

use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde::Serialize;

use super::text::text;
use crate::reply;

const JSON: &str = "application/json; charset=utf-8";

/// What is said where there is no object to show; always these three, in this order.
#[derive(Serialize)]
struct Said<'a> {
    error: &'a str,
    message: &'a str,
    status: u16,
}

#[derive(Debug)]
pub struct Reply(reply::Reply);

impl Reply {
    pub fn object(content: &impl Serialize) -> Self {
        Self::json(Status::Ok, content)
    }

    pub fn message(status: Status, message: &str) -> Self {
        Self::json(status, &Said { error: "", message, status: status.code })
    }

    pub fn error(status: Status, error: &str) -> Self {
        Self::json(status, &Said { error, message: "", status: status.code })
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self(self.0.with(name, value))
    }

    fn json(status: Status, content: &impl Serialize) -> Self {
        let headers = vec![("Cache-Control", "no-store".to_owned())];
        Self(reply::Reply { status, content_type: Some(JSON), body: text(content), headers })
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.0.respond_to(request)
    }
}
