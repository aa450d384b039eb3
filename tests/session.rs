//! The session program by itself, spoken to over pipes: what SFTP does on disk beyond the requests
//! of the draft.

mod copies;
mod logs;
mod started;
mod uploads;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::raw::*;

/// A directory of the session's user.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("accountd-session-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(directory.path(), Some(USER), Some(USER)).unwrap();
        Self(directory)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
        chown(self.path(name), Some(USER), Some(USER)).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    pub fn session(&self, options: &[&str]) -> Raw {
        let mut command = as_user(&session_program(), self.0.path());
        command.arg("sftp").args(options);
        let mut raw = Raw::start(command);
        raw.greet();
        raw
    }

    /// A session with `--log 9`.
    pub fn logged(&self, pipe: &OwnedFd) -> Raw {
        let mut raw = Raw::spawn(logged(pipe, self.0.path(), &["sftp", "--log", "9"]));
        raw.greet();
        raw
    }
}
