//! An answer of this dialect: what was asked for or what is wrong, never both, and the `id` that was sent.

use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde::Serialize;
use serde_json::Value;

use super::error::Error;
use super::text::text;
use crate::reply;

/// Always in this order.
#[derive(Debug, Serialize)]
pub struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    result: Value,
    error: Option<String>,
}

impl Reply {
    pub fn of(id: Option<Value>, done: Result<Value, Error>) -> Self {
        match done {
            Ok(result) => Self { id, result, error: None },
            Err(error) => Self { id, result: Value::Null, error: Some(error.to_string()) },
        }
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let headers = vec![("Cache-Control", "no-store".to_owned())];
        let content_type = Some("application/json");
        reply::Reply { status: Status::Ok, content_type, body: text(&self), headers }.respond_to(request)
    }
}
