//! Memory of sessions on which nothing happens.

use std::sync::Arc;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, client::Msg};

use super::peers::{Peers, Side};
use super::processes::memory_kib;

/// Connections of one account stay below what accountd allows one.
const EACH: usize = 30;
const OURS: usize = 1000;
const THEIRS: usize = 200;

struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

pub fn run(peers: &Peers) {
    let users: Vec<String> = (0..OURS.div_ceil(EACH)).map(|number| format!("idle{number}")).collect();
    users.iter().zip(5000..).for_each(|(name, uid)| peers.make_user(name, uid));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("\nIdle sessions of sftp, KiB each (PSS of all the server's processes)");
    for (name, side, count) in [("accountd", peers.ours(), OURS), ("sshd", peers.theirs(), THEIRS)] {
        let before = memory_kib(&side.processes);
        let open: Vec<_> =
            (0..count).map(|number| runtime.block_on(session(peers, side, &users[number / EACH]))).collect();
        let after = memory_kib(&side.processes);
        println!("{name}: {:.0} with {count} sessions", (after - before) / count as f64);
        drop(open);
    }
}

async fn session(peers: &Peers, side: &Side, user: &str) -> (Handle<Trusting>, Channel<Msg>) {
    let key = load_secret_key(peers.world.client_file("key"), None).unwrap();
    let mut connection = client::connect(Arc::default(), side.address, Trusting).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(matches!(connection.authenticate_publickey(user, key).await.unwrap(), AuthResult::Success));
    let channel = connection.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    (connection, channel)
}
