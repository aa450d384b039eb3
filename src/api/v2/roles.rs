//! `/users/{user}/roles`: the roles of a user, as a set. They come with groups (`[roles]` in
//! accountd.toml(5)); its `ETag` is the user's.

use std::collections::BTreeSet;

use accountd_protocol::agent::User;
use accountd_protocol::role::Role;
use rocket::http::Status;
use rocket::{get, put};
use serde_json::json;

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::path::Named;
use super::sent::Change;
use super::users::{Signed, failed};
use crate::caller::Authenticated;
use crate::reply::Reply;

fn shown(user: &User) -> Reply {
    let roles: Vec<&str> = user.roles.iter().map(|role| role.name()).collect();
    answers::tagged(Status::Ok, &json!({"roles": roles}), user.tag.as_ref())
}

#[get("/users/<user>/roles")]
pub async fn list(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    Ok(shown(&caller.find_user(user.0).await.map_err(failed)?))
}

#[put("/users/<user>/roles", data = "<sent>")]
pub async fn replace(user: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, mut input) = sent?.open(Kind::User)?;
    input.require("roles");
    let names = input.texts("roles").value().unwrap_or_default();
    let roles: Option<BTreeSet<Role>> = names.iter().map(|name| Role::named(name)).collect();
    if roles.is_none() {
        let known = Role::ALL.map(Role::name).join(", ");
        input.fault("roles", "no_such", &format!("has to be of: {known}"));
    }
    input.finish(&[])?;
    let id = user.user(&caller).await?;
    let user = caller.set_roles(id, roles.unwrap_or_default(), only_if).await.map_err(failed)?;
    Ok(shown(&user))
}
