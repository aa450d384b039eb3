//! The JSON-RPC API of RhodeCode (1.2 and later, Kallithea): one path, `/_admin/api`.
//!
//! A translation and nothing more: a body becomes a request ([`request`]) for one of the methods that there
//! are ([`method`], [`parameter`]), its arguments what the core takes ([`arguments`]), accounts and
//! repositories JSON again ([`output`]). Refusals become RhodeCode's texts ([`error`], [`wording`]), of the
//! version that the configuration names. What is not as in RhodeCode, docs/rhodecode.md says.

mod anonymous;
mod arguments;
mod call;
mod endpoint;
mod error;
mod grants;
mod groups;
mod members;
mod method;
mod names;
mod new_user;
mod output;
mod parameter;
mod permission;
mod pull;
mod reply;
mod repositories;
mod repository_output;
mod request;
#[cfg(test)]
mod tests;
mod text;
mod user_change;
mod users;
mod wording;

use rocket::{Build, Rocket};

/// Everything that this API has.
const PATH: &str = "/_admin/api";
/// Where what is below belongs to nobody else.
const BASE: &str = "/_admin";

pub fn attach(rocket: Rocket<Build>) -> Rocket<Build> {
    rocket.mount(BASE, endpoint::routes())
}
