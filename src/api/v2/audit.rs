//! `/audit`: who did what, newest first, and whether the chain of records is whole.

use accountd_protocol::audit::{Actor, AuditFilter, AuditRecord, MOST_RECORDS, Outcome};
use rocket::get;
use rocket::http::Status;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers;
use super::day::{moment, seconds};
use super::error::Error;
use super::faults::Fault;
use super::listing::Query;
use super::users::{Signed, failed};
use crate::caller::Authenticated;
use crate::reply::Reply;

const DEFAULT_LIMIT: usize = 100;

#[get("/audit")]
pub async fn list(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let page = caller.audit(filter(&query)?).await.map_err(failed)?;
    let items: Vec<Value> = page.records.iter().map(record).collect();
    let next = page.next.map(|before| before.to_string());
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": next})))
}

#[get("/audit/verification")]
pub async fn verify(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let verdict = caller.verify_audit().await.map_err(failed)?;
    Ok(answers::json(
        Status::Ok,
        &json!({"whole": verdict.flaw.is_none(), "first": verdict.first,
        "whole_to": verdict.whole_to, "hash": verdict.hash, "flaw": verdict.flaw}),
    ))
}

fn filter(query: &Query) -> Result<AuditFilter, Error> {
    let mut filter = AuditFilter { limit: DEFAULT_LIMIT, ..AuditFilter::default() };
    let mut faults = Vec::new();
    for (name, value) in query.pairs() {
        match name {
            "user" => filter.user = Some(value.to_owned()),
            "target" => filter.target = Some(value.to_owned()),
            "action" => filter.action = read(name, word(value), &mut faults),
            "outcome" => filter.outcome = read(name, word(value), &mut faults),
            "from" => filter.from = read(name, seconds(value), &mut faults),
            "to" => filter.to = read(name, seconds(value), &mut faults),
            "cursor" => filter.before = read(name, value.parse().ok(), &mut faults),
            "limit" => filter.limit = read(name, limit(value), &mut faults).unwrap_or(DEFAULT_LIMIT),
            _ => faults.push(Fault::new(name, "unknown", "is not known here")),
        }
    }
    if faults.is_empty() { Ok(filter) } else { Err(Error::Query(faults)) }
}

fn read<T>(name: &str, value: Option<T>, faults: &mut Vec<Fault>) -> Option<T> {
    if value.is_none() {
        faults.push(Fault::new(name, "bad_value", "is not a value for this"));
    }
    value
}

fn limit(text: &str) -> Option<usize> {
    text.parse().ok().filter(|limit| (1..=MOST_RECORDS).contains(limit))
}

/// One of the words of the protocol.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::from(text)).ok()
}

fn record(AuditRecord { sequence, time, event }: &AuditRecord) -> Value {
    let reason = match &event.outcome {
        Outcome::Refused(reason) => Some(reason),
        Outcome::Done | Outcome::Granted => None,
    };
    let repeated = event.repeated.as_ref().map(
        |repeated| json!({"count": repeated.count, "first": moment(repeated.first), "last": moment(repeated.last)}),
    );
    json!({
        "sequence": sequence,
        "time": moment(*time),
        "actor": actor(&event.actor),
        "action": event.action,
        "target": event.target,
        "outcome": event.outcome.kind(),
        "reason": reason,
        "changes": event.changes,
        "methods": event.methods,
        "repeated": repeated,
    })
}

fn actor(actor: &Actor) -> Value {
    let shown = |kind: &str, id: Value, name: Option<&String>, source: Value| json!({"kind": kind, "id": id, "name": name, "source": source, "api_key": null});
    match actor {
        Actor::Caller { account, name, source, key } => {
            let mut actor = shown("caller", json!(account), Some(name), json!(source));
            actor["api_key"] = json!(key);
            actor
        }
        Actor::Claimed { name, source } => shown("claimed", Value::Null, Some(name), json!(source)),
        Actor::Many => shown("many", Value::Null, None, Value::Null),
        Actor::Outside => shown("outside", Value::Null, None, Value::Null),
        Actor::Agent => shown("agent", Value::Null, None, Value::Null),
    }
}
