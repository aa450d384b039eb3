//! A channel for a TCP connection that a session makes as its user (RFC 4254 §7.2).

use accountd_protocol::login::CONNECTED;
use bytes::{Bytes, BytesMut};
use russh::ChannelOpenFailure;
use russh::server::ChannelOpenHandle;

use crate::streams::Reader;

/// Confirms the channel once the session has said that it is connected, and gives what it has said
/// behind that; refuses the channel when it is not.
pub async fn confirm(reply: ChannelOpenHandle, output: &Reader) -> Option<Bytes> {
    let first = output.next(&mut BytesMut::new()).await.unwrap_or_default();
    match first.split_first() {
        Some((&CONNECTED, rest)) => {
            reply.accept().await;
            Some(first.slice_ref(rest))
        }
        Some(_) | None => {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            None
        }
    }
}
