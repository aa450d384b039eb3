//! What no route has taken: paths that are not there, and methods that a path does not have. Which
//! there are is asked of the routes themselves.

use rocket::http::Method;
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Rocket, Route};

use super::BASE;
use super::answers;
use super::error::Error;
use crate::catch_all;
use crate::reply::Reply;

/// Behind every other route.
const RANK: isize = 20;

pub fn routes() -> Vec<Route> {
    catch_all::routes(RANK, Rest)
}

#[derive(Clone)]
struct Rest;

#[rocket::async_trait]
impl Handler for Rest {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let allowed = allowed(request.rocket(), request.uri().path().as_str());
        let reply = match (allowed.is_empty(), request.method()) {
            (true, _) => Error::NotFound("resource").reply(),
            (false, Method::Options) => options(&allowed),
            (false, _) => Error::Method(allowed).reply(),
        };
        catch_all::answer(request, reply)
    }
}

fn options(allowed: &str) -> Reply {
    answers::no_content().with("Allow", allowed)
}

/// The methods of the routes that have this path; empty where there is none.
fn allowed<P: rocket::Phase>(rocket: &Rocket<P>, path: &str) -> String {
    let mut methods: Vec<&str> =
        own(rocket).filter(|(_, known)| matches(known, path)).map(|(method, _)| method).collect();
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// Method and path of every route of this dialect but those here.
pub fn own<P: rocket::Phase>(rocket: &Rocket<P>) -> impl Iterator<Item = (&'static str, &str)> {
    let routes = rocket.routes().filter(|route| route.uri.base() == BASE && route.rank != RANK);
    routes.map(|route| (route.method.as_str(), route.uri.path()))
}

/// Segment by segment; one in angle brackets is any that is not empty. To Rocket, a slash at the end
/// says nothing.
fn matches(route: &str, path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    loop {
        match (route.next(), path.next()) {
            (None, None) => return true,
            (Some(known), Some(given)) if known.starts_with('<') && !given.is_empty() => {}
            (Some(known), Some(given)) if known == given => {}
            (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_path_is_that_of_a_route_segment_by_segment() {
        for path in ["/api/v2/users/anna/keys", "/api/v2/users/anna/keys/"] {
            assert!(matches("/api/v2/users/<user>/keys", path), "{path}");
        }
        for path in ["/api/v2/users//keys", "/api/v2/users/anna", "/api/v2/users/anna/key", "/api/v2/users/anna/keys//"]
        {
            assert!(!matches("/api/v2/users/<user>/keys", path), "{path}");
        }
    }
}
