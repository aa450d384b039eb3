//! `/users/{user}/keys`: the public keys that let a user in, as a set.

use accountd_protocol::agent::KeyFile;
use rocket::http::{ContentType, Status};
use rocket::{Data, get, put};

use super::error::Error;
use super::faults::Kind;
use super::input::Input;
use super::only_if::OnlyIf;
use super::path::Named;
use super::user_fields::key_text;
use super::users::{Signed, failed};
use super::{answers, output};
use crate::caller::Authenticated;
use crate::reply::Reply;

fn shown(file: &KeyFile) -> Reply {
    answers::tagged(Status::Ok, &output::keys(file), Some(&file.tag))
}

#[get("/users/<user>/keys")]
pub async fn list(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = user.user(&caller).await?;
    Ok(shown(&caller.keys(id).await.map_err(failed)?))
}

#[put("/users/<user>/keys", data = "<data>")]
pub async fn replace(
    caller: Signed,
    user: Named,
    only_if: OnlyIf,
    content_type: Option<&ContentType>,
    data: Data<'_>,
) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let only_if = only_if.precondition()?;
    let mut input = Input::read(Kind::User, data, content_type).await?;
    let id = user.user(&caller).await?;
    input.require("keys");
    let keys = key_text(&mut input).unwrap_or_default();
    input.finish(&[])?;
    Ok(shown(&caller.set_keys(id, keys, only_if).await.map_err(failed)?))
}
