//! The API of AList 3.42 to 3.45 and of OpenList 4, as far as it is about accounts: login, one's own account, users,
//! SSH keys, and what their web front end asks for at its start.
//!
//! A translation and nothing more: a request ([`request`], [`body`]) becomes the protocol's types ([`user_form`],
//! [`meaning`]), accounts become JSON ([`output`]), refusals become codes and texts ([`error`]). What is not as in
//! AList and OpenList, docs/alist.md says.

mod admin;
mod body;
mod caller;
mod dispatch;
mod error;
mod files;
mod login;
mod me;
mod meaning;
mod output;
mod paging;
mod picture;
mod privacy;
mod public;
mod reply;
mod request;
mod second_factor;
mod ssh_keys;
mod user_form;
mod words;

use rocket::http::Status;
use rocket::{Build, Request, Rocket, catch, catchers};

use reply::Reply;

/// Where the dialect begins. Others begin below it and stay theirs.
const BASE: &str = "/api";

pub fn attach(rocket: Rocket<Build>) -> Rocket<Build> {
    rocket.mount(BASE, dispatch::routes()).mount("/ping", dispatch::ping_routes()).register(BASE, catchers![caught])
}

/// What Rocket itself refuses: a request that it can't parse, a handler that failed.
#[catch(default)]
fn caught(status: Status, _: &Request<'_>) -> Reply {
    match status.code {
        500 => Reply::empty(status),
        code => Reply::text(status, &format!("{code} {}\n", status.reason_lossy())),
    }
}
