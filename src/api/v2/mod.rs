//! Our own REST API, `/api/v2`: every capability of the core, by one set of rules
//! (docs/api-v2.md).
//!
//! A translation like every dialect: a body is taken apart by [`input`], a query by [`listing`];
//! accounts become JSON in [`output`], refusals become problems in [`error`].

mod ageing;
mod answers;
mod api_keys;
mod audit;
mod backups;
mod bans;
mod batch;
mod batch_table;
mod checks;
mod connections;
mod cursor;
mod day;
mod disable;
mod error;
mod fallback;
mod faults;
mod group_input;
mod groups;
mod idempotency;
mod input;
mod jobs;
mod keys;
mod limits;
mod listing;
mod members;
mod memberships;
mod metrics;
mod new_user;
mod only_if;
mod openapi;
mod output;
mod password;
mod path;
mod policy;
mod quotas;
mod repositories;
mod resolve;
mod roles;
mod sent;
mod sudo;
mod system;
#[cfg(test)]
mod tests;
mod tokens;
mod two_factor;
mod user_change;
mod user_fields;
mod users;

use rocket::http::Status;
use rocket::{Build, Request, Rocket, catch, catchers, routes};

use crate::reply::Reply;
use error::Error;

/// Where the dialect begins.
const BASE: &str = "/api/v2";

pub fn attach(rocket: Rocket<Build>) -> Rocket<Build> {
    let users = routes![users::list, users::create, users::show, users::change, users::delete];
    let of_a_user =
        routes![keys::list, keys::replace, password::set, memberships::list, memberships::replace, disable::disable];
    let groups = routes![groups::list, groups::create, groups::show, groups::change, groups::delete];
    let of_a_group = routes![members::list, members::replace];
    rocket
        .manage(idempotency::Remembered::default())
        .mount(BASE, users)
        .mount(BASE, of_a_user)
        .mount(BASE, routes![roles::list, roles::replace])
        .mount(BASE, groups)
        .mount(BASE, of_a_group)
        .mount(BASE, routes![batch::perform, jobs::list, jobs::show, jobs::cancel, jobs::events])
        .mount(BASE, routes![audit::list, audit::verify, checks::show, checks::repair])
        .mount(BASE, routes![api_keys::list, api_keys::create, api_keys::show, api_keys::delete])
        .mount(BASE, routes![backups::current, backups::import])
        .mount(BASE, routes![policy::show, policy::change])
        .mount(BASE, routes![bans::list, bans::lift])
        .mount(BASE, routes![connections::list, connections::close, connections::end])
        .mount(BASE, routes![quotas::show, quotas::scan, quotas::cancel])
        .mount(BASE, routes![quotas::list, quotas::file_systems, quotas::scans])
        .mount(BASE, routes![repositories::list, repositories::create, repositories::show, repositories::change])
        .mount(BASE, routes![repositories::delete, repositories::grants, repositories::grant, repositories::pull])
        .mount(BASE, routes![system::show, openapi::show, metrics::show])
        .mount(BASE, routes![two_factor::show, two_factor::begin, two_factor::confirm, two_factor::cancel])
        .mount(BASE, routes![tokens::create, tokens::revoke])
        .mount(BASE, fallback::routes())
        .register(BASE, catchers![caught])
}

/// What Rocket itself refuses: a request that it can't parse, a handler that failed.
#[catch(default)]
fn caught(status: Status, _: &Request<'_>) -> Reply {
    let error = match status.code {
        404 => Error::NotFound("resource"),
        400 => Error::Malformed("The request can not be read.".into()),
        413 => Error::TooLarge,
        _ => Error::Internal,
    };
    error.reply()
}
