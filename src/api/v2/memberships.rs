//! `/users/{user}/groups`: the supplementary groups of a user, as a set. Its `ETag` is the user's.

use accountd_protocol::agent::{User, UserChange};
use rocket::http::Status;
use rocket::{get, put};
use serde_json::json;

use super::error::Error;
use super::faults::Kind;
use super::path::Named;
use super::sent::Change;
use super::users::{Signed, failed};
use super::{answers, resolve};
use crate::caller::Authenticated;
use crate::reply::Reply;

fn shown(user: &User) -> Reply {
    answers::tagged(Status::Ok, &json!({"groups": user.group_names}), user.tag.as_ref())
}

#[get("/users/<user>/groups")]
pub async fn list(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    Ok(shown(&caller.find_user(user.0).await.map_err(failed)?))
}

#[put("/users/<user>/groups", data = "<sent>")]
pub async fn replace(user: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, mut input) = sent?.open(Kind::User)?;
    let id = user.user(&caller).await?;
    input.require("groups");
    let groups = input.accounts("groups").value().unwrap_or_default();
    input.finish(&[])?;
    let groups = Some(resolve::groups(&caller, groups).await?);
    let change = UserChange { groups, ..UserChange::default() };
    Ok(shown(&caller.update_user(id, change, only_if).await.map_err(failed)?))
}
