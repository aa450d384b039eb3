//! Which request is for what. Paths have one spelling; what is not in the table is where AList has its web front end.

use accountd_core::Core;
use accountd_protocol::dialects::Dialects;
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

use super::error::Error;
use super::login::Form;
use super::reply::Reply;
use super::request::Asked;
use super::{BASE, admin, files, login, me, public, second_factor, ssh_keys};
use crate::{ProgramBuild, catch_all};

/// Behind the gates of other dialects, before their routes.
const RANK: isize = -19;
/// Where other dialects begin.
const OF_OTHERS: [&str; 3] = ["v1", "v1.0", "v2"];

pub fn routes() -> Vec<Route> {
    every(Api)
}

pub fn ping_routes() -> Vec<Route> {
    every(Ping)
}

/// HEAD is not GET here.
fn every(handler: impl Handler + Clone) -> Vec<Route> {
    let mut routes = catch_all::routes(RANK, handler.clone());
    routes.push(catch_all::route(RANK, Method::Head, handler));
    routes
}

#[derive(Clone)]
struct Ping;

#[rocket::async_trait]
impl Handler for Ping {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        match request.rocket().state::<Core>() {
            Some(core) if request.uri().path() == "/ping" => match core.dialects().await {
                Ok(Dialects { alist: None, .. }) => Outcome::forward(data, Status::NotFound),
                Ok(_) | Err(_) => catch_all::answer(request, Reply::text(Status::Ok, "pong")),
            },
            Some(_) | None => Outcome::forward(data, Status::NotFound),
        }
    }
}

#[derive(Clone)]
struct Api;

#[rocket::async_trait]
impl Handler for Api {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let path = request.uri().path().as_str();
        let below = path.strip_prefix(BASE).unwrap_or_default().trim_start_matches('/');
        let first = below.split('/').next().unwrap_or_default();
        if OF_OTHERS.contains(&first) {
            return Outcome::forward(data, Status::NotFound);
        }
        let Some(core) = request.rocket().state::<Core>() else {
            return Outcome::forward(data, Status::NotFound);
        };
        let settings = match core.dialects().await {
            Ok(Dialects { alist: Some(settings), .. }) => settings,
            Ok(Dialects { alist: None, .. }) => return Outcome::forward(data, Status::NotFound),
            Err(error) => return catch_all::answer(request, Reply::error(&Error::of(error))),
        };
        let asked = Asked { request, core, settings };
        let reply = answer(&asked, below, data).await.unwrap_or_else(|error| Reply::error(&error));
        catch_all::answer(request, reply)
    }
}

async fn answer(asked: &Asked<'_>, path: &str, data: Data<'_>) -> Result<Reply, Error> {
    match (asked.request.method(), path) {
        (Method::Post, "auth/login") => login::login(asked, data, Form::Clear).await,
        (Method::Post, "auth/login/hash") => login::login(asked, data, Form::Static).await,
        (Method::Post, "auth/login/ldap") => Err(Error::LdapDisabled),
        (Method::Get, "auth/logout") => login::logout(asked).await,
        (Method::Post, "auth/2fa/generate") => second_factor::generate(asked).await,
        (Method::Post, "auth/2fa/verify") => second_factor::verify(asked, data).await,
        (Method::Get, "me") => me::show(asked).await,
        (Method::Post, "me/update") => me::update(asked, data).await,
        (Method::Get, "me/sshkey/list") => ssh_keys::list_own(asked).await,
        (Method::Post, "me/sshkey/add") => ssh_keys::add(asked, data).await,
        (Method::Post, "me/sshkey/delete") => ssh_keys::delete_own(asked).await,
        (Method::Get, "public/settings") => Ok(public::settings(asked.request.rocket().state::<ProgramBuild>())),
        (Method::Get, "public/archive_extensions" | "public/offline_download_tools") => Ok(public::none()),
        (Method::Post, "fs/get") => files::get(asked, data).await,
        (Method::Post, "fs/list") => files::list(asked, data).await,
        (Method::Post, "fs/dirs") => files::dirs(asked, data).await,
        (Method::Post, _) if path.starts_with("fs/") => files::other(asked).await,
        (method, _) => match path.strip_prefix("admin/user/") {
            Some(rest) => administer(asked, (method, rest), data).await,
            None => Ok(elsewhere(method)),
        },
    }
}

async fn administer(asked: &Asked<'_>, (method, path): (Method, &str), data: Data<'_>) -> Result<Reply, Error> {
    match (method, path) {
        (Method::Get, "list") => admin::list(asked).await,
        (Method::Get, "get") => admin::show(asked).await,
        (Method::Post, "create") => admin::create(asked, data).await,
        (Method::Post, "update") => admin::update(asked, data).await,
        (Method::Post, "cancel_2fa") => admin::cancel_second_factor(asked).await,
        (Method::Post, "delete") => admin::delete(asked).await,
        (Method::Post, "del_cache") => admin::drop_cache(asked).await,
        (Method::Get, "sshkey/list") => ssh_keys::list_of_user(asked).await,
        (Method::Post, "sshkey/delete") => ssh_keys::delete_of_user(asked).await,
        (method, _) => Ok(elsewhere(method)),
    }
}

/// A page where one could be, and nothing for what no page is asked by. A browser asks first whether a page of
/// another site may ask; it may.
fn elsewhere(method: Method) -> Reply {
    match method {
        Method::Get | Method::Post => Reply::page(),
        Method::Options => Reply::empty(Status::NoContent),
        Method::Put | Method::Delete | Method::Head | Method::Trace | Method::Connect | Method::Patch => {
            Reply::empty(Status::MethodNotAllowed)
        }
    }
}
