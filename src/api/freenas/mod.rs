//! The FreeNAS REST API v1.0: `account/users` and `account/groups`.
//!
//! A translation and nothing more: form values become the protocol's types ([`form`], [`new_user`],
//! [`user_change`], [`group_input`]), accounts become JSON ([`output`]), refusals become the
//! dialect's messages ([`messages`]) and statuses ([`error`]).

mod bulk;
mod error;
mod fallback;
mod faults;
mod form;
mod group_input;
mod groups;
mod home;
mod index;
mod json;
mod memberships;
mod messages;
mod new_user;
mod output;
mod paging;
mod password;
mod place;
mod reply;
mod schema;
mod set;
#[cfg(test)]
mod tests;
mod user_change;
mod user_fields;
mod users;

use rocket::http::Status;
use rocket::{Build, Request, Rocket, catch, catchers, routes};

use error::Error;
use reply::Reply;

/// Where the dialect begins.
const BASE: &str = "/api/v1.0";

pub fn attach(rocket: Rocket<Build>) -> Rocket<Build> {
    let users =
        routes![users::list, users::show, users::create, users::change, users::patch, users::delete, bulk::create];
    let of_a_user = routes![memberships::list, memberships::replace, password::set, home::show, home::repair];
    let groups = routes![groups::list, groups::show, groups::create, groups::change, groups::patch, groups::delete];
    let views =
        routes![index::show, schema::users, schema::groups, set::users, set::groups, users::list_all, groups::list_all];
    rocket
        .mount(BASE, users)
        .mount(BASE, of_a_user)
        .mount(BASE, groups)
        .mount(BASE, views)
        .mount(BASE, fallback::routes())
        .register(BASE, catchers![caught])
}

/// What Rocket itself refuses: a request that it can't parse, a handler that failed.
#[catch(default)]
fn caught(status: Status, _: &Request<'_>) -> Reply {
    match status.code {
        404 => Reply::unknown_path(),
        400 => Reply::text(Status::BadRequest, "Bad Request"),
        413 => Error::TooLarge.reply(),
        _ => Error::Internal.reply(),
    }
}
