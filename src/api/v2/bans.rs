//! `/bans`: who is turned away for a while, because too many wrong passwords have come.

use accountd_protocol::audit::Moment;
use accountd_protocol::ban::{Ban, BanId, Banned};
use rocket::http::Status;
use rocket::request::FromParam;
use rocket::{delete, get};
use serde_json::{Map, Value, json};

use super::error::Error;
use super::sent::Bare;
use super::users::{Signed, failed};
use super::{answers, day};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// A ban as a path has it: its id.
#[derive(Clone, Copy, Debug)]
pub struct Called(BanId);

impl<'a> FromParam<'a> for Called {
    type Error = ();

    fn from_param(text: &'a str) -> Result<Self, ()> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(|id| Called(BanId(id))).ok_or(())
    }
}

const GONE: Error = Error::NotFound("ban");

#[get("/bans")]
pub async fn list(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let bans = caller.bans().await.map_err(failed)?;
    let items: Vec<Map<String, Value>> = bans.iter().map(shown).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

#[delete("/bans/<id>")]
pub async fn lift(bare: Result<Bare, Error>, id: Result<Called, ()>) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    // What is no id is told like one that is gone, to whoever may ask.
    let id = id.map_or(BanId(u64::MAX), |Called(id)| id);
    caller.lift_ban(id).await.map_err(|error| match failed(error) {
        Error::NotFound(_) => GONE,
        error => error,
    })?;
    Ok(answers::no_content())
}

/// Every field that a ban is shown with. It is of a source or of an account; the other is null.
pub fn shown(Ban { id, of, since, until }: &Ban) -> Map<String, Value> {
    let moment = |seconds: u64| day::moment(Moment { seconds, nanoseconds: 0 });
    let (source, account) = match of {
        Banned::Source(source) => (json!(source), Value::Null),
        Banned::Account { id, name } => (Value::Null, json!({"id": id, "username": name})),
    };
    let fields = [
        ("id", json!(id)),
        ("source", source),
        ("account", account),
        ("since", json!(moment(*since))),
        ("until", json!(moment(*until))),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
