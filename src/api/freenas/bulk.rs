//! `PATCH account/users/`: many new users in one request, all of them or none.
//!
//! tastypie's bulk form, `{"objects": […]}`, for what it is safe for: objects that are there already
//! are changed one by one, and nothing is deleted this way.

use rocket::http::Status;
use rocket::patch;
use serde_json::{Map, Value, json};

use super::error::Error;
use super::faults::{Faults, ItemFaults};
use super::form::{self, Form};
use super::new_user::new_user;
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::Signed;
use crate::body::Unread;
use crate::caller::Basic;

/// The largest body: 10,000 users with hashes and keys.
const MAX_BODY_MEBIBYTES: u64 = 16;
const ONLY_NEW: &str = "Only new objects can be sent in a list.";

#[patch("/account/users", data = "<body>")]
pub async fn create(caller: Signed, body: Unread<'_>) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let place = Place::user(Action::Create);
    let objects = objects(form::read_json_up_to(MAX_BODY_MEBIBYTES, body).await?)?;
    let mut forms: Vec<Form> = objects.into_iter().map(Form::new).collect();
    let (mut new, mut faults) = (Vec::new(), ItemFaults::default());
    for (index, form) in forms.iter_mut().enumerate() {
        match only_new(form).and_then(|()| new_user(form)) {
            Ok(user) => new.push(user),
            Err(found) => faults.add(index, found),
        }
    }
    if !faults.is_empty() {
        return Err(Error::Items(faults));
    }
    let names: Vec<String> = new.iter().map(|user| user.name.to_string()).collect();
    let ids = caller.create_users(new).await.map_err(|error| Error::of_items(place, error, &forms))?;
    let made: Vec<Value> = ids.iter().zip(names).map(|(id, name)| json!({"bsdusr_username": name, "id": id})).collect();
    Ok(Reply::json(Status::Accepted, &json!({"objects": made})))
}

fn objects(body: Value) -> Result<Vec<Map<String, Value>>, Error> {
    const SHAPE: Error = Error::Json("Request is not an object with a list of \"objects\".");
    let Value::Object(mut body) = body else { return Err(SHAPE) };
    if body.get("deleted_objects").is_some_and(|deleted| deleted.as_array().is_none_or(|list| !list.is_empty())) {
        return Err(Error::Json("Objects can not be deleted in a list."));
    }
    let Some(Value::Array(objects)) = body.remove("objects") else { return Err(SHAPE) };
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(SHAPE),
    };
    objects.into_iter().map(object).collect()
}

fn only_new(form: &Form) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for key in ["id", "resource_uri"].into_iter().filter(|key| form.has(key)) {
        faults.add(key, ONLY_NEW);
    }
    faults.into_result()
}
