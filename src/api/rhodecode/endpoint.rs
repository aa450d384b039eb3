//! The one path: any method, whatever the body says that it is, and always the status 200.

use accountd_core::Core;
use accountd_protocol::dialects::RhodecodeWording;
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};
use serde_json::Value;

use super::PATH;
use super::call::Call;
use super::error::Error;
use super::reply::Reply;
use super::request::{Asked, Sent};
use super::wording::Words;
use crate::body;
use crate::caller::source;
use crate::catch_all;

/// In mebibytes: more than any request is.
const LARGEST: u64 = 1;
/// So much of one that is larger is passed over before the answer.
const PASSED_OVER: u64 = 64;
const RANK: isize = -20;

pub fn routes() -> Vec<Route> {
    let mut routes = catch_all::routes(RANK, Endpoint);
    routes.push(catch_all::route(RANK, Method::Head, Endpoint));
    routes
}

#[derive(Clone)]
struct Endpoint;

#[rocket::async_trait]
impl Handler for Endpoint {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let Some(core) = request.rocket().state::<Core>().filter(|_| request.uri().path() == PATH) else {
            return Outcome::forward(data, Status::NotFound);
        };
        let wording = match core.dialects().await {
            Ok(dialects) => dialects.rhodecode,
            // The same is found again when somebody is to be who asks.
            Err(_) => Some(RhodecodeWording::default()),
        };
        let Some(wording) = wording else { return Outcome::forward(data, Status::NotFound) };
        let reply = answer(core, Words(wording), (request, data)).await;
        catch_all::answer(request, reply)
    }
}

async fn answer(core: &Core, words: Words, (request, data): (&Request<'_>, Data<'_>)) -> Reply {
    let sent = match read(request, data).await {
        Ok(sent) => sent,
        Err(error) => return Reply::of(None, Err(error)),
    };
    let (id, asked) = sent.into_parts();
    Reply::of(id, done(core, words, (request, asked)).await)
}

async fn done(
    core: &Core,
    words: Words,
    (request, asked): (&Request<'_>, Result<Asked, Error>),
) -> Result<Value, Error> {
    let Asked { key, method, arguments } = asked?;
    let key = key.ok_or(Error::InvalidKey)?;
    let caller = core.caller_of_key(key, source(request)).await.map_err(Error::of_key)?;
    Call::of(caller, words, (method, arguments))?.perform().await
}

/// A request without a body says no length either.
async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Sent, Error> {
    let says_chunked = request.headers().contains("Transfer-Encoding");
    let bytes = body::read_to_its_end((LARGEST, PASSED_OVER), data).await.map_err(Error::of_body)?;
    match (bytes.is_empty(), says_chunked) {
        (false, _) => Sent::of(&bytes),
        (true, true) => Err(Error::NoLength),
        (true, false) => Err(Error::NothingSent),
    }
}
