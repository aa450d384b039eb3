//! Reading `~/.ssh/authorized_keys` with the user's own rights (sshd_config(5), StrictModes).

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use accountd_protocol::identity::Identity;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, fstat, fstatat};

use super::directory;
use crate::identity::authorized_keys::MAX_BYTES;
use crate::sys::filesystem_identity::with_filesystem_identity;

/// The name, in `.ssh`, of a new key file before it is put in place.
pub(super) const PREPARED: &CStr = c".authorized_keys.accountd";

/// Whether owner and mode of the file and the directories above it count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// For a login: home, `.ssh` and the file must be the user's or root's, and writable by
    /// nobody else.
    Login,
    /// For showing the text to an administrator.
    Display,
}

/// The text of the key file of the user `identity` with this home; empty when there is none, or
/// when it may not be used. At most [`MAX_BYTES`]; a longer file counts as none.
///
/// A thread with the user's file system identity opens it, so that a home on a file system that
/// root can't read works and a key file that the user can't read doesn't.
pub fn read_authorized_keys(root: &OwnedFd, home: &Path, identity: &Identity, strictness: Strictness) -> String {
    let read = || read_as_user(root, home, identity, strictness);
    match with_filesystem_identity(identity, read) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) | Err(_) => String::new(),
    }
}

/// The same for keeping it: `None` where there is no telling what is in the file.
pub fn read_keys_to_keep(root: &OwnedFd, home: &Path, identity: &Identity) -> Option<String> {
    match with_filesystem_identity(identity, || read_as_user(root, home, identity, Strictness::Display)) {
        Ok(Ok(text)) => Some(text),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Some(String::new()),
        Ok(Err(_)) | Err(_) => None,
    }
}

pub(super) fn read_as_user(
    root: &OwnedFd,
    home: &Path,
    identity: &Identity,
    strictness: Strictness,
) -> std::io::Result<String> {
    let home = open_home(root, home)?;
    let ssh = directory::open_below(&home, c".ssh", OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = directory::open_below(&ssh, c"authorized_keys", flags)?;
    let status = fstat(&file)?;
    let usable =
        directory::kind(&status) == libc::S_IFREG && usize::try_from(status.st_size).is_ok_and(|s| s <= MAX_BYTES);
    let trusted = strictness == Strictness::Display
        || [fstat(&home)?, fstat(&ssh)?, status].iter().all(|status| is_private(status, identity));
    if !usable || !trusted {
        return Err(Errno::EACCES.into());
    }
    let mut bytes = Vec::new();
    File::from(file).take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
    // A comment in another encoding does not keep the keys from counting.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes of a key file in a `.ssh`; none where there is no file.
pub(super) fn read_keys_in(ssh: &OwnedFd) -> std::io::Result<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = match directory::open_below(ssh, c"authorized_keys", flags) {
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        file => file?,
    };
    let status = fstat(&file)?;
    let is_short = usize::try_from(status.st_size).is_ok_and(|size| size <= MAX_BYTES);
    if directory::kind(&status) != libc::S_IFREG || !is_short {
        return Err(Errno::EACCES.into());
    }
    let mut bytes = Vec::new();
    File::from(file).take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a key file was made ready beside the present one.
pub fn has_prepared_keys(root: &OwnedFd, home: &Path, identity: &Identity) -> bool {
    let look = || {
        let ssh = directory::open_directory(&open_home(root, home)?, c".ssh")?;
        fstatat(&ssh, PREPARED, AtFlags::AT_SYMLINK_NOFOLLOW)
    };
    with_filesystem_identity(identity, look).is_ok_and(|found| found.is_ok())
}

/// The home itself may be reached over symbolic links that the administrator made; they are
/// followed with the user's rights, inside the root directory.
pub(super) fn open_home(root: &OwnedFd, home: &Path) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    loop {
        match openat2(root, home, OpenHow::new().flags(flags).resolve(resolve)) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            result => return result,
        }
    }
}

fn is_private(status: &FileStat, identity: &Identity) -> bool {
    (status.st_uid == 0 || status.st_uid == identity.uid.0) && status.st_mode & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::{Gid, Uid};

    use super::*;

    #[test]
    fn what_can_not_be_read_is_not_taken_for_no_keys() {
        let root = tempfile::tempdir().unwrap();
        let opened: OwnedFd = File::open(root.path()).unwrap().into();
        let identity = Identity { uid: Uid(0), gid: Gid(0), groups: Vec::new() };
        let kept = || read_keys_to_keep(&opened, Path::new("/anna"), &identity);
        std::fs::create_dir_all(root.path().join("anna")).unwrap();
        assert_eq!(kept().as_deref(), Some(""));
        std::fs::create_dir_all(root.path().join("anna/.ssh/authorized_keys")).unwrap();
        assert_eq!(kept(), None);
    }

    #[test]
    fn a_key_file_that_is_none_or_too_long_is_not_edited_and_one_that_is_missing_is_empty() {
        let ssh = tempfile::tempdir().unwrap();
        let opened: OwnedFd = File::open(ssh.path()).unwrap().into();
        let (file, read) = (ssh.path().join("authorized_keys"), || read_keys_in(&opened).map_err(|error| error.kind()));
        assert_eq!(read(), Ok(Vec::new()));
        std::fs::write(&file, vec![b'#'; MAX_BYTES]).unwrap();
        assert_eq!(read().map(|bytes| bytes.len()), Ok(MAX_BYTES));
        std::fs::write(&file, vec![b'#'; MAX_BYTES + 1]).unwrap();
        assert_eq!(read(), Err(std::io::ErrorKind::PermissionDenied));
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert_eq!(read(), Err(std::io::ErrorKind::PermissionDenied));
    }
}
