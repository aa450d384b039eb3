//! The dialect of AList and OpenList through the real programs: curl and clients that others wrote in front, the
//! sandbox's files and OpenSSH's sftp behind.

mod accounts;
mod attacks;
mod clients;
mod keys;
mod login;
mod rows;
mod sessions;

use serde_json::{Value, json};

use crate::rest::{Answer, Disk, Rest};
use crate::world::{PASSWORD, World};

/// A running sandbox, with a token of its administrator.
pub struct Server {
    pub rest: Rest,
    pub disk: Disk,
    pub world: World,
    pub admin: String,
}

impl Server {
    pub fn start() -> Self {
        Self::of(World::start())
    }

    pub fn of(world: World) -> Self {
        let rest = Rest { base: world.api(), credential: "nobody:none".into() };
        let mut server = Self { rest, disk: Disk(world.root().to_owned()), world, admin: String::new() };
        server.admin = server.log_in("admin", PASSWORD);
        server
    }

    /// By kill(1), as far as it can be.
    pub fn restart_agent(&self) {
        let before = self.world.process("agent");
        self.world.kill("agent");
        self.world.wait_for_another("agent", before);
    }

    /// What curl hears; no credential but the token, which may be none.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> Answer {
        let authorization = format!("Authorization: {token}");
        // Without a value curl sends no such header.
        let header = if token.is_empty() { "Authorization:" } else { &authorization };
        let options = ["-H", header, "-H", "Content-Type: application/json"];
        self.rest.curl(method, path, &options, body.map(str::as_bytes))
    }

    pub fn get(&self, path: &str, token: &str) -> Said {
        Said::of(&self.ask("GET", path, token, None))
    }

    pub fn post(&self, path: &str, token: &str, body: &Value) -> Said {
        Said::of(&self.ask("POST", path, token, Some(&body.to_string())))
    }

    #[track_caller]
    pub fn log_in(&self, user: &str, password: &str) -> String {
        let said = self.post("/api/auth/login", "", &json!({"username": user, "password": password}));
        said.data()["token"].as_str().unwrap().to_owned()
    }

    /// Makes a user whose password is its name, and gives its id.
    #[track_caller]
    pub fn create(&self, name: &str, more: Value) -> u64 {
        let mut user = json!({"username": name, "password": name});
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/api/admin/user/create", &self.admin, &user).succeeds();
        self.id(name)
    }

    #[track_caller]
    pub fn id(&self, name: &str) -> u64 {
        self.shown(name)["id"].as_u64().unwrap()
    }

    /// A user as the list has it.
    #[track_caller]
    pub fn shown(&self, name: &str) -> Value {
        let list = self.get("/api/admin/user/list", &self.admin).data();
        list["content"].as_array().unwrap().iter().find(|user| user["username"] == name).unwrap().clone()
    }
}

/// An envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub code: i64,
    pub message: String,
    pub data: Value,
}

impl Said {
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{}", answer.body);
        let value = answer.value();
        let members: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(members.len(), 3, "{members:?}");
        let message = value["message"].as_str().unwrap().to_owned();
        Self { code: value["code"].as_i64().unwrap(), message, data: value["data"].clone() }
    }

    /// Of a success that says something.
    #[track_caller]
    pub fn data(self) -> Value {
        assert_eq!((self.code, self.message.as_str()), (200, "success"));
        self.data
    }

    #[track_caller]
    pub fn succeeds(self) {
        assert_eq!(self.data(), Value::Null);
    }

    #[track_caller]
    pub fn is_error(&self, code: i64, message: &str) {
        assert_eq!((self.code, self.message.as_str(), &self.data), (code, message, &Value::Null));
    }
}
