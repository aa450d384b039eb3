//! What can go wrong with a sandbox.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the sandbox needs root: it makes users and becomes them")]
    NotRoot,
    #[error("{path} can not be the root of a sandbox: {why}")]
    Unsuitable { path: PathBuf, why: &'static str },
    #[error("a sandbox is running on {0} already")]
    Running(PathBuf),
    #[error("no sandbox is running on {0}")]
    NotRunning(PathBuf),
    #[error("cannot {doing} {path}: {source}")]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {doing}: {source}")]
    Kernel { doing: &'static str, source: Errno },
    #[error("{program} is not beside this program in {directory}: build the whole workspace")]
    NoProgram { program: &'static str, directory: PathBuf },
    #[error("cannot run {program}: {source}")]
    Run { program: String, source: io::Error },
    #[error("{program} failed: {message}")]
    Failed { program: String, message: String },
    #[error("{0} did not become ready")]
    NotReady(&'static str),
    #[error("the administrator's password must be one line of 1 to 511 bytes")]
    Password,
}

impl SandboxError {
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| SandboxError::File { doing, path, source }
    }

    pub fn kernel(doing: &'static str) -> impl FnOnce(Errno) -> Self {
        move |source| SandboxError::Kernel { doing, source }
    }
}
