//! An answer of this dialect: nearly always HTTP 200, with a code in the body.

use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde::Serialize;

use super::error::Error;
use super::privacy;
use crate::reply;

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// What stands where AList has its web front end.
const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>accountd</title></head>\n\
                    <body><p>There is nothing here: this is the API of an account server.</p></body></html>\n";

/// A page of any site may ask: whoever asks has to bring a token, which no browser sends by itself.
const CROSS_ORIGIN: [(&str, &str); 3] = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "*"),
    ("Access-Control-Allow-Headers", "*"),
];

#[derive(Serialize)]
struct Envelope<'a, T> {
    code: u16,
    message: &'a str,
    data: T,
}

#[derive(Debug)]
pub struct Reply(reply::Reply);

impl Reply {
    /// With nothing to say but that it worked.
    pub fn success() -> Self {
        Self::data(&())
    }

    pub fn data(data: &impl Serialize) -> Self {
        Self::enveloped(200, "success", data)
    }

    pub fn error(error: &Error) -> Self {
        let (code, message) = error.code_and_message();
        Self::enveloped(code, &privacy::filtered(&message), &())
    }

    fn enveloped(code: u16, message: &str, data: &impl Serialize) -> Self {
        // Nothing that is shown here has keys but text.
        let body = serde_json::to_string(&Envelope { code, message, data }).unwrap_or_default();
        Self::of(Status::Ok, Some(JSON), body)
    }

    /// Where a front end would be.
    pub fn page() -> Self {
        Self::of(Status::Ok, Some(HTML), PAGE.to_owned())
    }

    pub fn text(status: Status, text: &str) -> Self {
        Self::of(status, Some(TEXT), text.to_owned())
    }

    pub fn empty(status: Status) -> Self {
        Self::of(status, None, String::new())
    }

    fn of(status: Status, content_type: Option<&'static str>, body: String) -> Self {
        let mut headers = vec![("Cache-Control", "no-store".to_owned())];
        headers.extend(CROSS_ORIGIN.map(|(name, value)| (name, value.to_owned())));
        Self(reply::Reply { status, content_type, body, headers })
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.0.respond_to(request)
    }
}
