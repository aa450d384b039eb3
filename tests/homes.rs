//! What becomes of a home when its account gets another home, uid or group: the shipped programs
//! with the file systems, tools and users of a NAS.

mod copied;
mod hostile;
mod interrupted;
mod moved;
mod owner;
mod unmounted;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::freenas::{Nas, new_user};

/// A sandbox with a user anna (uid 3001) at `/mnt/tank/home/anna`.
pub struct Anna {
    pub nas: Nas,
    pub id: u64,
}

/// Disks that others use too may take their time.
const PATIENCE: Duration = Duration::from_secs(180);

pub const OLD: &str = "/mnt/tank/home/anna";
pub const NEW: &str = "/mnt/tank/new/anna";

impl Anna {
    pub fn start() -> Self {
        let nas = Nas::start();
        let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
        Self { nas, id }
    }

    /// A shell script as anna, at home.
    #[track_caller]
    pub fn sh(&self, script: &str) {
        self.sh_as(3001, script);
    }

    #[track_caller]
    pub fn sh_as(&self, uid: u32, script: &str) {
        let (uid, script) = (uid.to_string(), format!("set -e; cd {OLD}; {script}"));
        let command = ["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups", "bash", "-c", &script];
        self.nas.world.run(&command);
    }

    /// The same as root; gives what it said.
    #[track_caller]
    pub fn root(&self, script: &str) -> String {
        self.nas.world.run(&["bash", "-c", &format!("set -e; {script}")])
    }

    #[track_caller]
    pub fn put(&self, change: &Value) -> Value {
        self.nas.rest.put(&format!("/account/users/{}/", self.id), &change.to_string()).object(200)
    }

    #[track_caller]
    pub fn put_refused(&self, change: &Value, said: &str) {
        let answer = self.nas.rest.put(&format!("/account/users/{}/", self.id), &change.to_string());
        assert_eq!(answer.status, 409, "{}", answer.body);
        assert!(answer.body.contains(said), "{}", answer.body);
    }

    /// What is shown of the home.
    #[track_caller]
    pub fn home(&self) -> Value {
        self.nas.rest.get(&format!("/account/users/{}/home/", self.id)).object(200)
    }

    /// The transfer, when it has come to its end.
    #[track_caller]
    pub fn transferred(&self) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let transfer = &self.home()["transfer"];
            if ["done", "failed"].iter().any(|state| transfer["state"] == *state) {
                return transfer.clone();
            }
            assert!(Instant::now() < end, "the transfer does not end: {transfer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub fn done(&self, kind: &str, left_alone: u64) {
        let transfer = self.transferred();
        let seen = (&transfer["state"], &transfer["kind"], &transfer["left_alone"], &transfer["error"]);
        assert_eq!(seen, (&json!("done"), &json!(kind), &json!(left_alone), &Value::Null), "{transfer}");
    }

    pub fn is_there(&self, path: &str) -> bool {
        self.nas.disk.path(path).symlink_metadata().is_ok()
    }
}
