//! `/groups/{group}/members`: the member list of group(5), as a set. Users whose primary group it is
//! are in it without being named. Its `ETag` is the group's.

use accountd_protocol::agent::Group;
use rocket::http::{ContentType, Status};
use rocket::{Data, get, put};
use serde_json::json;

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::groups::failed;
use super::input::Input;
use super::only_if::OnlyIf;
use super::path::Named;
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

#[put("/groups/<group>/members", data = "<data>")]
pub async fn replace(
    caller: Signed,
    group: Named,
    only_if: OnlyIf,
    content_type: Option<&ContentType>,
    data: Data<'_>,
) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let only_if = only_if.precondition()?;
    let mut input = Input::read(Kind::Group, data, content_type).await?;
    let id = group.group(&caller).await?;
    input.require("members");
    let members = input.accounts("members").value().unwrap_or_default();
    input.finish(&[])?;
    Ok(shown(&caller.set_members(id, members, only_if).await.map_err(failed)?))
}
