//! The FreeNAS dialect through the real programs: curl in front, the sandbox's files behind.

mod accounts;
mod bulk;
mod groups;
pub mod keys;
mod passwords;
mod transport;

use crate::rest::{Disk, Rest};
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
        let rest = Rest::new(&world.api(), "root", &world.admin_password());
        Self { rest, disk: Disk(world.root().to_owned()), world }
    }
}

/// The same user with bash as the shell.
pub fn with_bash(user: &str) -> String {
    let mut user: serde_json::Value = serde_json::from_str(user).unwrap();
    user["bsdusr_shell"] = "/bin/bash".into();
    user.to_string()
}

/// A request for a new user with a group of its own.
pub fn new_user(name: &str, uid: u32, password: &str) -> String {
    serde_json::json!({
        "bsdusr_username": name, "bsdusr_uid": uid, "bsdusr_password": password, "bsdusr_full_name": "Some One",
        "bsdusr_creategroup": true, "bsdusr_home": "/mnt/tank/home",
    })
    .to_string()
}
