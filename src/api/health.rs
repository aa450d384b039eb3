//! `/healthz` and `/readyz`: for whoever watches over this program. Nobody has to say who they are,
//! and nothing is told but yes or no.

use accountd_core::Core;
use rocket::http::Status;
use rocket::{Build, Rocket, State, get, routes};
use serde_json::json;

use crate::reply::Reply;

/// The path of [`alive`].
pub const ALIVE: &str = "/healthz";

pub fn attach(rocket: Rocket<Build>) -> Rocket<Build> {
    rocket.mount("/", routes![alive, ready])
}

/// This program answers.
#[get("/healthz")]
fn alive() -> Reply {
    reply(Status::Ok, "ok")
}

/// So does the agent, without which nothing can be done.
#[get("/readyz")]
async fn ready(core: &State<Core>) -> Reply {
    match core.ready().await {
        Ok(()) => reply(Status::Ok, "ready"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            reply(Status::ServiceUnavailable, "unavailable")
        }
    }
}

fn reply(status: Status, word: &str) -> Reply {
    let body = json!({"status": word}).to_string();
    let headers = vec![("Cache-Control", "no-store".to_owned())];
    Reply { status, content_type: Some("application/json"), body, headers }
}
