//! `/groups/{group}/members`: the member list of group(5), as a set. Users whose primary group it is
//! are in it without being named. Its `ETag` is the group's.

use accountd_protocol::agent::Group;
use rocket::http::Status;
use rocket::{get, put};
use serde_json::json;

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::groups::failed;
use super::path::Named;
use super::sent::Change;
use super::users::Signed;
use crate::caller::Authenticated;
use crate::reply::Reply;

fn shown(group: &Group) -> Reply {
    answers::tagged(Status::Ok, &json!({"members": group.members}), group.tag.as_ref())
}

#[get("/groups/<group>/members")]
pub async fn list(caller: Signed, group: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    Ok(shown(&caller.find_group(group.0).await.map_err(failed)?))
}

#[put("/groups/<group>/members", data = "<sent>")]
pub async fn replace(group: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, mut input) = sent?.open(Kind::Group)?;
    let id = group.group(&caller).await?;
    input.require("members");
    let members = input.accounts("members").value().unwrap_or_default();
    input.finish(&[])?;
    Ok(shown(&caller.set_members(id, members, only_if).await.map_err(failed)?))
}
