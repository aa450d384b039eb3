//! `account/users/ID/groups/`: the auxiliary groups of a user, by name.

use accountd_protocol::agent::Membership;
use rocket::http::Status;
use rocket::{get, post};
use serde_json::Value;

use super::error::Error;
use super::fallback::Id;
use super::form::{self, Form};
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::{Signed, missing_first};
use crate::body::Unread;
use crate::caller::Basic;

const PLACE: Place = Place::user(Action::Memberships);

/// Ranked behind `set/<ids>`, which has the same shape.
#[get("/account/users/<id>/groups", rank = 1)]
pub async fn list(caller: Signed, id: Id) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let memberships = caller.memberships(id.get()?).await.map_err(PLACE.failed())?;
    Ok(Reply::json(Status::Ok, &names(&memberships)))
}

/// Replaces all of them. Whatever is no name of a group is dropped, as it always was.
#[post("/account/users/<id>/groups", data = "<body>")]
pub async fn replace(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let id = id.get()?;
    let wanted = wanted(form::read_json(body).await?);
    match caller.set_memberships(id, wanted).await {
        Ok(memberships) => Ok(Reply::json(Status::Accepted, &names(&memberships))),
        Err(error) => Err(missing_first(&caller, id, Error::at(PLACE, error, &Form::default())).await),
    }
}

fn wanted(body: Value) -> Vec<String> {
    let Value::Array(items) = body else { return Vec::new() };
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn names(memberships: &[Membership]) -> Vec<&str> {
    memberships.iter().map(|membership| membership.name.as_str()).collect()
}
