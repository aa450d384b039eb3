//! Sessions and connections: how they are counted, and how they end.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg};

use crate::freenas::{Nas, new_user};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// SSH_FXP_INIT of version 3, and how the answer begins.
const INIT: [u8; 9] = [0, 0, 0, 5, 1, 0, 0, 0, 3];
const VERSION: u8 = 2;
/// SSH_FXP_REALPATH of `.`.
const REALPATH: [u8; 14] = [0, 0, 0, 10, 16, 0, 0, 0, 1, 0, 0, 0, 1, b'.'];

/// A sandbox with `anna` (uid 3001, password `pw`).
fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas
}

/// A client that trusts every host key.
struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn connect(nas: &Nas) -> Handle<Trusting> {
    let config = Arc::new(client::Config::default());
    client::connect(config, nas.world.ssh(), Trusting).await.unwrap()
}

async fn log_in(nas: &Nas) -> Handle<Trusting> {
    let mut connection = connect(nas).await;
    assert!(matches!(connection.authenticate_password("anna", "pw").await.unwrap(), AuthResult::Success));
    connection
}

/// A channel on which SFTP has answered.
async fn sftp(connection: &Handle<Trusting>) -> Channel<client::Msg> {
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert_eq!(greet(&mut channel).await, Some(VERSION));
    channel
}

/// The kind of the first packet that SFTP sends, if it sends one.
async fn greet(channel: &mut Channel<client::Msg>) -> Option<u8> {
    channel.data(&INIT[..]).await.unwrap();
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            return data.get(4).copied();
        }
    }
    None
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it took too long") })
}

#[test]
fn closing_one_channel_leaves_the_others_of_its_connection() {
    let nas = nas_with_anna();
    block_on(async {
        let connection = log_in(&nas).await;
        let closed = sftp(&connection).await;
        let mut left = sftp(&connection).await;
        closed.close().await.unwrap();
        // A round trip of the one, and another channel; then time for what must not happen.
        left.data(&REALPATH[..]).await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(5), left.wait()).await.unwrap();
        assert!(matches!(answered, Some(ChannelMsg::Data { .. })), "{answered:?}");
        tokio::time::sleep(Duration::from_millis(700)).await;
        drop(sftp(&connection).await);
        assert!(!connection.is_closed());
    });
}
