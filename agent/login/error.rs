//! What can go wrong in accountd-login.

use std::io;
use std::path::PathBuf;

use accountd_protocol::frame::FrameError;
use nix::errno::Errno;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing}: {source}")]
    Kernel { doing: &'static str, source: Errno },
    #[error("cannot open the session program {path}: {source}")]
    Program { path: PathBuf, source: io::Error },
    #[error("cannot listen on {path}: {source}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("the front sent what it should not: {0}")]
    Frame(#[from] FrameError),
    #[error("the front asked out of turn")]
    OutOfTurn,
    #[error("the spawner does not answer: {0}")]
    Spawner(io::Error),
    #[error("the spawner has ended")]
    SpawnerEnded,
    #[error("a module of PAM has crashed, or all of them took longer than {0} seconds")]
    ModulesEnded(u32),
    #[error("whom PAM would ask can not be asked: {0}")]
    PamUnavailable(String),
    #[error("PAM opens no session: {0}")]
    SessionRefused(String),
    #[error("the client has gone")]
    ClientGone,
    #[error("the session could not be started: {0}")]
    Start(String),
}

impl Error {
    pub fn kernel(doing: &'static str) -> impl FnOnce(Errno) -> Self {
        move |source| Error::Kernel { doing, source }
    }
}
