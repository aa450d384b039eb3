//! `POST /users:batch`: many changes of users in one request, as JSON or as a table of CSV.
//!
//! Each item is a body of POST or PATCH with an `op` beside it, and the `user` that it is about; a change may have
//! `keys` too.

use accountd_core::Caller;
use accountd_protocol::batch::{Batch, BatchItem, Effect, MOST_ITEMS, Together};
use accountd_protocol::id::AccountRef;
use accountd_protocol::precondition::{Precondition, Tag};
use accountd_protocol::removal::DeletedHome;
use rocket::post;
use serde_json::{Map, Value};

use super::error::Error;
use super::faults::{Fault, Kind};
use super::idempotency::Once;
use super::input::{Given, Input, not_json};
use super::listing::{Query, boolean};
use super::resolve::{self, Called, Found};
use super::user_fields::key_text;
use super::users::{Signed, failed};
use super::{batch_table, jobs, new_user, user_change};
use crate::body::{self, Unread};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// The largest body: 10,000 users with hashes and keys.
const MAX_BODY_MEBIBYTES: u64 = 16;
const JSON: &str = "application/json";
const CSV: &str = "text/csv";

#[post("/users:batch", data = "<body>")]
pub async fn perform(caller: Signed, query: Query, once: Once<'_>, body: Unread<'_>) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let (together, effect) = how(&query)?;
    let (format, body) = body::read_one_of(&[JSON, CSV], MAX_BODY_MEBIBYTES, body).await?;
    let made = async {
        let objects = if format == CSV { batch_table::objects(&body)? } else { objects(&body)? };
        let items = items(&caller, objects, together).await?;
        let job = caller.batch(Batch { items, together, effect }).await.map_err(failed)?;
        jobs::begun(&job)
    };
    once.answer((&caller, "/users:batch"), &body, made).await
}

/// `?atomic=false&dry_run=true`
fn how(query: &Query) -> Result<(Together, Effect), Error> {
    let (mut together, mut effect, mut faults) = (Together::default(), Effect::default(), Vec::new());
    for (name, value) in query.pairs() {
        match (name, boolean(value)) {
            ("atomic", Some(true)) => together = Together::AllOrNone,
            ("atomic", Some(false)) => together = Together::EachAlone,
            ("dry_run", Some(true)) => effect = Effect::Tried,
            ("dry_run", Some(false)) => effect = Effect::Made,
            ("atomic" | "dry_run", None) => faults.push(Fault::new(name, "wrong_type", "has to be true or false")),
            _ => faults.push(Fault::new(name.escape_debug().to_string(), "unknown_parameter", "is not known here")),
        }
    }
    if faults.is_empty() { Ok((together, effect)) } else { Err(Error::Query(faults)) }
}

fn objects(body: &[u8]) -> Result<Vec<Map<String, Value>>, Error> {
    let object = |value| match value {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    };
    match serde_json::from_slice(body) {
        Ok(Value::Array(items)) => items.into_iter().map(object).collect::<Option<Vec<_>>>(),
        Ok(_) => None,
        Err(error) => return Err(not_json(&error)),
    }
    .ok_or_else(|| Error::Malformed("The body is not a list of JSON objects.".into()))
}

/// An item whose every value is good by itself; groups are still as they are called.
enum Draft {
    Create(new_user::Draft),
    Update { who: AccountRef, change: user_change::Draft, only_if: Precondition },
    Delete { who: AccountRef, home: DeletedHome, only_if: Precondition },
}

/// All items, or everything that is wrong with any of them; where each is done alone, what is wrong with
/// one is its own result.
async fn items(caller: &Caller, objects: Vec<Map<String, Value>>, together: Together) -> Result<Vec<BatchItem>, Error> {
    if objects.len() > MOST_ITEMS {
        let message = format!("has more than {MOST_ITEMS} entries (it has {})", objects.len());
        return Err(Error::Fields(vec![Fault::new("items", "too_many", message)]));
    }
    let drafts: Vec<Result<Draft, Error>> =
        objects.into_iter().map(|object| draft(Input::of(Kind::User, object))).collect();
    // One that could not be read calls no groups.
    let called = |draft: &Result<Draft, Error>| draft.as_ref().map(Draft::called).unwrap_or_default();
    let called: Vec<Called> = drafts.iter().map(called).collect();
    let found = if together == Together::AllOrNone && drafts.iter().any(Result::is_err) {
        called.iter().map(|_| Ok(Found::default())).collect()
    } else {
        resolve::find(caller, &called).await?
    };
    let item = |(draft, found): (Result<Draft, Error>, Result<Found, Vec<Fault>>)| {
        let (draft, found) = (draft?, found.map_err(Error::Fields)?);
        Ok(match draft {
            Draft::Create(draft) => BatchItem::Create(Box::new(new_user::Draft::with(draft, found))),
            Draft::Update { who, change, only_if } => {
                BatchItem::Update { who, change: Box::new(change.with(found)), only_if }
            }
            Draft::Delete { who, home, only_if } => BatchItem::Delete { who, home, only_if },
        })
    };
    let items = drafts.into_iter().zip(found).map(item);
    match together {
        Together::AllOrNone => all(items.collect()),
        Together::EachAlone => items.map(alone).collect(),
    }
}

/// An item, or that it could not be read.
fn alone(item: Result<BatchItem, Error>) -> Result<BatchItem, Error> {
    match item {
        Err(Error::Fields(faults)) => Ok(BatchItem::Unread(faults.into_iter().map(Fault::unread).collect())),
        item => item,
    }
}

/// The values, or the faults of every item that has some.
fn all<T>(items: Vec<Result<T, Error>>) -> Result<Vec<T>, Error> {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Ok(item) => good.push(item),
            Err(error) => faults.extend(error.in_item(index)),
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(Error::Fields(faults)) }
}

impl Draft {
    fn called(&self) -> Called {
        match self {
            Draft::Create(draft) => draft.called.clone(),
            Draft::Update { change, .. } => change.called.clone(),
            Draft::Delete { .. } => Called::default(),
        }
    }
}

fn draft(mut input: Input) -> Result<Draft, Error> {
    input.require("op");
    let op = input.text("op").value();
    match op.as_deref() {
        Some("create") => new_user::draft(input).map(Draft::Create),
        Some("update") => {
            let (who, only_if) = about(&mut input);
            input.refuse_null("keys");
            let keys = key_text(&mut input);
            let change = user_change::draft(input)?.and_keys(keys);
            Ok(Draft::Update { who: who.ok_or(Error::Internal)?, change, only_if })
        }
        Some("delete") => {
            let (who, only_if) = about(&mut input);
            let goes = input.boolean("delete_home").value().unwrap_or_default();
            let home = if goes { DeletedHome::Remove } else { DeletedHome::Keep };
            input.finish(&[])?;
            Ok(Draft::Delete { who: who.ok_or(Error::Internal)?, home, only_if })
        }
        Some(_) => Err(Error::Fields(vec![Fault::new("op", "no_such", "has to be create, update or delete")])),
        None => Err(Error::Fields(input.into_faults())),
    }
}

/// The account that an item is about, and what it has to be like. Where there is none, a fault is noted.
fn about(input: &mut Input) -> (Option<AccountRef>, Precondition) {
    input.require("user");
    let who = match input.account("user") {
        Given::Value(AccountRef::Name(name)) if name == "~" => Some(AccountRef::Caller),
        who => who.value(),
    };
    let only_if = match input.text("if_match").value() {
        Some(tag) => Precondition::OneOf(vec![Tag(tag.trim_matches('"').to_owned())]),
        None => Precondition::None,
    };
    (who, only_if)
}
