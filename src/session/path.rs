//! The one path resolver of a session.
//!
//! Without a root, paths are the kernel's business, relative to the current directory. With one,
//! every path is resolved by openat2(2) inside it, once per operation: `..` and symbolic links
//! can't leave it, and no string is ever compared. A final component that is not to be followed
//! is named relative to a descriptor of its directory.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, stat};

use crate::dot_names::DotNames;

/// How often a path is resolved anew when names change meanwhile.
const RESOLVE_TRIES: usize = 128;
/// The most symbolic links at the end of a path, as in the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// What the session's paths are resolved in, and which names in it are there.
#[derive(Debug)]
pub struct Tree {
    scope: Scope,
    dot_names: DotNames,
}

#[derive(Debug)]
pub enum Scope {
    /// The file system as it is.
    Whole,
    /// A directory that the session sees as `/`.
    Confined(OwnedFd),
}

/// A directory and a name in it.
#[derive(Debug)]
pub struct Place<'a> {
    directory: Anchor<'a>,
    pub name: CString,
}

#[derive(Debug)]
enum Anchor<'a> {
    Borrowed(BorrowedFd<'a>),
    Opened(OwnedFd),
}

impl Place<'static> {
    pub fn of((directory, name): (OwnedFd, CString)) -> Self {
        Self { directory: Anchor::Opened(directory), name }
    }
}

impl<'a> Place<'a> {
    pub fn in_directory(directory: &'a OwnedFd, name: &CStr) -> Self {
        Self { directory: Anchor::Borrowed(directory.as_fd()), name: name.to_owned() }
    }
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.directory {
            Anchor::Borrowed(directory) => *directory,
            Anchor::Opened(directory) => directory.as_fd(),
        }
    }
}

impl Tree {
    #[cfg(test)]
    pub fn open(root: Option<&Path>) -> nix::Result<Self> {
        Self::open_in(root, None)
    }

    /// All there is; or a root; or a directory below it, which no link leads out of.
    pub fn open_in(root: Option<&Path>, below: Option<&OsStr>) -> nix::Result<Self> {
        let Some(root) = root else { return Ok(Self::of(Scope::Whole)) };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut root = open(root, flags, Mode::empty())?;
        if let Some(below) = below {
            root = resolve(&root, &c_path(below.as_bytes())?, OpenHow::new().flags(flags))?;
        }
        Ok(Self::of(Scope::Confined(root)))
    }

    fn of(scope: Scope) -> Self {
        Self { scope, dot_names: DotNames::Shown }
    }

    pub fn with(self, dot_names: DotNames) -> Self {
        Self { dot_names, ..self }
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether an entry of that name is there for the session.
    pub fn shows(&self, name: &[u8]) -> bool {
        self.dot_names.shows(name)
    }

    /// What the session's files are in: its root, or the directory that it begins in.
    pub fn status(&self) -> nix::Result<FileStat> {
        match &self.scope {
            Scope::Whole => stat(c"."),
            Scope::Confined(root) => fstat(root),
        }
    }

    /// Opens what `path` leads to, following symbolic links.
    pub fn open_file(&self, path: &[u8], flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        self.dot_names.admit(path)?;
        self.open_admitted(path, flags, mode)
    }

    fn open_admitted(&self, path: &[u8], flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        let path = c_path(path)?;
        let flags = flags | OFlag::O_CLOEXEC;
        match &self.scope {
            Scope::Whole => openat(AT_FDCWD, path.as_c_str(), flags, mode),
            Scope::Confined(root) => {
                // openat2 refuses a mode where nothing can be made.
                let mode = if flags.contains(OFlag::O_CREAT) { mode } else { Mode::empty() };
                resolve(root, &path, OpenHow::new().flags(flags).mode(mode))
            }
        }
    }

    /// Opens a file to read or write it, without waiting for the other end of a pipe.
    ///
    /// Somebody may hold a lease on the file (Samba's oplocks, NFS delegations), which the kernel
    /// calls back when it is opened. Whoever won't wait gets EAGAIN; so a file, and nothing but a
    /// file, is then opened again by waiting, as long as fs.lease-break-time allows.
    pub fn open_data(&self, path: &[u8], flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        let flags = flags | OFlag::O_NOCTTY;
        match self.open_file(path, flags | OFlag::O_NONBLOCK, mode) {
            Err(Errno::EAGAIN) => self.open_leased(path, flags),
            result => result,
        }
    }

    /// Through an O_PATH descriptor, so that what is opened is what was found to be a file.
    fn open_leased(&self, path: &[u8], flags: OFlag) -> nix::Result<OwnedFd> {
        open_found(&self.open_file(path, OFlag::O_PATH, Mode::empty())?, flags)
    }

    /// The directory of the last component and its name, which is not followed.
    pub fn place(&self, path: &[u8]) -> nix::Result<Place<'static>> {
        self.dot_names.admit(path)?;
        match &self.scope {
            Scope::Whole => Ok(Place { directory: Anchor::Borrowed(AT_FDCWD), name: c_path(path)? }),
            Scope::Confined(root) => {
                let (parent, name) = split(path);
                let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
                let directory = Anchor::Opened(resolve(root, &c_path(parent)?, how)?);
                Ok(Place { directory, name: c_path(name)? })
            }
        }
    }

