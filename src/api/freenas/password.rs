//! `account/users/ID/password/`: sets a password, of any account.

use accountd_core::Caller;
use accountd_protocol::agent::User;
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::Precondition;
use rocket::http::Status;
use rocket::post;
use serde_json::Value;

use super::error::Error;
use super::fallback::Id;
use super::faults::Faults;
use super::form::{self, Form};
use super::messages::REQUIRED;
use super::output;
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::{Signed, missing_first};
use crate::body::Unread;
use crate::caller::Basic;

const PLACE: Place = Place::user(Action::Password);
const KEY: &str = "bsdusr_password";

#[post("/account/users/<id>/password", data = "<body>")]
pub async fn set(caller: Signed, id: Id, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let id = id.get()?;
    let form = match form::read_json(body).await? {
        Value::Object(values) => Form::new(values),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Form::default(),
    };
    match changed(&caller, id, form).await {
        Ok(user) => Ok(Reply::json(Status::Ok, &output::user(&user))),
        Err(error) => Err(missing_first(&caller, id, error).await),
    }
}

async fn changed(caller: &Caller, id: AccountId, mut form: Form) -> Result<User, Error> {
    let password = form.secret(KEY).unwrap_or_else(|| Err(REQUIRED.into())).map_err(fault)?;
    caller.set_password(id, password, Precondition::None).await.map_err(|error| Error::at(PLACE, error, &form))
}

fn fault(message: String) -> Error {
    let mut faults = Faults::default();
    faults.add(KEY, message);
    Error::Fields { place: PLACE, faults }
}
