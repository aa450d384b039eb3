//! An answer of this dialect: status, body, headers.

use std::io::Cursor;

use rocket::http::{Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use serde::Serialize;

use super::json;

const HTML: &str = "text/html; charset=utf-8";

#[derive(Debug)]
pub struct Reply {
    status: Status,
    content_type: Option<&'static str>,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub fn json(status: Status, content: &impl Serialize) -> Self {
        let headers = vec![("Vary", "Accept".to_owned()), ("Cache-Control", "no-store".to_owned())];
        Self { status, content_type: Some("application/json"), body: json::text(content), headers }
    }

    /// No body; a type all the same, as clients of this API have always seen it.
    pub fn empty(status: Status) -> Self {
        Self::text(status, "")
    }

    pub fn text(status: Status, body: &str) -> Self {
        Self { status, content_type: Some(HTML), body: body.to_owned(), headers: Vec::new() }
    }

    /// 204: neither body nor type.
    pub fn no_content() -> Self {
        Self { status: Status::NoContent, content_type: None, body: String::new(), headers: Vec::new() }
    }

    pub fn unknown_path() -> Self {
        Self::text(Status::NotFound, "<h1>Not Found</h1><p>The requested URL was not found on this server.</p>")
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.status(self.status).sized_body(self.body.len(), Cursor::new(self.body));
        if let Some(content_type) = self.content_type {
            response.header(Header::new("Content-Type", content_type));
        }
        for (name, value) in self.headers {
            response.header(Header::new(name, value));
        }
        response.ok()
    }
}
