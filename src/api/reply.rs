//! An answer as it goes out: status, body, headers. Dialects say what is in it.

use std::io::Cursor;

use rocket::http::{Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: Status,
    pub content_type: Option<&'static str>,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
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
