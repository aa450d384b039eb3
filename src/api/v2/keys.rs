//! `/users/{user}/keys`: the public keys that let a user in, as a set.

use accountd_protocol::agent::KeyFile;
use rocket::http::Status;
use rocket::{get, put};

use super::error::Error;
use super::faults::Kind;
use super::path::Named;
use super::sent::Change;
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

#[put("/users/<user>/keys", data = "<sent>")]
pub async fn replace(user: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, mut input) = sent?.open(Kind::User)?;
    let id = user.user(&caller).await?;
    input.require("keys");
    let keys = key_text(&mut input).unwrap_or_default();
    input.finish(&[])?;
    Ok(shown(&caller.set_keys(id, keys, only_if).await.map_err(failed)?))
}
