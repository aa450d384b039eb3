//! Routes that take every path below a dialect's base, before or behind those that it has.

use rocket::http::Method;
use rocket::response::Responder;
use rocket::route::{Handler, Outcome};
use rocket::{Request, Route};

/// One for each method but HEAD, which comes by as GET where it has no route of its own.
pub fn routes(rank: isize, handler: impl Handler + Clone) -> Vec<Route> {
    let methods = [
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Delete,
        Method::Options,
        Method::Trace,
        Method::Connect,
        Method::Patch,
    ];
    methods.into_iter().map(|method| route(rank, method, handler.clone())).collect()
}

pub fn route(rank: isize, method: Method, handler: impl Handler) -> Route {
    Route::ranked(rank, method, "/<path..>", handler)
}

pub fn answer<'r>(request: &'r Request<'_>, reply: impl Responder<'r, 'static>) -> Outcome<'r> {
    match reply.respond_to(request) {
        Ok(response) => Outcome::Success(response),
        Err(status) => Outcome::Error(status),
    }
}
