//! What accounts and groups are limited to: set over REST, held against logins and sessions of OpenSSH's
//! clients.

mod bandwidth;
mod btrfs;
mod connections;
mod logins;
mod quota;
mod restarts;
mod set;

use serde_json::{Value, json};

use crate::openssh::Client;
use crate::v2::Nas;
use crate::world::World;

const HOME: &str = "/mnt/tank/home/anna";

/// A sandbox with `anna`, whose password is `pw`, who has a shell and these limits.
fn nas_with(limits: &Value) -> Nas {
    let nas = Nas::of(World::start_with("[bans]\nfirst_delay_seconds = 0\nban_after = 0\n"));
    let shell = "/bin/bash";
    nas.post("/users", &json!({"username": "anna", "password": "pw", "home": HOME, "shell": shell, "limits": limits}));
    nas
}

fn anna(nas: &Nas) -> Client<'_> {
    nas.world.with_password("anna", "pw")
}

fn limit(nas: &Nas, limits: &Value) {
    nas.patch("/users/anna", &json!({"limits": limits})).status_is(200);
}