    /// The directory of the last component, open as a reference, and the name in it. The session
    /// can come back to it whatever is renamed meanwhile.
    pub fn directory_of(&self, path: &[u8]) -> nix::Result<(OwnedFd, CString)> {
        self.dot_names.admit(path)?;
        self.directory_of_admitted(path)
    }

    fn directory_of_admitted(&self, path: &[u8]) -> nix::Result<(OwnedFd, CString)> {
        let (parent, name) = split(path);
        let directory = self.open_admitted(parent, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty())?;
        Ok((directory, c_path(name)?))
    }

    /// The same of what the path leads to when symbolic links at its end are followed, whether
    /// that is there or not. Each step is resolved like any other path.
    pub fn destination(&self, path: &[u8]) -> nix::Result<(OwnedFd, CString)> {
        self.dot_names.admit(path)?;
        let mut path = path.to_vec();
        for _ in 0..MAX_LINKS {
            let (directory, name) = self.directory_of_admitted(&path)?;
            match readlinkat(&directory, name.as_c_str()) {
                Ok(target) if target.as_bytes().first() == Some(&b'/') => path = target.into_vec(),
                Ok(target) => path = [split(&path).0, b"/", target.as_bytes()].concat(),
                Err(Errno::EINVAL | Errno::ENOENT) => return Ok((directory, name)),
                Err(error) => return Err(error),
            }
        }
        Err(Errno::ELOOP)
    }

    /// The path without `.`, `..` and, where nothing confines the session, symbolic links
    /// (SSH_FXP_REALPATH). The last component need not exist.
    pub fn real(&self, path: &[u8]) -> nix::Result<Vec<u8>> {
        self.dot_names.admit(path)?;
        match &self.scope {
            Scope::Whole => real_in_whole(path),
            Scope::Confined(_) => Ok(normal(path)),
        }
    }

    /// The same by the path's components alone, for a session that may not look.
    pub fn real_unseen(&self, path: &[u8]) -> nix::Result<Vec<u8>> {
        match &self.scope {
            Scope::Whole if !path.starts_with(b"/") => Ok(normal(&[&real_in_whole(b".")?, &b"/"[..], path].concat())),
            Scope::Whole | Scope::Confined(_) => Ok(normal(path)),
        }
    }
}

/// Like [`Tree::open_data`], for a name in a directory.
pub fn open_data_in(directory: &OwnedFd, name: &CStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    let flags = flags | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    match openat(directory, name, flags | OFlag::O_NONBLOCK, mode) {
        Err(Errno::EAGAIN) => {
            let reference = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            open_found(&openat(directory, name, reference, Mode::empty())?, flags)
        }
        result => result,
    }
}

