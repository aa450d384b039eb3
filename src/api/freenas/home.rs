//! `account/users/ID/home/`: an addition to this API, for the home of a user.

use rocket::http::{ContentType, Status};
use rocket::{Data, post};

use super::error::Error;
use super::fallback::Id;
use super::faults::Faults;
use super::form::Form;
use super::messages::REQUIRED;
use super::output;
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::{Signed, missing_first};
use crate::caller::Basic;

const PLACE: Place = Place::user(Action::Home);
const KEY: &str = "repair";

/// Sets owners and modes so that the keys of the user count.
#[post("/account/users/<id>/home", data = "<data>")]
pub async fn repair(
    caller: Signed,
    id: Id,
    content_type: Option<&ContentType>,
    data: Data<'_>,
) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let id = id.get()?;
    let form = Form::read(data, content_type).await?;
    if form.boolean(KEY) != Some(true) {
        let mut faults = Faults::default();
        faults.add(KEY, REQUIRED);
        return Err(missing_first(&caller, id, Error::Fields { place: PLACE, faults }).await);
    }
    let user = caller.repair_keys(id).await.map_err(|error| Error::at(PLACE, error, &form))?;
    Ok(Reply::json(Status::Ok, &output::user(&user)))
}
