//! What surrounds the routes: the trailing slash, ids that are none, methods that are not there.

use accountd_protocol::id::AccountId;
use rocket::http::uri::Origin;
use rocket::http::{Method, Status};
use rocket::request::FromParam;
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

use super::error::Error;
use super::reply::Reply;
use crate::catch_all::{self, answer};

/// An id in a path; what is none is told apart from what is not there.
#[derive(Clone, Copy, Debug)]
pub struct Id(Option<AccountId>);

impl Id {
    pub fn of(text: &str) -> Self {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Id(digits.then(|| AccountId(text.parse().unwrap_or(u64::MAX))))
    }

    pub fn get(self) -> Result<AccountId, Error> {
        self.0.ok_or(Error::NotAnId)
    }
}

impl<'a> FromParam<'a> for Id {
    type Error = std::convert::Infallible;

    fn from_param(text: &'a str) -> Result<Self, Self::Error> {
        Ok(Id::of(text))
    }
}

/// A path that this dialect has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Users,
    Groups,
    Detail,
    Memberships,
    Password,
    Home,
    /// What can only be looked at: the index, a schema, a set, a list of all.
    View,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix(super::BASE)?;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] | ["account", "all_users" | "all_groups"] => Some(Endpoint::View),
            ["account", "users"] => Some(Endpoint::Users),
            ["account", "groups"] => Some(Endpoint::Groups),
            ["account", "users" | "groups", "schema"] => Some(Endpoint::View),
            ["account", "users" | "groups", "set", _] => Some(Endpoint::View),
            ["account", "users" | "groups", _] => Some(Endpoint::Detail),
            ["account", "users", _, "groups"] => Some(Endpoint::Memberships),
            ["account", "users", _, "password"] => Some(Endpoint::Password),
            ["account", "users", _, "home"] => Some(Endpoint::Home),
            _ => None,
        }
    }

    /// What it answers to; deleting a whole list is not among it, and never will be.
    fn allowed(self) -> &'static str {
        match self {
            Endpoint::Users => "GET,POST,PATCH",
            Endpoint::Groups => "GET,POST",
            Endpoint::Detail => "GET,PUT,DELETE,PATCH",
            Endpoint::Memberships | Endpoint::Home => "POST,GET",
            Endpoint::Password => "POST",
            Endpoint::View => "GET",
        }
    }

    /// The answer to a method for which there is no route.
    fn without_route(self, method: Method) -> Reply {
        let allowed = self.allowed();
        match (self, method) {
            (Endpoint::Users | Endpoint::Groups | Endpoint::Detail, Method::Options) => {
                Reply::text(Status::Ok, OPTIONS).with("Allow", OPTIONS)
            }
            (Endpoint::Memberships | Endpoint::Password | Endpoint::Home | Endpoint::View, Method::Options) => {
                Reply::text(Status::Ok, allowed).with("Allow", allowed)
            }
            (Endpoint::Detail, Method::Post) => Reply::empty(Status::NotImplemented),
            _ => Reply::text(Status::MethodNotAllowed, allowed).with("Allow", allowed),
        }
    }
}

const OPTIONS: &str = "GET,POST,PUT,DELETE,PATCH";

/// Before the routes, the slash; after them, what they leave.
pub fn routes() -> Vec<Route> {
    [catch_all::routes(-20, Slash), catch_all::routes(20, Rest)].concat()
}

/// Sends a client that left out the slash at the end to where it is, whatever the method.
#[derive(Clone)]
struct Slash;

#[rocket::async_trait]
impl Handler for Slash {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        if let Some(location) = moved(request.uri()) {
            return answer(request, Reply::empty(Status::MovedPermanently).with("Location", location));
        }
        let endpoint = Endpoint::of(request.uri().path().as_str());
        match (endpoint, request.method()) {
            // "schema" and "set" are no ids, whatever is to be done with them.
            (Some(Endpoint::View), method) if !matches!(method, Method::Get | Method::Head) => {
                answer(request, Endpoint::View.without_route(method))
            }
            _ => Outcome::forward(data, Status::NotFound),
        }
    }
}

fn moved(uri: &Origin<'_>) -> Option<String> {
    let path = uri.path().as_str();
    if path.ends_with('/') {
        return None;
    }
    Endpoint::of(path)?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{path}/{query}"))
}

/// Whatever no route has taken.
#[derive(Clone)]
struct Rest;

#[rocket::async_trait]
impl Handler for Rest {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        match Endpoint::of(request.uri().path().as_str()) {
            Some(endpoint) => answer(request, endpoint.without_route(request.method())),
            None => answer(request, Reply::unknown_path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_by_their_parts() {
        assert_eq!(Endpoint::of("/api/v1.0/account/users/"), Some(Endpoint::Users));
        assert_eq!(Endpoint::of("/api/v1.0/account/groups/7"), Some(Endpoint::Detail));
        assert_eq!(Endpoint::of("/api/v1.0/account/users/7/password/"), Some(Endpoint::Password));
        assert_eq!(Endpoint::of("/api/v1.0/account/users/7/home/"), Some(Endpoint::Home));
        for path in ["/api/v1.0/", "/api/v1.0/account/all_users/", "/api/v1.0/account/groups/set/1;2/"] {
            assert_eq!(Endpoint::of(path), Some(Endpoint::View), "{path}");
        }
        for path in ["/", "/api/v1.0/account/", "/api/v1.0/account/users/7/x/", "/account/users/"] {
            assert_eq!(Endpoint::of(path), None, "{path}");
        }
    }

    #[test]
    fn an_id_is_digits_and_nothing_else() {
        for text in ["", "-1", "+1", "1a", "1.0", " 1", "٣"] {
            assert!(Id::from_param(text).unwrap().get().is_err(), "{text:?}");
        }
        assert_eq!(Id::from_param("17").unwrap().get().unwrap(), AccountId(17));
        assert!(Id::from_param("99999999999999999999999999").unwrap().get().is_ok());
    }
}
