//! `account/users/ID/home/`: an addition to this API. Shows whether the home is there and how far a
//! transfer of it is (FreeNAS copies in the background and tells nobody), and repairs what keeps keys
//! from counting.

use accountd_protocol::home::HomeState;
use rocket::http::Status;
use rocket::{get, post};
use serde_json::{Value, json};

use super::error::Error;
use super::fallback::Id;
use super::faults::Faults;
use super::form::Form;
use super::messages::REQUIRED;
use super::output::{self, Object};
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::{Signed, missing_first};
use crate::body::Unread;
use crate::caller::Basic;

const PLACE: Place = Place::user(Action::Home);
const KEY: &str = "repair";

/// Ranked behind `set/<ids>`, which has the same shape.
#[get("/account/users/<id>/home", rank = 1)]
pub async fn show(caller: Signed, id: Id) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let home = caller.home(id.get()?).await.map_err(PLACE.failed())?;
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

/// Sets owners and modes so that the keys of the user count.
#[post("/account/users/<id>/home", data = "<body>")]
pub async fn repair(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let id = id.get()?;
    let form = Form::read(body).await?;
    if form.boolean(KEY) != Some(true) {
        let mut faults = Faults::default();
        faults.add(KEY, REQUIRED);
        return Err(missing_first(&caller, id, Error::Fields { place: PLACE, faults }).await);
    }
    let user = caller.repair_keys(id).await.map_err(|error| Error::at(PLACE, error, &form))?;
    Ok(Reply::json(Status::Ok, &output::user(&user)))
}
