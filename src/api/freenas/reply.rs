//! An answer of this dialect.

use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde::Serialize;

use super::json;
use crate::reply;

const HTML: &str = "text/html; charset=utf-8";

#[derive(Debug)]
pub struct Reply(reply::Reply);

impl Reply {
    pub fn json(status: Status, content: &impl Serialize) -> Self {
        let headers = vec![("Vary", "Accept".to_owned()), ("Cache-Control", "no-store".to_owned())];
        let content_type = Some("application/json");
        Self(reply::Reply { status, content_type, body: json::text(content), headers })
    }

    /// No body; a type all the same, as clients of this API have always seen it.
    pub fn empty(status: Status) -> Self {
        Self::text(status, "")
    }

    pub fn text(status: Status, body: &str) -> Self {
        Self(reply::Reply { status, content_type: Some(HTML), body: body.to_owned(), headers: Vec::new() })
    }

    /// 204: neither body nor type.
    pub fn no_content() -> Self {
        let status = Status::NoContent;
        Self(reply::Reply { status, content_type: None, body: String::new(), headers: Vec::new() })
    }

    pub fn unknown_path() -> Self {
        Self::text(Status::NotFound, "<h1>Not Found</h1><p>The requested URL was not found on this server.</p>")
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self(self.0.with(name, value))
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.0.respond_to(request)
    }
}
