//! `/openapi.json`: the description of this API for machines. It is the same for everybody and holds
//! nothing of this machine, so nobody has to say who they are. A test holds it against the routes and
//! the fields that are really there.

use rocket::get;
use rocket::http::Status;

use crate::reply::Reply;

pub const DOCUMENT: &str = include_str!("openapi.json");

#[get("/openapi.json")]
pub fn show() -> Reply {
    Reply {
        status: Status::Ok,
        content_type: Some("application/json"),
        body: DOCUMENT.to_owned(),
        headers: vec![("Cache-Control", "no-cache".to_owned())],
    }
}
