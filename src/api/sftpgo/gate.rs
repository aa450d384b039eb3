//! What stands before the routes: paths have one spelling, methods are those that there are, and a page
//! of another site gets nothing done.

use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

use super::BASE;
use super::error::Error;
use super::reply::Reply;
use crate::catch_all;

/// Before every other route.
const RANK: isize = -20;

/// HEAD is not GET here.
pub fn routes() -> Vec<Route> {
    let mut routes = catch_all::routes(RANK, Gate);
    routes.push(catch_all::route(RANK, Method::Head, Gate));
    routes
}

#[derive(Clone)]
struct Gate;

#[rocket::async_trait]
impl Handler for Gate {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let Some(reply) = refusal(request) else { return Outcome::forward(data, Status::NotFound) };
        catch_all::answer(request, reply)
    }
}

fn refusal(request: &Request<'_>) -> Option<Reply> {
    let Some(methods) = methods(request.uri().path().as_str()) else { return Some(unknown_path()) };
    if !methods.contains(&request.method()) || is_form_for_deletion(request) {
        return Some(Reply::message(Status::MethodNotAllowed, "Method not allowed"));
    }
    if is_from_elsewhere(request) {
        return Some(Error::NotPermitted("requests from pages of other sites are not taken").reply());
    }
    None
}

pub fn unknown_path() -> Reply {
    Reply::message(Status::NotFound, "Not Found")
}

/// What can be done with a path; `None` where there is none. A slash at the end is another path.
fn methods(path: &str) -> Option<&'static [Method]> {
    let parts: Vec<&str> = path.strip_prefix(BASE)?.strip_prefix('/')?.split('/').collect();
    match parts.as_slice() {
        ["user"] | ["quota_scan"] => Some(&[Method::Get, Method::Post]),
        ["user", id] if !id.is_empty() => Some(&[Method::Get, Method::Put, Method::Delete]),
        ["connection"] | ["version"] => Some(&[Method::Get]),
        ["connection", id] if !id.is_empty() => Some(&[Method::Delete]),
        _ => None,
    }
}

/// Rocket lets a field `_method` of a form stand for another method. In a PUT that is no JSON; a
/// DELETE has no body that would show it.
fn is_form_for_deletion(request: &Request<'_>) -> bool {
    let is_form = request.content_type().is_some_and(|kind| kind.is_form() || kind.is_form_data());
    request.method() == Method::Delete && is_form
}

/// A body counts here whatever it says that it is, so that a page of any site could have a browser send one,
/// with the credential that the browser remembers. Browsers say whose page it is; other clients say nothing.
fn is_from_elsewhere(request: &Request<'_>) -> bool {
    let host = request.headers().get_one("Host").unwrap_or_default();
    let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, site)| site.eq_ignore_ascii_case(host));
    request.headers().get("Origin").any(|origin| !is_own(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        for path in ["user", "user/7", "user/x", "quota_scan", "connection", "connection/ab", "version"] {
            assert!(methods(&format!("/api/v1/{path}")).is_some(), "{path}");
        }
        for path in ["", "/", "/user/", "/user/7/", "/user//7", "//user", "/User", "/version/1", "/quota_scan/1"] {
            assert!(methods(&format!("/api/v1{path}")).is_none(), "{path}");
        }
    }
}
