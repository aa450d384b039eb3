//! `/users/{user}/api-keys`: what programs of a user show instead of the password. A key itself is in
//! the answer that made it and nowhere else.

use accountd_protocol::api_key::{ApiKey, ApiKeyId, ApiKeyName, NewApiKey};
use accountd_protocol::audit::Moment;
use accountd_protocol::refusal::Field;
use accountd_protocol::secret::Secret;
use rocket::http::Status;
use rocket::request::FromParam;
use rocket::{delete, get, post};
use serde_json::{Map, Value, json};

use super::error::Error;
use super::faults::Kind;
use super::idempotency::{Made, Once};
use super::input::{Given, Input};
use super::path::Named;
use super::sent::{Bare, Sent};
use super::users::{Signed, failed};
use super::{BASE, answers, day};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// A key as a path has it: its id.
#[derive(Clone, Copy, Debug)]
pub struct Called(ApiKeyId);

impl<'a> FromParam<'a> for Called {
    type Error = ();

    fn from_param(text: &'a str) -> Result<Self, ()> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(|id| Called(ApiKeyId(id))).ok_or(())
    }
}

const GONE: Error = Error::NotFound("API key");

#[get("/users/<user>/api-keys")]
pub async fn list(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = user.user(&caller).await?;
    let keys = caller.api_keys(id).await.map_err(failed)?;
    let items: Vec<Map<String, Value>> = keys.iter().map(shown).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

#[get("/users/<user>/api-keys/<id>")]
pub async fn show(caller: Signed, user: Named, id: Result<Called, ()>) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let user = user.user(&caller).await?;
    let keys = caller.api_keys(user).await.map_err(failed)?;
    let Called(id) = id.map_err(|()| GONE)?;
    let key = keys.iter().find(|key| key.id == id).ok_or(GONE)?;
    Ok(answers::json(Status::Ok, &shown(key)))
}

#[post("/users/<user>/api-keys", data = "<sent>")]
pub async fn create(user: Named, once: Once<'_>, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let made = async {
        let new = draft(Input::parse(Kind::User, &body)?)?;
        let user = user.user(&caller).await?;
        let (key, secret) = caller.create_api_key(user, new).await.map_err(failed)?;
        let location = format!("{BASE}/users/{user}/api-keys/{}", key.id);
        // It is said once: the same request gets null for it later.
        let [first, again] =
            [Some(&secret), None].map(|secret| shown_with(&key, secret).with("Location", location.clone()));
        Ok(Made { first, again })
    };
    // Nobody makes one for somebody else, so whose it is need not be told apart.
    once.answer((&caller, "/users/~/api-keys"), &body, made).await
}

#[delete("/users/<user>/api-keys/<id>")]
pub async fn delete(bare: Result<Bare, Error>, user: Named, id: Result<Called, ()>) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let user = user.user(&caller).await?;
    let Called(id) = id.map_err(|()| GONE)?;
    caller.delete_api_key(user, id).await.map_err(|error| match failed(error) {
        Error::NotFound(_) => GONE,
        error => error,
    })?;
    Ok(answers::no_content())
}

pub fn draft(mut input: Input) -> Result<NewApiKey, Error> {
    input.require("name");
    let name = input.text("name");
    let name = input.parsed(Field::ApiKeyName, name, ApiKeyName::new);
    let expires = match input.text("expires") {
        Given::Absent | Given::Null => None,
        Given::Value(text) => match day::seconds(&text) {
            // What the store can hold.
            Some(seconds) if i64::try_from(seconds).is_ok() => Some(seconds),
            Some(_) | None => {
                input.fault("expires", "bad_value", "has to be a moment in UTC, like 2030-12-31T00:00:00Z");
                None
            }
        },
    };
    input.finish(&["id", "created", "last_used", "key"])?;
    // What is missing has been named.
    Ok(NewApiKey { name: name.ok_or(Error::Internal)?, expires })
}

/// Every field that a key is shown with.
pub fn shown(key: &ApiKey) -> Map<String, Value> {
    let ApiKey { id, name, created, expires, last_used } = key;
    let moment = |seconds: u64| day::moment(Moment { seconds, nanoseconds: 0 });
    let fields = [
        ("id", json!(id)),
        ("name", json!(name)),
        ("created", json!(moment(*created))),
        ("expires", json!(expires.and_then(moment))),
        ("last_used", json!(last_used.and_then(moment))),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn shown_with(key: &ApiKey, secret: Option<&Secret>) -> Reply {
    let mut object = shown(key);
    object.insert("key".to_owned(), json!(secret.map(Secret::reveal)));
    answers::json(Status::Created, &object)
}
