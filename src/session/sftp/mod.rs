//! SFTP version 3 (draft-ietf-secsh-filexfer-02): one blocking loop over one stream.
//!
//! A request is answered before the next one is looked at; the replies to all requests that
//! have come in together go out together. The kernel decides what is allowed, and of that the
//! account's own permissions and its quota.

mod accounts;
mod attributes;
mod copy;
mod directories;
mod extensions;
mod files;
mod handles;
mod longname;
mod names;
mod room;
mod server;
mod status;
mod wire;

use accountd_protocol::login::LinkOrder;
use accountd_protocol::session_policy::Uploads;
use std::os::fd::AsFd;

use nix::errno::Errno;

use crate::limits::Limits;
use crate::path::Tree;
use crate::record::Record;

/// Why a session ended other than by its client.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("cannot read from the client: {0}")]
    Read(Errno),
    #[error("cannot write to the client: {0}")]
    Write(Errno),
    #[error("the client sent a packet of {0} bytes")]
    PacketLength(usize),
    #[error("the client sent a packet that is not whole")]
    Malformed,
    #[error("the client did not begin with its version")]
    NoVersion,
}

/// What a session is given.
#[derive(Debug)]
pub struct Settings {
    pub tree: Tree,
    pub links: LinkOrder,
    pub uploads: Uploads,
    pub record: Record,
    pub limits: Limits,
}

/// Serves until the client closes.
pub fn serve(settings: Settings, input: impl AsFd, output: impl AsFd) -> Result<(), SessionError> {
    let mut server = server::Server::new(settings);
    let result = server.run(&input, &output);
    server.end();
    result
}
