//! `version`: which build answers.

use std::convert::Infallible;

use rocket::get;
use rocket::request::{FromRequest, Outcome, Request};
use serde::Serialize;

use super::error::Error;
use super::reply::Reply;
use super::users::Signed;
use crate::ProgramBuild;
use crate::caller::Authenticated;

/// Where the program has said nothing of itself.
static UNKNOWN: ProgramBuild = ProgramBuild { version: String::new(), date: String::new(), commit: String::new() };

#[derive(Debug, Serialize)]
struct Shown<'a> {
    version: &'a str,
    build_date: &'a str,
    commit_hash: &'a str,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r ProgramBuild {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(request.rocket().state().unwrap_or(&UNKNOWN))
    }
}

#[get("/version")]
pub async fn show(caller: Signed, build: &ProgramBuild) -> Result<Reply, Error> {
    let Authenticated(_) = caller?;
    let ProgramBuild { version, date, commit } = build;
    Ok(Reply::object(&Shown { version, build_date: date, commit_hash: commit }))
}
