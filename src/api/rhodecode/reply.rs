//! An answer of this dialect: what was asked for or what is wrong, never both, and the `id` that was sent.

use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder};
use serde_json::{Map, Value};

use super::error::Error;
use super::text::text;
use crate::reply;

#[derive(Debug)]
pub struct Reply(Value);

impl Reply {
    pub fn of(id: Option<Value>, done: Result<Value, Error>) -> Self {
        let (result, error) = match done {
            Ok(result) => (result, Value::Null),
            Err(error) => (Value::Null, Value::String(error.to_string())),
        };
        let id = id.map(|id| ("id", id));
        let members = id.into_iter().chain([("result", result), ("error", error)]);
        Self(Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()))
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let headers = vec![("Cache-Control", "no-store".to_owned())];
        let content_type = Some("application/json");
        reply::Reply { status: Status::Ok, content_type, body: text(&self.0), headers }.respond_to(request)
    }
}
