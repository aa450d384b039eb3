//! Which directory may be the root of a sandbox. Nothing is changed before that is known: a
//! sandbox makes its root private, and that must not happen to a directory of the machine.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat};

use super::error::SandboxError;
use super::namespace::OWN;

/// The file that makes a directory a sandbox; whoever runs it has it locked.
const MARK: &str = ".accountd-sandbox";

/// A directory that is a sandbox or may become one.
#[derive(Debug)]
pub struct ScratchRoot {
    path: PathBuf,
    directory: OwnedFd,
}

impl ScratchRoot {
    /// The directory at `path`: made where there is nothing, and root's alone from here on.
    pub fn make(path: &Path) -> Result<Self, SandboxError> {
        let path = without_slash(path);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&path).map_err(SandboxError::file("make", &path))?;
        }
        let root = Self::find(&path)?;
        let protected = fchmod(&root.directory, Mode::from_bits_truncate(0o700));
        protected.map_err(|error| SandboxError::file("protect", &root.path)(error.into()))?;
        Ok(root)
    }

    /// The directory at `path`, as it is.
    pub fn find(path: &Path) -> Result<Self, SandboxError> {
        let path = without_slash(path);
        let found = |error: Errno| match fs::symlink_metadata(&path) {
            Ok(status) if status.is_symlink() => unsuitable(&path, "it is a symbolic link"),
            Ok(status) if !status.is_dir() => unsuitable(&path, "it is not a directory"),
            Ok(_) | Err(_) => SandboxError::file("open", &path)(error.into()),
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = open(&path, flags, Mode::empty()).map_err(found)?;
        judge(&directory).map_err(SandboxError::file("look at", &path))?.map_err(|why| unsuitable(&path, why))?;
        // Its name without links; the file system can't have put another directory there.
        let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let path = fs::read_link(name).map_err(SandboxError::file("find", &path))?;
        Ok(Self { path, directory })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the lock, to read and, where it is missing, made.
    pub fn open_or_make_mark(&self) -> io::Result<File> {
        self.open_mark(OFlag::O_RDWR | OFlag::O_CREAT)
    }

    pub fn read_mark(&self) -> io::Result<File> {
        self.open_mark(OFlag::O_RDONLY)
    }

    fn open_mark(&self, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.directory, MARK, flags, Mode::from_bits_truncate(0o600))?.into())
    }
}

/// With a slash behind it, a symbolic link would be followed.
fn without_slash(path: &Path) -> PathBuf {
    path.components().collect()
}

fn unsuitable(path: &Path, why: &'static str) -> SandboxError {
    SandboxError::Unsuitable { path: path.to_owned(), why }
}

/// What speaks against a directory, if anything does.
fn judge(directory: &OwnedFd) -> io::Result<Result<(), &'static str>> {
    let status = fstat(directory)?;
    if is_the_machines(&status) {
        return Ok(Err("the machine itself needs it"));
    }
    if status.st_uid != 0 {
        return Ok(Err("it belongs to another user"));
    }
    if status.st_mode & 0o022 != 0 {
        return Ok(Err("others may write to it"));
    }
    match fstatat(directory, MARK, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(mark) if mark.st_uid == 0 && SFlag::from_bits_truncate(mark.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG => {
            Ok(Ok(()))
        }
        Ok(_) => Ok(Err("the file that marks it as a sandbox is not root's")),
        Err(Errno::ENOENT) if is_empty(directory)? => Ok(Ok(())),
        Err(Errno::ENOENT) => Ok(Err("it is not empty, and it is no sandbox")),
        Err(error) => Err(error.into()),
    }
}

/// The root directory and those that a sandbox lies over, whatever they are called here.
fn is_the_machines(status: &FileStat) -> bool {
    let own = OWN.iter().map(|name| Path::new("/").join(name));
    let mut all = own.chain([PathBuf::from("/")]).filter_map(|path| fs::metadata(path).ok());
    all.any(|machines| (machines.dev(), machines.ino()) == (status.st_dev, status.st_ino))
}

fn is_empty(directory: &OwnedFd) -> nix::Result<bool> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listed = Dir::openat(directory.as_fd(), ".", flags, Mode::empty())?;
    let mut names = listed.iter().map(|entry| entry.map(|entry| entry.file_name().to_bytes().to_vec()));
    Ok(!names.any(|name| !matches!(name.as_deref(), Ok(b"." | b".."))))
}
