//! The programs of accountd, opened before the mounts change: afterwards their paths may lead
//! nowhere, because a clone under `/root` or `/tmp` is covered.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::error::SandboxError;

/// Descriptors of all programs.
#[derive(Debug)]
pub struct Programs {
    pub accountd: Program,
    pub agent: Program,
    pub login: Program,
    pub session: Program,
}

#[derive(Debug)]
pub struct Program(File);

impl Programs {
    pub fn open() -> Result<Self, SandboxError> {
        let own = std::env::current_exe().map_err(SandboxError::file("find", "/proc/self/exe"))?;
        let directory = own.parent().unwrap_or(Path::new("/")).to_owned();
        let program = |name| match File::open(directory.join(name)) {
            Ok(file) => Ok(Program(file)),
            Err(_) => Err(SandboxError::NoProgram { program: name, directory: directory.clone() }),
        };
        Ok(Self {
            accountd: program("accountd")?,
            agent: program("accountd-agent")?,
            login: program("accountd-login")?,
            session: program("accountd-session")?,
        })
    }
}

impl Program {
    /// A path of the open program for this process and for root (proc(5)).
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()))
    }
}
