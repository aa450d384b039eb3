//! `set/1;2/`: several objects by their ids.

use std::collections::BTreeMap;

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use rocket::get;
use rocket::http::Status;
use serde_json::{Value, json};

use super::error::Error;
use super::fallback::Id;
use super::form::Form;
use super::output;
use super::paging::MAX_LIMIT;
use super::place::{Action, Place};
use super::reply::Reply;
use super::users::Signed;
use crate::caller::Basic;

#[get("/account/users/set/<ids>")]
pub async fn users(caller: Signed, ids: &str) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let mut set = Set::new(Place::user(Action::List));
    for text in split(ids)? {
        match number(text) {
            Some(id) => set.add(text, caller.user(id).await.map(|user| json!(output::user(&user))))?,
            None => set.missing.push(text.to_owned()),
        }
    }
    Ok(set.reply())
}

#[get("/account/groups/set/<ids>")]
pub async fn groups(caller: Signed, ids: &str) -> Result<Reply, Error> {
    let Basic(caller) = caller?;
    let mut set = Set::new(Place::group(Action::List));
    for text in split(ids)? {
        match number(text) {
            Some(id) => set.add(text, caller.group(id).await.map(|group| json!(output::group(&group))))?,
            None => set.missing.push(text.to_owned()),
        }
    }
    Ok(set.reply())
}

/// What was found, and the ids for which there is nothing.
struct Set {
    place: Place,
    objects: Vec<Value>,
    missing: Vec<String>,
}

impl Set {
    fn new(place: Place) -> Self {
        Self { place, objects: Vec::new(), missing: Vec::new() }
    }

    fn add(&mut self, id: &str, found: Result<Value, accountd_core::Error>) -> Result<(), Error> {
        match found {
            Ok(object) => self.objects.push(object),
            Err(accountd_core::Error::Refused(Refusal::NotFound)) => self.missing.push(id.to_owned()),
            Err(error) => return Err(Error::at(self.place, error, &Form::default())),
        }
        Ok(())
    }

    /// `not_found` is there only when something is.
    fn reply(self) -> Reply {
        let mut body = BTreeMap::from([("objects", json!(self.objects))]);
        if !self.missing.is_empty() {
            body.insert("not_found", json!(self.missing));
        }
        Reply::json(Status::Ok, &body)
    }
}

/// The ids of a set, not more than a list may have.
fn split(ids: &str) -> Result<Vec<&str>, Error> {
    let ids: Vec<&str> = ids.split(';').filter(|id| !id.is_empty()).take(MAX_LIMIT + 1).collect();
    if ids.len() > MAX_LIMIT {
        return Err(Error::Query(format!("A set has at most {MAX_LIMIT} ids.")));
    }
    Ok(ids)
}

fn number(text: &str) -> Option<AccountId> {
    Id::of(text).get().ok()
}
