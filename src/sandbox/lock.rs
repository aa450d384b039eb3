//! One sandbox on one directory: a locked file with the process id of whoever runs it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::SandboxError;

const NAME: &str = ".accountd-sandbox";

/// Held as long as the sandbox runs.
#[derive(Debug)]
pub struct SandboxLock {
    root: PathBuf,
    _file: Flock<File>,
}

impl SandboxLock {
    /// Makes the directory, root's alone, and takes it.
    pub fn take(root: &Path) -> Result<Self, SandboxError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(root).map_err(SandboxError::file("make", root))?;
        let root = fs::canonicalize(root).map_err(SandboxError::file("find", root))?;
        fs::set_permissions(&root, Permissions::from_mode(0o700)).map_err(SandboxError::file("protect", &root))?;
        let path = root.join(NAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(SandboxError::file("open", &path))?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Err(SandboxError::Running(root)),
            Err((_, error)) => return Err(SandboxError::kernel("lock the sandbox")(error)),
        };
        file.set_len(0).map_err(SandboxError::file("write", &path))?;
        write!(file, "{}", std::process::id()).map_err(SandboxError::file("write", &path))?;
        Ok(Self { root, _file: file })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The process that runs the sandbox on `root`.
pub fn holder(root: &Path) -> Result<u32, SandboxError> {
    let not_running = || SandboxError::NotRunning(root.to_owned());
    let mut file = File::open(root.join(NAME)).map_err(|_| not_running())?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|_| not_running())?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Err(not_running()),
        Err(_) => text.trim().parse().map_err(|_| not_running()),
    }
}
