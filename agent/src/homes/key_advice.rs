//! Looking at home, `.ssh` and `authorized_keys` as sshd does with StrictModes (sshd_config(5))
//! and as our own login does: what would keep the keys in it from counting?

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use accountd_protocol::id::Uid;
use accountd_protocol::identity::Identity;
use accountd_protocol::key_advice::{KeyAdvice, KeyFault, Writers};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};

use super::directory;
use super::keys::{Strictness, open_home, read_as_user};
use crate::agent::now;
use crate::identity::authorized_keys::{MAX_BYTES, parse};
use crate::identity::key_notices::lines_that_let_nobody_in;
use crate::sys::filesystem_identity::with_filesystem_identity;

pub const SSH: &str = ".ssh";
pub const KEY_FILE: &str = "authorized_keys";
pub const SSH_MODE: u32 = 0o700;
/// So many lines are spoken about.
const MOST_LINES: usize = 20;
pub const KEY_FILE_MODE: u32 = 0o600;

/// Whether keys are known to be wanted. If not, there is something to say only where there is a
/// key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysWanted {
    Yes,
    Unknown,
}

/// What there is to say about the keys of an account, and their text.
#[derive(Debug, Default)]
pub struct LookedAt {
    pub text: String,
    pub advice: Vec<KeyAdvice>,
}

/// Looks with the user's own rights, as the login does.
pub fn look_at_keys(root: &OwnedFd, home: &Path, identity: &Identity, wanted: KeysWanted) -> LookedAt {
    let look = || {
        let text = read_as_user(root, home, identity, Strictness::Display).unwrap_or_default();
        let advice = Look { home, identity, advice: Vec::new() }.at(root, wanted, &text);
        LookedAt { text, advice }
    };
    with_filesystem_identity(identity, look).unwrap_or_default()
}

struct Look<'a> {
    home: &'a Path,
    identity: &'a Identity,
    advice: Vec<KeyAdvice>,
}

impl Look<'_> {
    fn at(mut self, root: &OwnedFd, wanted: KeysWanted, text: &str) -> Vec<KeyAdvice> {
        let has_file = self.at_home(root, text);
        if wanted == KeysWanted::Yes || has_file { self.advice } else { Vec::new() }
    }

    /// Notes what is wrong from the home down, and tells whether there may be a key file.
    fn at_home(&mut self, root: &OwnedFd, text: &str) -> bool {
        let path = self.home.to_string_lossy().into_owned();
        let home = match open_home(root, self.home) {
            Err(error) => {
                self.note(&path, fault_of(error, KeyFault::NoHome));
                return false;
            }
            Ok(home) => home,
        };
        let Ok(status) = fstat(&home) else { return false };
        self.check(&path, &status, status.st_mode & 0o7777 & !0o022);
        let path = format!("{}/{SSH}", path.trim_end_matches('/'));
        match self.open(&home, SSH) {
            Err(Errno::ENOENT) => false,
            Err(error) => {
                self.note(&parent(&path), fault_of(error, KeyFault::Unreachable));
                true
            }
            Ok((_, status)) if directory::kind(&status) == libc::S_IFLNK => self.note(&path, KeyFault::Linked),
            Ok((_, status)) if directory::kind(&status) != libc::S_IFDIR => self.note(&path, KeyFault::NotADirectory),
            Ok((ssh, status)) => {
                let before = self.advice.len();
                self.check(&path, &status, SSH_MODE);
                let has_file = self.at_ssh(&ssh, &path, text);
                has_file || self.advice.len() > before
            }
        }
    }

    fn at_ssh(&mut self, ssh: &OwnedFd, ssh_path: &str, text: &str) -> bool {
        let path = format!("{ssh_path}/{KEY_FILE}");
        let status = match self.open(ssh, KEY_FILE) {
            Err(Errno::ENOENT) => return false,
            Err(error) => return self.note(ssh_path, fault_of(error, KeyFault::Unreachable)),
            Ok((_, status)) => status,
        };
        match directory::kind(&status) {
            libc::S_IFREG => {}
            libc::S_IFLNK => return self.note(&path, KeyFault::Linked),
            _ => return self.note(&path, KeyFault::NotAFile),
        }
        self.check(&path, &status, KEY_FILE_MODE);
        if usize::try_from(status.st_size).is_ok_and(|size| size > MAX_BYTES) {
            return self.note(&path, KeyFault::TooLarge { max: MAX_BYTES as u64 });
        }
        if let Err(error) = directory::open_below(ssh, KEY_FILE, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
        {
            return self.note(&path, fault_of(error, KeyFault::Unreachable));
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        if lines.next().is_some() && parse(text).next().is_none() {
            self.note(&path, KeyFault::NoKey);
            return true;
        }
        for (line, reason) in lines_that_let_nobody_in(text, now()).take(MOST_LINES) {
            self.note(&path, KeyFault::Line { line, reason });
        }
        true
    }

    fn open(&self, directory: &impl AsFd, name: &str) -> nix::Result<(OwnedFd, FileStat)> {
        let opened = directory::open_below(directory, name, OFlag::O_PATH)?;
        let status = fstat(&opened)?;
        Ok((opened, status))
    }

    /// Owner and permission bits.
    fn check(&mut self, path: &str, status: &FileStat, wanted: u32) {
        let (owner, user) = (Uid(status.st_uid), self.identity.uid);
        if owner != Uid::ROOT && owner != user {
            self.note(path, KeyFault::WrongOwner { owner, user });
        }
        let mode = status.st_mode & 0o7777;
        if let Some(by) = Writers::of(mode) {
            self.note(path, KeyFault::Writable { by, mode, wanted });
        }
    }

    /// Always true: where there is something to say, there is something.
    fn note(&mut self, path: &str, fault: KeyFault) -> bool {
        self.advice.push(KeyAdvice { path: path.to_owned(), fault });
        true
    }
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("/", |(parent, _)| parent).to_owned()
}

fn fault_of(error: Errno, otherwise: KeyFault) -> KeyFault {
    match error {
        Errno::EACCES => KeyFault::Unreachable,
        Errno::ELOOP => KeyFault::Linked,
        Errno::ENOTDIR => KeyFault::NotADirectory,
        _ => otherwise,
    }
}
