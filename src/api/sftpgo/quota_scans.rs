//! `quota_scan`: what is counted anew.

use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::Refusal;
use rocket::http::Status;
use rocket::{Data, get, post};
use serde::Serialize;

use super::error::Error;
use super::form::Form;
use super::reply::Reply;
use super::users::Signed;
use crate::caller::Authenticated;

#[derive(Debug, Serialize)]
struct Shown {
    username: String,
    /// Milliseconds of Unix time.
    start_time: u64,
}

#[get("/quota_scan")]
pub async fn list(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let scans = caller.scans().await.map_err(Error::of)?;
    let shown = scans.into_iter().map(|scan| Shown { username: scan.name, start_time: scan.started });
    Ok(Reply::object(&shown.collect::<Vec<_>>()))
}

/// Of the body, only the name counts.
#[post("/quota_scan", data = "<data>")]
pub async fn start(caller: Signed, data: Data<'_>) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let name = Form::read(data).await?.username.unwrap_or_default();
    let unknown = |error| match error {
        accountd_core::Error::Refused(Refusal::NotFound) => Error::no_user_named(&name),
        error => Error::of(error),
    };
    let user = caller.find_user(AccountRef::Name(name.clone())).await.map_err(unknown)?;
    if user.builtin {
        return Err(Error::no_user_named(&name));
    }
    caller.start_scan(user.id).await.map_err(unknown)?;
    Ok(Reply::message(Status::Created, "Scan started"))
}
