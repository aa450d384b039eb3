//! The dialect of RhodeCode through the real programs: curl in front, the sandbox's files behind.

mod accounts;
mod bodies;
mod keys;
mod pulls;
mod repositories;
mod rows;
mod versions;

use serde_json::{Value, json};

use crate::rest::{Answer, Disk, Rest};
use crate::world::World;

/// A running sandbox with its administrator's API key.
pub struct Server {
    pub key: String,
    pub v2: Rest,
    pub disk: Disk,
    pub world: World,
}

impl Server {
    pub fn start() -> Self {
        Self::of(World::start())
    }

    /// Speaking as a version does.
    pub fn speaking(dialect: &str) -> Self {
        Self::of(World::start_with(&format!("{SANDBOX}[rhodecode]\ndialect = \"{dialect}\"\n")))
    }

    pub fn of(world: World) -> Self {
        let v2 = Rest::v2(&world.api(), "root", &world.admin_password());
        let key = make_key(&v2, "rhodecode");
        Self { key, v2, disk: Disk(world.root()), world }
    }

    /// A body as it is sent.
    pub fn post(&self, body: &[u8]) -> Answer {
        let client = Rest { base: format!("{}/_admin/api", self.world.api()), credential: "nobody:nothing".into() };
        client.curl("POST", "", &["-H", "Content-Type: text/plain"], Some(body))
    }

    #[track_caller]
    pub fn answer(&self, body: &[u8]) -> Value {
        let answer = self.post(body);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.body);
        answer.object(200)
    }

    /// What a method says to whoever has a key: its result, or its error.
    #[track_caller]
    pub fn by(&self, key: &str, method: &str, arguments: &Value) -> Result<Value, String> {
        let mut answer =
            self.answer(json!({"api_key": key, "method": method, "args": arguments}).to_string().as_bytes());
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(2), "{answer}");
        match (answer["result"].take(), answer["error"].take()) {
            (result, Value::Null) => Ok(result),
            (Value::Null, Value::String(error)) => Err(error),
            both => panic!("{method} {arguments}: {both:?}"),
        }
    }

    #[track_caller]
    pub fn call(&self, method: &str, arguments: &Value) -> Result<Value, String> {
        self.by(&self.key, method, arguments)
    }

    #[track_caller]
    pub fn does(&self, method: &str, arguments: &Value) -> Value {
        self.call(method, arguments).unwrap_or_else(|error| panic!("{method} {arguments}: {error}"))
    }

    /// A user with its password `pw`.
    #[track_caller]
    pub fn create_user(&self, name: &str) {
        let email = format!("{name}@example.org");
        let new = json!({"username": name, "password": "pw", "firstname": "A", "lastname": "B", "email": email});
        self.does("create_user", &new);
    }

    /// The API key of such a user.
    pub fn key_of(&self, name: &str) -> String {
        make_key(&self.v2.as_user(name, "pw"), "rhodecode")
    }
}

/// What a sandbox has by itself.
const SANDBOX: &str = "[accounts]\npermit_root = \"keys\"\n[bans]\nignore = [\"127.0.0.0/8\", \"::1\"]\n";

fn make_key(rest: &Rest, name: &str) -> String {
    let made = rest.post("/users/~/api-keys", &json!({"name": name}).to_string()).object(201);
    made["key"].as_str().unwrap().to_owned()
}
