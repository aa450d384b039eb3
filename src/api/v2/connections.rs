//! `/connections` and `/sessions`: the SSH connections that are open, what runs on each and what it is
//! transferring, and the end of one.

use accountd_protocol::audit::Moment;
use accountd_protocol::open_session::{ConnectionId, OpenConnection, OpenSession, OpenTransfer};
use rocket::http::Status;
use rocket::{delete, get};
use serde_json::{Value, json};

use super::error::Error;
use super::faults::Fault;
use super::listing::Query;
use super::output::{Object, object};
use super::path::Named;
use super::sent::Bare;
use super::users::{Signed, failed};
use super::{answers, day};
use crate::caller::Authenticated;
use crate::reply::Reply;

const NO_CONNECTION: Error = Error::NotFound("connection");
const NO_SESSION: Error = Error::NotFound("session");

/// `?user=`: those of one user; otherwise those of all.
#[get("/connections")]
pub async fn list(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let of = match asked(&query)? {
        Some(user) => Some(user.user(&caller).await?),
        None => None,
    };
    let connections = caller.connections(of).await.map_err(failed)?;
    let items: Vec<Object> = connections.iter().map(shown).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

fn asked(query: &Query) -> Result<Option<Named>, Error> {
    let (mut user, mut faults) = (None, Vec::new());
    for (name, value) in query.pairs() {
        match name {
            "user" if user.is_none() => user = Some(Named::of(value)),
            "user" => faults.push(Fault::new(name.to_owned(), "repeated", "may be there only once")),
            _ => {
                let name: String = name.escape_debug().take(100).collect();
                faults.push(Fault::new(name, "unknown_parameter", "is no filter of this list"));
            }
        }
    }
    if faults.is_empty() { Ok(user) } else { Err(Error::Query(faults)) }
}

#[delete("/connections/<id>")]
pub async fn close(bare: Result<Bare, Error>, id: &str) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let closed = caller.close_connection(ConnectionId(id.to_owned())).await;
    closed.map_err(|error| gone(failed(error), NO_CONNECTION))?;
    Ok(answers::no_content())
}

#[delete("/sessions/<number>")]
pub async fn end(bare: Result<Bare, Error>, number: &str) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    // What is no number is told like one that is gone, to whoever may ask.
    let ended = caller.close_session(number.parse().unwrap_or(u64::MAX)).await;
    ended.map_err(|error| gone(failed(error), NO_SESSION))?;
    Ok(answers::no_content())
}

fn gone(error: Error, what: Error) -> Error {
    match error {
        Error::NotFound(_) => what,
        error => error,
    }
}

pub fn shown(connection: &OpenConnection) -> Object {
    let OpenConnection { id, account, user, client_version, source, connected, last_activity, sessions } = connection;
    object([
        ("id", json!(id)),
        ("user", json!({"id": account, "username": user})),
        ("source", json!(source.ip())),
        ("port", json!(source.port())),
        ("client", json!(client_version)),
        ("connected", moment(*connected)),
        ("last_activity", moment(*last_activity)),
        ("sessions", sessions.iter().map(session).collect()),
    ])
}

fn session(session: &OpenSession) -> Value {
    let OpenSession { number, service, began, transfers } = session;
    let transfers: Vec<Value> = transfers.iter().map(transfer).collect();
    json!({"number": number, "service": service, "began": moment(*began), "transfers": transfers})
}

fn transfer(transfer: &OpenTransfer) -> Value {
    let OpenTransfer { path, direction, started, last_activity, size } = transfer;
    json!({
        "path": path,
        "direction": direction,
        "bytes": size,
        "started": moment(*started),
        "last_activity": moment(*last_activity),
    })
}

/// Milliseconds of Unix time.
pub fn moment(milliseconds: u64) -> Value {
    let nanoseconds = u32::try_from(milliseconds % 1000 * 1_000_000).unwrap_or_default();
    json!(day::moment(Moment { seconds: milliseconds / 1000, nanoseconds }))
}
