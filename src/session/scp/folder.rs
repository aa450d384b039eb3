//! A directory that files are put into, held open: it stays the same one whatever becomes of its
//! names meanwhile.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::libc::PATH_MAX;
use nix::sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmodat, fstat, mkdirat, utimensat};

use super::control::Times;
use crate::path::Tree;

const REFERENCE: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

#[derive(Debug)]
pub struct Folder {
    /// A reference only, so that a directory that may be written but not read does.
    pub directory: OwnedFd,
    /// How the session has come here: where a symbolic link in it leads from, and what is shown.
    pub path: Vec<u8>,
}

impl Folder {
    pub fn open(tree: &Tree, path: &[u8]) -> nix::Result<Self> {
        Ok(Self { directory: tree.open_file(path, REFERENCE, Mode::empty())?, path: path.to_vec() })
    }

    /// Directory and name of what `name` leads to, which is no symbolic link but may be missing.
    pub fn destination(&self, tree: &Tree, name: &CStr) -> nix::Result<(OwnedFd, CString)> {
        match readlinkat(&self.directory, name) {
            Err(Errno::EINVAL | Errno::ENOENT) => {
                Ok((self.directory.try_clone().map_err(|_| Errno::EMFILE)?, name.to_owned()))
            }
            Ok(_) => tree.destination(&join(&self.path, name)?),
            Err(error) => Err(error),
        }
    }

    /// The directory of that name, made where there is none; `path` is the way to it. `None`: it is
    /// not there, and `making` has no mode for one.
    pub fn descend(
        &self,
        tree: &Tree,
        (name, path): (&CStr, &[u8]),
        making: Option<Mode>,
    ) -> nix::Result<Option<(Self, Origin)>> {
        let path = path.to_vec();
        let (directory, name) = self.destination(tree, name)?;
        let open = || openat(&directory, name.as_c_str(), REFERENCE | OFlag::O_NOFOLLOW, Mode::empty());
        match open() {
            Ok(directory) => Ok(Some((Self { directory, path }, Origin::Found))),
            Err(Errno::ENOENT) => {
                let Some(mode) = making else { return Ok(None) };
                mkdirat(&directory, name.as_c_str(), mode)?;
                Ok(Some((Self { directory: open()?, path }, Origin::Made)))
            }
            Err(error) => Err(error),
        }
    }

    /// The permissions; `keep` are bits that stay as they are.
    pub fn set_mode(&self, mode: u32, keep: u32) -> nix::Result<()> {
        let kept = fstat(&self.directory)?.st_mode & keep;
        let mode = Mode::from_bits_truncate(mode | kept);
        fchmodat(AT_FDCWD, self.reference().as_str(), mode, FchmodatFlags::FollowSymlink)
    }

    pub fn set_times(&self, times: &Times) -> nix::Result<()> {
        let path = self.reference();
        utimensat(AT_FDCWD, path.as_str(), &times.access, &times.modification, UtimensatFlags::FollowSymlink)
    }

    /// A path that leads to this directory and nowhere else (proc(5)).
    fn reference(&self) -> String {
        format!("/proc/self/fd/{}", self.directory.as_raw_fd())
    }
}

/// Whether a directory was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Found,
    Made,
}

/// A path that the kernel takes.
pub fn join(path: &[u8], name: &CStr) -> nix::Result<Vec<u8>> {
    let joined = [path, b"/", name.to_bytes()].concat();
    if joined.len() >= PATH_MAX as usize { Err(Errno::ENAMETOOLONG) } else { Ok(joined) }
}
