//! `account/users/ID/home/`: whether the home is there, and how far a transfer of it is. An
//! extension: FreeNAS copies in the background and tells nobody.

use accountd_protocol::home::HomeState;
use rocket::get;
use rocket::http::Status;
use serde_json::{Value, json};

use super::error::Error;
use super::fallback::Id;
use super::form::Form;
use super::output::Object;
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::Signed;
use crate::caller::Basic;

const PLACE: Place = Place::user(Action::Home);

/// Ranked behind `set/<ids>`, which has the same shape.
#[get("/account/users/<id>/home", rank = 1)]
pub async fn show(caller: Signed, id: Id) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let home = caller.home(id.get()?).await.map_err(|error| Error::at(PLACE, error, &Form::default()))?;
    Ok(Reply::json(Status::Ok, &object(&home)))
}

fn object(state: &HomeState) -> Object {
    let transfer = state.transfer.as_ref().map_or(Value::Null, |transfer| {
        json!({
            "kind": transfer.kind.name(),
            "state": transfer.state.name(),
            "files_done": transfer.files_done,
            "bytes_done": transfer.bytes_done,
            "bytes_total": transfer.bytes_total,
            "left_alone": transfer.left_alone,
            "error": transfer.error,
        })
    });
    Object::from([("home", json!(state.home)), ("exists", json!(state.exists)), ("transfer", transfer)])
}
