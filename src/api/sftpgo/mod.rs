//! The REST API of SFTPGo 0.9 (2019): `user`, `connection`, `quota_scan` and `version`.
//!
//! A translation and nothing more: a body ([`json`], [`form`]) becomes the protocol's types ([`new_user`],
//! [`user_change`]), accounts become JSON ([`output`]) with the words that were asked with ([`asked`]) as long
//! as they are true, refusals become SFTPGo's texts and statuses ([`error`], [`words`]). What is not as in
//! SFTPGo, docs/sftpgo.md says.

mod asked;
mod connections;
mod error;
mod form;
mod gate;
mod json;
mod keys;
mod meaning;
mod new_user;
mod output;
mod password;
mod query;
mod quota_scans;
mod reply;
#[cfg(test)]
mod tests;
mod text;
mod user_change;
mod users;
mod version;
mod words;

use rocket::http::Status;
use rocket::{Build, Request, Rocket, catch, catchers, routes};

use error::Error;
use reply::Reply;

/// Where the dialect begins.
const BASE: &str = "/api/v1";

pub fn attach(rocket: Rocket<Build>) -> Rocket<Build> {
    let users = routes![users::list, users::show, users::create, users::change, users::delete];
    let rest = routes![connections::list, connections::close, quota_scans::list, quota_scans::start, version::show];
    rocket.mount(BASE, users).mount(BASE, rest).mount(BASE, gate::routes()).register(BASE, catchers![caught])
}

/// What Rocket itself refuses: a request that it can't parse, a handler that failed.
#[catch(default)]
fn caught(status: Status, _: &Request<'_>) -> Reply {
    match status.code {
        404 => gate::unknown_path(),
        400 => Reply::error(Status::BadRequest, "Bad Request"),
        413 => Error::TooLarge.reply(),
        _ => Error::Internal.reply(),
    }
}
