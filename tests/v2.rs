//! Our own dialect through the real programs: curl in front, the sandbox's files behind.

mod ageing;
mod api_keys;
mod audit;
mod batch;
pub mod batch_passwords;
mod batch_refused;
mod batch_updates;
mod bodies;
mod forms;
mod groups;
mod guarded;
mod idempotency;
mod keys;
mod lists;
mod names;
mod own_password;
mod password_history;
mod policy;
mod preconditions;
mod random_password;
mod roles;
mod transport;
mod users;

use serde_json::Value;

use crate::rest::{Answer, Disk, Rest};
use crate::world::World;

/// A running sandbox with its administrator's client.
pub struct Nas {
    pub rest: Rest,
    pub disk: Disk,
    pub world: World,
}

impl Nas {
    pub fn start() -> Self {
        Self::of(World::start())
    }

    pub fn of(world: World) -> Self {
        let rest = Rest::v2(&world.api(), "root", &world.admin_password());
        Self { rest, disk: Disk(world.root()), world }
    }

    /// A request with a body of JSON and one more header.
    pub fn send(&self, method: &str, path: &str, header: &str, body: &Value) -> Answer {
        let options = ["-H", "Content-Type: application/json", "-H", header];
        self.rest.curl(method, path, &options, Some(body.to_string().as_bytes()))
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.rest.post(path, &body.to_string()).object(201)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.rest.json("PATCH", path, &body.to_string())
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.rest.put(path, &body.to_string())
    }

    #[track_caller]
    pub fn tag(&self, path: &str) -> String {
        let answer = self.rest.get(path);
        answer.status_is(200);
        answer.header("etag").unwrap().to_owned()
    }
}

/// Asserts a problem: its status, its type, and field and code of each error.
#[track_caller]
pub fn problem(answer: &Answer, status: u16, kind: &str, errors: &[(&str, &str)]) {
    let body = answer.object(status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!((&body["type"], &body["status"]), (&Value::from(kind), &Value::from(status)), "{body}");
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found: Vec<(String, String)> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert!(!text(&error["message"]).is_empty());
            (text(&error["field"]), text(&error["code"]))
        })
        .collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(field, code)| (&**field, &**code)).collect();
    assert_eq!(found, errors, "{body}");
}
