//! Work inside a home: done by a child process that has become the user.
//!
//! The child is this very program, started afresh so that it has one thread, with the order on
//! its standard input. It becomes the user before it opens anything.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::{Identity, IdentityError};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};

use super::{Owner, directory};
use crate::identity::authorized_keys::MAX_BYTES;

/// The argument that makes the agent's program such a child.
pub const WORKER_ARGUMENT: &str = "work-in-home";
const TEMPORARY: &std::ffi::CStr = c".authorized_keys.accountd";

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error("cannot start the helper process: {0}")]
    Start(std::io::Error),
    #[error("the helper process failed: {0}")]
    Failed(String),
    #[error("the order is not readable: {0}")]
    Order(#[from] serde_json::Error),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot {doing}: {source}")]
    File { doing: &'static str, source: std::io::Error },
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    root: PathBuf,
    home: PathBuf,
    work: Work,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    /// The new text of `authorized_keys`; empty removes the file.
    Keys(String),
    /// Permission bits of the home itself.
    Mode(u32),
}

/// Starts such children.
#[derive(Clone, Debug)]
pub struct Worker {
    program: PathBuf,
    root: PathBuf,
}

impl Worker {
    /// `root` is the machine's root directory.
    pub fn new(root: &Path) -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), root: root.to_owned() }
    }

    /// Replaces the key file in the user's home; an empty text removes it. On success it is on
    /// disk, 0600 in a 0700 directory.
    pub fn write_keys(&self, identity: &Identity, home: &Path, keys: &str) -> Result<(), WorkError> {
        self.order(identity, home, Work::Keys(keys.to_owned()))
    }

    /// Sets the permission bits of the user's home.
    pub fn set_mode(&self, identity: &Identity, home: &Path, mode: u32) -> Result<(), WorkError> {
        self.order(identity, home, Work::Mode(mode))
    }

    fn order(&self, identity: &Identity, home: &Path, work: Work) -> Result<(), WorkError> {
        let order = Order {
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups.clone(),
            root: self.root.clone(),
            home: home.to_owned(),
            work,
        };
        self.run(&order)
    }

    fn run(&self, order: &Order) -> Result<(), WorkError> {
        let mut child = Command::new(&self.program)
            .arg(WORKER_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(WorkError::Start)?;
        if let Some(mut input) = child.stdin.take() {
            // A child that has died says why on its standard error.
            let _ = input.write_all(&serde_json::to_vec(order)?);
        }
        let output = child.wait_with_output().map_err(WorkError::Start)?;
        if output.status.success() {
            return Ok(());
        }
        Err(WorkError::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// The child's whole life: reads the order, becomes the user, does it.
pub fn run_worker(input: impl Read) -> Result<(), WorkError> {
    let mut text = Vec::new();
    let read = input.take(4 * MAX_BYTES as u64).read_to_end(&mut text);
    read.map_err(|source| WorkError::File { doing: "read the order", source })?;
    let order: Order = serde_json::from_slice(&text)?;
    Identity { uid: order.uid, gid: order.gid, groups: order.groups.clone() }.assume()?;
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    let home = open_home(&order).map_err(|error| failed("open the home", error))?;
    match &order.work {
        Work::Keys(keys) if keys.is_empty() => remove_keys(&home),
        Work::Keys(keys) => replace_keys(&home, &order, keys),
        Work::Mode(mode) => set_mode(&home, *mode),
    }
}

fn open_home(order: &Order) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(&order.root, flags, Mode::empty())?;
    let home = order.home.strip_prefix("/").map_err(|_| Errno::EINVAL)?;
    directory::open_directory(&root, home)
}

fn set_mode(home: &OwnedFd, mode: u32) -> Result<(), WorkError> {
    let home = directory::open_directory(home, c".").map_err(|error| failed("open the home", error))?;
    let mode = Mode::from_bits_truncate(mode & 0o777);
    nix::sys::stat::fchmod(&home, mode).map_err(|error| failed("set the mode of the home", error))
}

fn remove_keys(home: &OwnedFd) -> Result<(), WorkError> {
    let ssh = match directory::open_directory(home, c".ssh") {
        Err(Errno::ENOENT) => return Ok(()),
        opened => opened.map_err(|error| failed("open .ssh", error))?,
    };
    match unlinkat(&ssh, c"authorized_keys", UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(failed("remove authorized_keys", error)),
    }
    nix::unistd::fsync(&ssh).map_err(|error| failed("sync .ssh", error))
}

fn replace_keys(home: &OwnedFd, order: &Order, keys: &str) -> Result<(), WorkError> {
    let ssh = match directory::open_directory(home, c".ssh") {
        Err(Errno::ENOENT) => directory::make_directory(home, c".ssh", Mode::S_IRWXU),
        opened => opened,
    }
    .map_err(|error| failed("open .ssh", error))?;
    match unlinkat(&ssh, TEMPORARY, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(failed("remove an old temporary file", error)),
    }
    let owner = Owner { uid: order.uid, gid: order.gid };
    directory::write_file(&ssh, TEMPORARY, keys.as_bytes(), owner, Mode::from_bits_truncate(0o600))
        .map_err(|source| WorkError::File { doing: "write the keys", source })?;
    renameat(&ssh, TEMPORARY, &ssh, c"authorized_keys").map_err(|error| failed("replace authorized_keys", error))?;
    nix::sys::stat::fchmod(&ssh, Mode::S_IRWXU).map_err(|error| failed("set the mode of .ssh", error))?;
    nix::unistd::fsync(&ssh).map_err(|error| failed("sync .ssh", error))
}

fn failed(doing: &'static str, error: Errno) -> WorkError {
    WorkError::File { doing, source: error.into() }
}
