//! Answers of this dialect that are no problems.

use accountd_protocol::precondition::Tag;
use rocket::http::Status;
use serde::Serialize;
use serde_json::json;

use crate::reply::Reply;

pub fn json(status: Status, content: &impl Serialize) -> Reply {
    Reply {
        status,
        content_type: Some("application/json"),
        body: json!(content).to_string(),
        headers: vec![("Cache-Control", "no-store".to_owned())],
    }
}

/// A single resource, with its `ETag` (RFC 9110, 8.8.3).
pub fn tagged(status: Status, content: &impl Serialize, tag: Option<&Tag>) -> Reply {
    let reply = json(status, content);
    match tag {
        Some(Tag(tag)) => reply.with("ETag", format!("\"{tag}\"")),
        None => reply,
    }
}

pub fn no_content() -> Reply {
    Reply { status: Status::NoContent, content_type: None, body: String::new(), headers: Vec::new() }
}