/// Opens a file again that somebody has a lease of, by waiting for it.
fn open_found(found: &OwnedFd, flags: OFlag) -> nix::Result<OwnedFd> {
    if fstat(found)?.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        return Err(Errno::EAGAIN);
    }
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = flags.difference(OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW) | OFlag::O_CLOEXEC;
    loop {
        match openat(AT_FDCWD, path.as_str(), flags, Mode::empty()) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// EAGAIN has two meanings: something was renamed meanwhile, and the kernel can't tell whether it
/// led outside; or somebody holds a lease on the file. Only the first one goes away by itself.
fn resolve(root: &OwnedFd, path: &CStr, how: OpenHow) -> nix::Result<OwnedFd> {
    let how = how.resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    for _ in 0..RESOLVE_TRIES {
        match openat2(root, path, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            result => return result,
        }
    }
    Err(Errno::EAGAIN)
}

/// An empty path is the current directory, as in every implementation of the protocol.
fn c_path(path: &[u8]) -> nix::Result<CString> {
    CString::new(if path.is_empty() { b"." } else { path }).map_err(|_| Errno::EINVAL)
}

/// Parent and last component. A path that ends in `.` or `..` names a directory in itself.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    let start = trimmed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (parent, name) = trimmed.split_at(start);
    match name {
        b"" | b"." | b".." => (path, b"."),
        _ if parent.is_empty() => (b".", name),
        _ => (parent, name),
    }
}

/// As OpenSSH's sftp-server has it: realpath(3), but the last component may be missing. Nothing
/// else may, not even where a `..` follows it.
fn real_in_whole(path: &[u8]) -> nix::Result<Vec<u8>> {
    let path = if path.is_empty() { b"." } else { path };
    if path.contains(&0) {
        return Err(Errno::EINVAL);
    }
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32));
    match std::fs::canonicalize(std::ffi::OsStr::from_bytes(path)) {
        Ok(real) => Ok(OsString::from(real).into_vec()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let (parent, name) = split(path);
            let real = std::fs::canonicalize(std::ffi::OsStr::from_bytes(parent)).map_err(errno)?;
            Ok(OsString::from(real.join(std::ffi::OsStr::from_bytes(name))).into_vec())
        }
        Err(error) => Err(errno(error)),
    }
}

/// By components alone, from the root: what is shown, never what is opened.
fn normal(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut normal = vec![b'/'];
    normal.extend(parts.join(&b'/'));
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_would_wait_for_and_is_no_file_is_not_waited_for() {
        let pipe: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        assert_eq!(open_found(&pipe, OFlag::O_RDONLY).map(drop), Err(Errno::EAGAIN));
    }

    #[test]
    fn a_path_with_a_nul_in_it_is_none() {
        let root: OwnedFd = std::fs::File::open("/").unwrap().into();
        for tree in [Tree::of(Scope::Whole), Tree::of(Scope::Confined(root))] {
            let opened = tree.open_data(b"/etc/passwd\0", OFlag::O_RDONLY, Mode::empty());
            assert_eq!(opened.map(drop), Err(Errno::EINVAL));
        }
        assert_eq!(Tree::of(Scope::Whole).real(b"/etc\0/passwd"), Err(Errno::EINVAL));
    }

    #[test]
    fn the_last_component_is_told_from_its_directory() {
        let cases: [(&[u8], &[u8], &[u8]); 8] = [
            (b"a", b".", b"a"),
            (b"/a", b"/", b"a"),
            (b"a/b", b"a/", b"b"),
            (b"/a/b//", b"/a/", b"b"),
            (b"", b"", b"."),
            (b"/", b"/", b"."),
            (b"a/..", b"a/..", b"."),
            (b"\xff/\xfe", b"\xff/", b"\xfe"),
        ];
        for (path, parent, name) in cases {
            assert_eq!(split(path), (parent, name), "{path:?}");
        }
    }

    #[test]
    fn a_normal_path_never_climbs_over_the_root() {
        assert_eq!(normal(b""), b"/");
        assert_eq!(normal(b"../../etc/./x/"), b"/etc/x");
        assert_eq!(normal(b"/a/../.."), b"/");
    }
}
