//! What can go wrong in the SSH front.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use accountd_protocol::frame::FrameError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start the threads of connections: {0}")]
    Workers(io::Error),
    #[error("cannot wait for signals: {0}")]
    Signal(io::Error),
    #[error("cannot {doing} the host key {path}: {source}")]
    HostKeyFile { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the host key {path} is not usable: {reason}")]
    HostKey { path: PathBuf, reason: String },
    #[error("there are two host keys of type {0}")]
    SameHostKey(String),
    #[error("cannot read the banner {path}: {source}")]
    Banner { path: PathBuf, source: io::Error },
    #[error("cannot reach accountd-login at {path}: {source}")]
    Login { path: PathBuf, source: io::Error },
    #[error("accountd-login: {0}")]
    Frame(#[from] FrameError),
    #[error("accountd-login has closed the connection or answered something else")]
    LoginGone,
    #[error("the client has gone")]
    ClientGone,
    #[error("a channel took no data for too long")]
    Stalled,
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}
