//! One line of log for each request: what, whose address, how it ended. No header and no body is
//! logged, so no credential is.

use std::time::Instant;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Status;
use rocket::{Data, Request, Response};

use crate::health::ALIVE;

pub struct AccessLog;

/// When a request arrived.
#[derive(Clone, Copy)]
struct Arrived(Instant);

#[rocket::async_trait]
impl Fairing for AccessLog {
    fn info(&self) -> Info {
        Info { name: "access log", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        request.local_cache(|| Arrived(Instant::now()));
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let arrived = request.local_cache(|| Arrived(Instant::now()));
        if request.uri().path() == ALIVE && response.status() == Status::Ok {
            // Asked again and again by whoever watches over this program.
            return;
        }
        tracing::info!(
            method = %request.method(),
            path = request.uri().path().as_str(),
            source = request.remote().map(|address| address.ip().to_string()),
            status = response.status().code,
            milliseconds = arrived.0.elapsed().as_millis() as u64,
            "request"
        );
    }
}
