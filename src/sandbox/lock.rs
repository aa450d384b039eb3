//! One sandbox on one directory: a locked file with the process id of whoever runs it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::SandboxError;
use super::root::ScratchRoot;

/// Held as long as the sandbox runs.
#[derive(Debug)]
pub struct SandboxLock {
    root: ScratchRoot,
    _file: Flock<File>,
}

impl SandboxLock {
    /// Makes the directory, root's alone, and takes it.
    pub fn take(root: &Path) -> Result<Self, SandboxError> {
        let root = ScratchRoot::make(root)?;
        let file = root.open_or_make_mark().map_err(SandboxError::file("mark", root.path()))?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Err(SandboxError::Running(root.path().to_owned())),
            Err((_, error)) => return Err(SandboxError::kernel("lock the sandbox")(error)),
        };
        file.set_len(0).map_err(SandboxError::file("mark", root.path()))?;
        write!(file, "{}", std::process::id()).map_err(SandboxError::file("mark", root.path()))?;
        Ok(Self { root, _file: file })
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }
}

/// The process that runs the sandbox on `root`.
pub fn holder(root: &Path) -> Result<u32, SandboxError> {
    let not_running = || SandboxError::NotRunning(root.to_owned());
    let mut file = ScratchRoot::find(root)?.read_mark().map_err(|_| not_running())?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|_| not_running())?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Err(not_running()),
        Err(_) => text.trim().parse().map_err(|_| not_running()),
    }
}
