//! Work inside a home: done by a child process that has become the user.
//!
//! The child is this very program, started afresh so that it has one thread, with the order on
//! its standard input. It becomes the user before it opens anything.

use std::ffi::CStr;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::{Identity, IdentityError};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, renameat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};

use super::child::Child;
use super::key_edit::{EditFault, KeyEdit};
use super::keys::{PREPARED, read_keys_in};
use super::repair::repair_modes;
use super::transfer::{self, Fault, TransferWork};
use super::{Owner, directory};
use crate::identity::authorized_keys::MAX_BYTES;

/// The argument that makes the agent's program such a child.
pub const WORKER_ARGUMENT: &str = "work-in-home";
/// Exit status of a child that found no home.
pub const NO_HOME: u8 = 3;

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error("cannot start the helper process: {0}")]
    Start(std::io::Error),
    #[error("the helper process failed: {0}")]
    Failed(String),
    #[error("there is no home")]
    NoHome,
    #[error("the order is not readable: {0}")]
    Order(#[from] serde_json::Error),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Edit(#[from] EditFault),
    #[error(transparent)]
    Transfer(#[from] Fault),
    #[error(transparent)]
    Io(#[from] std::io::Error),
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
    /// Something small in the home of the order.
    InHome(InHome),
    /// Work that takes its time and tells how far it is.
    Transfer(TransferWork),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InHome {
    /// Writes the new text of `authorized_keys` beside it, or sees that it can be removed.
    PrepareKeys(Keys),
    /// Puts what was prepared in place.
    PlaceKeys(Keys),
    /// Takes away what was prepared.
    DropKeys,
    /// Permission bits of the home itself.
    Mode(u32),
    /// Takes permissions away that keep keys from counting.
    Repair,
}

/// What becomes of a key file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    Write(String),
    /// The text that is there, with one line more or less.
    Edit(KeyEdit),
    Remove,
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

    /// Makes the new key file ready beside the present one, on disk, 0600 in a 0700 directory.
    pub fn prepare_keys(&self, identity: &Identity, home: &Path, keys: &Keys) -> Result<(), WorkError> {
        self.order(identity, home, InHome::PrepareKeys(keys.clone()))
    }

    /// Puts in place what was made ready. On success it is on disk.
    pub fn place_keys(&self, identity: &Identity, home: &Path, keys: &Keys) -> Result<(), WorkError> {
        // The text is there already.
        let keys = match keys {
            Keys::Write(_) | Keys::Edit(_) => Keys::Write(String::new()),
            Keys::Remove => Keys::Remove,
        };
        self.order(identity, home, InHome::PlaceKeys(keys))
    }

    pub fn drop_keys(&self, identity: &Identity, home: &Path) -> Result<(), WorkError> {
        self.order(identity, home, InHome::DropKeys)
    }

    /// Sets the permission bits of the user's home.
    pub fn set_mode(&self, identity: &Identity, home: &Path, mode: u32) -> Result<(), WorkError> {
        self.order(identity, home, InHome::Mode(mode))
    }

    /// Lets nobody but the user write the home, `.ssh` and the key file, as far as they are the
    /// user's.
    pub fn repair(&self, identity: &Identity, home: &Path) -> Result<(), WorkError> {
        self.order(identity, home, InHome::Repair)
    }

    /// Starts work on a whole home.
    pub fn start(&self, identity: &Identity, work: TransferWork) -> Result<Child, WorkError> {
        let order = self.order_for(identity, Path::new("/"), Work::Transfer(work));
        Child::start(self.command().stdout(Stdio::piped()), &serde_json::to_vec(&order)?)
    }

    fn order(&self, identity: &Identity, home: &Path, work: InHome) -> Result<(), WorkError> {
        self.run(&self.order_for(identity, home, Work::InHome(work)))
    }

    fn order_for(&self, identity: &Identity, home: &Path, work: Work) -> Order {
        Order {
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups.clone(),
            root: self.root.clone(),
            home: home.to_owned(),
            work,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(WORKER_ARGUMENT).env_clear().current_dir("/").stdin(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, order: &Order) -> Result<(), WorkError> {
        let mut child = self.command().stdout(Stdio::null()).spawn().map_err(WorkError::Start)?;
        if let Some(mut input) = child.stdin.take() {
            // A child that has died says why on its standard error.
            let _ = input.write_all(&serde_json::to_vec(order)?);
        }
        let output = child.wait_with_output().map_err(WorkError::Start)?;
        match output.status.code() {
            Some(0) => return Ok(()),
            Some(code) if code == i32::from(NO_HOME) => return Err(WorkError::NoHome),
            Some(_) | None => {}
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
    let identity = Identity { uid: order.uid, gid: order.gid, groups: order.groups.clone() };
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    match &order.work {
        Work::Transfer(work) => transfer::run(&order.root, &identity, work),
        Work::InHome(work) => {
            identity.assume()?;
            work_in_home(&order, work)
        }
    }
}

fn work_in_home(order: &Order, work: &InHome) -> Result<(), WorkError> {
    if matches!(work, InHome::Repair) {
        return repair_modes(&order.root, &order.home, order.uid).map_err(|error| failed("repair the home", error));
    }
    let home = match open_home(order) {
        Err(Errno::ENOENT) => return Err(WorkError::NoHome),
        opened => opened.map_err(|error| failed("open the home", error))?,
    };
    match work {
        InHome::PrepareKeys(Keys::Write(text)) => write_keys(&home, order, text.as_bytes()),
        InHome::PrepareKeys(Keys::Edit(edit)) => write_keys(&home, order, &edited(&home, edit)?),
        InHome::PrepareKeys(Keys::Remove) => open_ssh(&home).map(|_| ()),
        InHome::PlaceKeys(Keys::Write(_) | Keys::Edit(_)) => place_keys(&home),
        InHome::PlaceKeys(Keys::Remove) => remove_keys(&home, c"authorized_keys"),
        InHome::DropKeys => remove_keys(&home, PREPARED),
        InHome::Mode(mode) => set_mode(&home, *mode),
        InHome::Repair => Ok(()),
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

/// `.ssh`, if there is one.
fn open_ssh(home: &OwnedFd) -> Result<Option<OwnedFd>, WorkError> {
    match directory::open_directory(home, c".ssh") {
        Ok(ssh) => Ok(Some(ssh)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(failed("open .ssh", error)),
    }
}

fn remove_keys(home: &OwnedFd, name: &CStr) -> Result<(), WorkError> {
    let Some(ssh) = open_ssh(home)? else { return Ok(()) };
    remove(&ssh, name)?;
    nix::unistd::fsync(&ssh).map_err(|error| failed("sync .ssh", error))
}

fn remove(ssh: &OwnedFd, name: &CStr) -> Result<(), WorkError> {
    match unlinkat(ssh, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(failed("remove a key file", error)),
    }
}

fn write_keys(home: &OwnedFd, order: &Order, keys: &[u8]) -> Result<(), WorkError> {
    let ssh = match open_ssh(home)? {
        Some(ssh) => ssh,
        None => directory::make_directory(home, c".ssh", Mode::S_IRWXU).map_err(|error| failed("make .ssh", error))?,
    };
    remove(&ssh, PREPARED)?;
    let owner = Owner { uid: order.uid, gid: order.gid };
    directory::write_file(&ssh, PREPARED, keys, owner, Mode::from_bits_truncate(0o600))
        .map_err(|source| WorkError::File { doing: "write the keys", source })?;
    nix::sys::stat::fchmod(&ssh, Mode::S_IRWXU).map_err(|error| failed("set the mode of .ssh", error))
}

/// The bytes of the key file with that done to them.
fn edited(home: &OwnedFd, edit: &KeyEdit) -> Result<Vec<u8>, WorkError> {
    let present = match open_ssh(home)? {
        Some(ssh) => read_keys_in(&ssh).map_err(|source| WorkError::File { doing: "read the keys", source })?,
        None => Vec::new(),
    };
    Ok(edit.apply(&present)?)
}

fn place_keys(home: &OwnedFd) -> Result<(), WorkError> {
    let ssh = open_ssh(home)?.ok_or_else(|| failed("open .ssh", Errno::ENOENT))?;
    match renameat(&ssh, PREPARED, &ssh, c"authorized_keys") {
        // An earlier try has renamed it, and could not sync it.
        Err(Errno::ENOENT) if exists(&ssh, c"authorized_keys") => {}
        renamed => renamed.map_err(|error| failed("replace authorized_keys", error))?,
    }
    nix::unistd::fsync(&ssh).map_err(|error| failed("sync .ssh", error))
}

fn exists(directory: &OwnedFd, name: &CStr) -> bool {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

fn failed(doing: &'static str, error: Errno) -> WorkError {
    WorkError::File { doing, source: error.into() }
}
