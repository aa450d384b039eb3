//! The trash of a pool: a directory of root's that homes are renamed into, and that is emptied in
//! the background.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use super::emptying::{self, Leftovers, random_name};
use super::retirement::Retirement;
use super::{Owner, directory};

/// Its name in the root of the pool.
pub const TRASH: &str = ".accountd-trash";
/// Begins the name of a note about a home that is emptied where it is. Nobody but root can give
/// a name in the trash.
const NOTE_PREFIX: &str = "in-place-";
/// Begins the name of a home that has still to be looked at: it may be another's.
pub const ARRIVING_PREFIX: &str = "arriving-";
/// Longer than any note.
const MAX_NOTE: u64 = 16 * 1024;

/// Opens the trash in `place`; ENOENT where there is none, EPERM where it is not root's alone.
pub fn open(place: &impl AsFd) -> nix::Result<OwnedFd> {
    let trash = match directory::open_directory(place, TRASH) {
        Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(Errno::EPERM),
        opened => opened?,
    };
    let status = fstat(&trash)?;
    if status.st_uid != 0 || status.st_mode & 0o7777 != 0o700 { Err(Errno::EPERM) } else { Ok(trash) }
}

/// The same, made where there is none. It is on disk then.
pub fn open_or_make(place: &OwnedFd) -> nix::Result<OwnedFd> {
    // Looked for first: where nothing can be made any more, one that is there will do.
    match open(place) {
        Err(Errno::ENOENT) => {}
        opened => return opened,
    }
    match nix::sys::stat::mkdirat(place, TRASH, Mode::S_IRWXU) {
        Ok(()) => {}
        Err(Errno::EEXIST) => return open(place),
        Err(error) => return Err(error),
    }
    // Its bits may have come from a default ACL or a setgid directory.
    let made = directory::open_directory(place, TRASH)?;
    directory::give(&made, Owner::ROOT, Mode::S_IRWXU)?;
    fsync(place)?;
    open(place)
}

/// Notes down that a home is emptied where it is. On disk when this returns; can be done twice.
pub fn write_note(trash: &OwnedFd, retirement: &Retirement) -> io::Result<()> {
    let (new, name) = (random_name()?, note_name(retirement));
    directory::write_file(
        trash,
        &std::ffi::CString::new(new.as_str())?,
        &serde_json::to_vec(retirement)?,
        Owner::ROOT,
        Mode::from_bits_truncate(0o600),
    )?;
    renameat(trash, new.as_str(), trash, name.as_str())?;
    Ok(fsync(trash)?)
}

pub fn remove_note(trash: &OwnedFd, retirement: &Retirement) -> nix::Result<()> {
    match unlinkat(trash, note_name(retirement).as_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => fsync(trash),
        Err(error) => Err(error),
    }
}

/// The homes that are to be emptied where they are.
pub fn notes(trash: &OwnedFd) -> nix::Result<Vec<Retirement>> {
    let mut noted = Vec::new();
    for name in directory::entries(trash)?.iter().filter(|name| is_note(name)) {
        let mut text = Vec::new();
        let note = directory::open_below(trash, name.as_c_str(), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let read = File::from(note).take(MAX_NOTE).read_to_end(&mut text).map_err(|_| Errno::EIO);
        read.map(|_| noted.extend(serde_json::from_slice::<Retirement>(&text)))?;
    }
    Ok(noted)
}

/// Removes what is there to be removed.
pub fn empty(trash: &OwnedFd) -> nix::Result<Leftovers> {
    emptying::empty(trash, |name| is_note(name) || name.to_bytes().starts_with(ARRIVING_PREFIX.as_bytes()))
}

fn is_note(name: &CStr) -> bool {
    name.to_bytes().starts_with(NOTE_PREFIX.as_bytes())
}

fn note_name(retirement: &Retirement) -> String {
    format!("{NOTE_PREFIX}{}", retirement.name())
}
