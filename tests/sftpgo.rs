//! The dialect of SFTPGo through the real programs: curl and Python's requests in front, the sandbox's
//! files and an SFTP client behind.

mod client;
mod logins;
mod roles;
mod rows;

use serde_json::json;

use crate::rest::{Disk, Rest};
use crate::world::World;

/// A running sandbox with its administrator's client. Accounts may share a uid in it.
pub struct Server {
    pub rest: Rest,
    pub disk: Disk,
    pub world: World,
}

impl Server {
    pub fn start() -> Self {
        let world = World::start();
        let rest = Rest::sftpgo(&world.api(), "root", &world.admin_password());
        Self { rest, disk: Disk(world.root().to_owned()), world }
    }

    /// A group with this gid, by another dialect.
    pub fn make_group(&self, name: &str, gid: u32) {
        let freenas = Rest::new(&self.world.api(), "root", &self.world.admin_password());
        let group = json!({"bsdgrp_group": name, "bsdgrp_gid": gid});
        freenas.post("/account/groups/", &group.to_string()).object(201);
    }

    /// The id of a user that is made by this request.
    #[track_caller]
    pub fn create(&self, body: &str) -> u64 {
        self.rest.post("/user", body).object(200)["id"].as_u64().unwrap()
    }
}
