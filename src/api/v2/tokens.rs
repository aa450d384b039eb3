//! `/tokens`: what a client shows for a while instead of password and code.

use accountd_protocol::audit::Moment;
use rocket::http::{ContentType, Status};
use rocket::{delete, post};
use serde_json::json;

use super::error::Error;
use super::faults::Kind;
use super::sent::Sent;
use super::users::failed;
use super::{answers, day};
use crate::body::no_browser_form;
use crate::caller::{LoggedIn, NoCaller, now};
use crate::reply::Reply;

/// A day, in seconds.
const USUAL_LIFETIME: u32 = 86_400;

/// Of the caller. The body may be an empty object.
#[post("/tokens", data = "<sent>")]
pub async fn create(sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let (caller, mut input) = sent?.open(Kind::User)?;
    input.refuse_null("lifetime");
    let lifetime = input.number("lifetime").value().unwrap_or(USUAL_LIFETIME);
    input.finish(&[])?;
    // Before it is made, so that it is not good for less than is said.
    let expires = day::moment(Moment { seconds: now() + u64::from(lifetime), nanoseconds: 0 });
    let token = caller.create_token(lifetime).await.map_err(failed)?;
    Ok(answers::json(Status::Created, &json!({"token": token.reveal(), "expires": expires})))
}

/// The one that the request is sent with.
#[delete("/tokens/current")]
pub async fn revoke(shown: Result<LoggedIn, NoCaller>, content_type: Option<&ContentType>) -> Result<Reply, Error> {
    no_browser_form(content_type)?;
    let LoggedIn { caller, token } = shown?;
    caller.revoke_token(token).await.map_err(failed)?;
    Ok(answers::no_content())
}
