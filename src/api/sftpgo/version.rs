//! `version`: which build answers.

use rocket::{State, get};
use serde::Serialize;

use super::error::Error;
use super::reply::Reply;
use super::users::Signed;
use crate::ProgramBuild;
use crate::caller::Authenticated;

#[derive(Debug, Default, Serialize)]
struct Shown<'a> {
    version: &'a str,
    /// RFC 3339, in UTC.
    build_date: &'a str,
    commit_hash: &'a str,
}

#[get("/version")]
pub async fn show(caller: Signed, build: Option<&State<ProgramBuild>>) -> Result<Reply, Error> {
    let Authenticated(_) = caller?;
    let shown = build.map_or_else(Shown::default, |build| Shown {
        version: &build.version,
        build_date: &build.date,
        commit_hash: &build.commit,
    });
    Ok(Reply::object(&shown))
}
