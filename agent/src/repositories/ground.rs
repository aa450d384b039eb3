//! The directory that repositories lie below: made there, looked at, and taken away again.
//!
//! It and what lies between it and a repository is root's, and nobody else's to write: so names lead where
//! they led before. Everything is reached from the root directory down, by descriptor, and no component
//! may be a symbolic link (openat2(2)).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::repository::{RepositoryFault, RepositoryKind, RepositoryName};
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use super::acl::{self, Acl, READ, SEARCH, Tag, WRITE, Which};
use super::layout::{Keeper, Part, parts};
use crate::homes::directory::{self, entries, give, make_directory, open_directory, remove_tree, rename_to_free};
use crate::homes::{Owner, random_name, trash};

/// In the root: what is being made. Nobody but root can look into it.
const NURSERY: &CStr = c".accountd-new";

/// What a new repository is.
#[derive(Clone, Copy, Debug)]
pub struct Plot {
    pub kind: RepositoryKind,
    pub owner: Owner,
    /// Whether others may read it.
    pub is_public: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    #[error(transparent)]
    Fault(#[from] RepositoryFault),
    #[error("something else is at this place")]
    InTheWay,
    #[error("no space is left")]
    NoSpace,
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for GroundError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => GroundError::NoSpace,
            Some(libc::EEXIST | libc::ENOTDIR | libc::ELOOP | libc::EXDEV) => GroundError::InTheWay,
            _ if acl::is_unsupported(&error) => RepositoryFault::NoAcls.into(),
            _ => GroundError::Io(error),
        }
    }
}

impl From<Errno> for GroundError {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

#[derive(Debug)]
pub struct Ground {
    /// The machine's root directory.
    root: OwnedFd,
    path: FieldPath,
}

/// A repository that is complete but for its name. Dropped, it goes.
#[derive(Debug)]
pub struct Sapling {
    nursery: OwnedFd,
    name: CString,
    pub inode: u64,
    is_planted: bool,
}

impl Ground {
    pub fn new(root: &OwnedFd, path: FieldPath) -> io::Result<Self> {
        Ok(Self { root: root.try_clone()?, path })
    }

    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// The directory itself; ENOENT where nobody has made it.
    fn open(&self) -> nix::Result<OwnedFd> {
        let mut opened = open_directory(&self.root, c".")?;
        for part in self.path.components() {
            opened = open_directory(&opened, part)?;
            judge(&fstat(&opened)?)?;
        }
        Ok(opened)
    }

    /// Why it is not used.
    fn unusable(&self, error: Errno) -> RepositoryFault {
        match error {
            Errno::EPERM => RepositoryFault::NoRoot(format!("others than root can write {} or above it", self.path)),
            error => RepositoryFault::NoRoot(format!("{}: {}", self.path, error.desc())),
        }
    }

    /// The same, made where there is a directory for it.
    fn open_or_make(&self) -> Result<OwnedFd, GroundError> {
        let unusable = |error| self.unusable(error);
        match self.open() {
            Err(Errno::ENOENT) => {}
            opened => return Ok(opened.map_err(unusable)?),
        }
        let mut opened = open_directory(&self.root, c".")?;
        let parts: Vec<&str> = self.path.components().collect();
        let Some((last, above)) = parts.split_last() else { return Err(GroundError::InTheWay) };
        for part in above {
            opened = open_directory(&opened, *part).map_err(unusable)?;
            judge(&fstat(&opened)?).map_err(unusable)?;
        }
        make_plain(&opened, &text(last)?)?;
        Ok(self.open().map_err(unusable)?)
    }

    /// A repository by its name; `None` where there is no such directory.
    pub fn find(&self, name: &str) -> Result<Option<OwnedFd>, RepositoryFault> {
        let found = self.open().and_then(|ground| open_directory(&ground, name));
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            Err(error) => Err(self.unusable(error)),
        }
    }

    /// Makes a repository, complete, on disk, under a name that nobody knows.
    pub fn sow(&self, plot: &Plot) -> Result<Sapling, GroundError> {
        let ground = self.open_or_make()?;
        let nursery = nursery(&ground)?;
        let name = text(&random_name()?)?;
        let made = make_directory(&nursery, &name, Mode::S_IRWXU)?;
        let sapling = Sapling { nursery, name, inode: fstat(&made)?.st_ino, is_planted: false };
        for part in parts(plot.kind) {
            make_part(&made, part, plot)?;
        }
        // From the inside out: what root has made in it keeps what it has.
        for part in parts(plot.kind) {
            give_part(&made, part, plot)?;
        }
        bestow(&made, plot)?;
        fsync(&made)?;
        Ok(sapling)
    }

    /// Gives it its name, with the directories above that are missing.
    pub fn plant(&self, mut sapling: Sapling, name: &RepositoryName) -> Result<(), GroundError> {
        let (parent, last) = self.parent(name)?;
        rename_to_free((&sapling.nursery, sapling.name.as_c_str()), (&parent, last.as_c_str()))?;
        sapling.is_planted = true;
        fsync(&parent)?;
        Ok(fsync(&sapling.nursery)?)
    }

    /// The directory that a repository lies in, and its own name there.
    fn parent(&self, name: &RepositoryName) -> Result<(OwnedFd, CString), GroundError> {
        let mut parent = self.open_or_make()?;
        let components: Vec<&str> = name.components().collect();
        let Some((last, above)) = components.split_last() else { return Err(GroundError::InTheWay) };
        for component in above {
            let component = text(component)?;
            match make_plain(&parent, &component) {
                Ok(()) | Err(GroundError::InTheWay) => {}
                Err(error) => return Err(error),
            }
            parent = open_directory(&parent, component.as_c_str())?;
            judge(&fstat(&parent)?).map_err(|_| GroundError::InTheWay)?;
        }
        Ok((parent, text(last)?))
    }

    /// Takes a repository away: it is in the trash when this returns, if it was there and is the one with
    /// this inode. What is above it goes too where nothing else is in it.
    pub fn uproot(&self, name: &str, inode: u64) -> Result<(), GroundError> {
        let ground = self.open()?;
        let (above, last) = name.rsplit_once('/').unwrap_or((".", name));
        let parent = match open_directory(&ground, above) {
            Err(Errno::ENOENT) => return Ok(()),
            parent => parent?,
        };
        match open_directory(&parent, last) {
            Ok(found) if fstat(&found)?.st_ino == inode => {}
            Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let trash = trash::open_or_make(&ground)?;
        let hidden = text(&random_name()?)?;
        rename_to_free((&parent, text(last)?.as_c_str()), (&trash, hidden.as_c_str()))?;
        fsync(&parent)?;
        fsync(&trash)?;
        prune(&ground, above);
        Ok(())
    }

    /// Removes what was being made when the agent ended.
    pub fn sweep(&self) -> Result<(), GroundError> {
        let ground = match self.open() {
            Err(Errno::ENOENT) => return Ok(()),
            ground => ground?,
        };
        let nursery = match open_directory(&ground, NURSERY) {
            Err(Errno::ENOENT) => return Ok(()),
            nursery => nursery?,
        };
        for name in entries(&nursery)? {
            remove_tree(&nursery, &name)?;
        }
        Ok(())
    }
}

impl Drop for Sapling {
    fn drop(&mut self) {
        if !self.is_planted
            && let Err(error) = remove_tree(&self.nursery, &self.name)
        {
            tracing::warn!(%error, "what was begun of a repository is removed at the next start");
        }
    }
}

/// Directories without anything in them, from the inside out.
fn prune(ground: &OwnedFd, above: &str) {
    let mut path = above;
    while path != "." && !path.is_empty() {
        let (parent, last) = path.rsplit_once('/').unwrap_or((".", path));
        let removed =
            open_directory(ground, parent).and_then(|parent| unlinkat(&parent, last, UnlinkatFlags::RemoveDir));
        if removed.is_err() {
            return;
        }
        path = if parent == "." { "" } else { parent };
    }
}

/// EPERM where others than root could rename what is in a directory.
fn judge(status: &FileStat) -> nix::Result<()> {
    let is_roots = status.st_uid == 0 && status.st_mode & 0o022 == 0;
    // In a sticky directory everybody renames only their own.
    let is_sticky = status.st_uid == 0 && status.st_mode & 0o1000 != 0;
    if is_roots || is_sticky { Ok(()) } else { Err(Errno::EPERM) }
}

/// A directory of root's that everybody may enter, whatever the one above has for new ones.
fn make_plain(parent: &OwnedFd, name: &CStr) -> Result<(), GroundError> {
    let made = make_directory(parent, name, Mode::from_bits_truncate(0o755))?;
    acl::clear(&File::from(made.try_clone().map_err(GroundError::Io)?))?;
    give(&made, Owner::ROOT, Mode::from_bits_truncate(0o755))?;
    Ok(fsync(parent)?)
}

fn nursery(ground: &OwnedFd) -> Result<OwnedFd, GroundError> {
    match mkdirat(ground, NURSERY, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let nursery = open_directory(ground, NURSERY)?;
    let status = fstat(&nursery)?;
    if status.st_uid != 0 {
        return Err(GroundError::InTheWay);
    }
    // Its bits may have come from a default list.
    acl::clear(&File::from(nursery.try_clone().map_err(GroundError::Io)?))?;
    give(&nursery, Owner::ROOT, Mode::S_IRWXU)?;
    Ok(nursery)
}

fn make_part(top: &OwnedFd, part: &Part, plot: &Plot) -> Result<(), GroundError> {
    match part {
        Part::Directory(path, _) => {
            let (parent, name) = split(top, path)?;
            make_directory(&parent, &name, Mode::from_bits_truncate(0o755))?;
        }
        Part::File(path, content, keeper) => {
            let (parent, name) = split(top, path)?;
            let owner = match keeper {
                Keeper::Owner => plot.owner,
                Keeper::Root => Owner::ROOT,
            };
            directory::write_file(&parent, &name, content.as_bytes(), owner, Mode::from_bits_truncate(0o644))?;
        }
    }
    Ok(())
}

fn give_part(top: &OwnedFd, part: &Part, plot: &Plot) -> Result<(), GroundError> {
    match part {
        Part::Directory(path, Keeper::Owner) => {
            let made = open_directory(top, *path)?;
            bestow(&made, plot)?;
            fsync(&made)?;
        }
        Part::File(path, _, Keeper::Owner) => {
            let (parent, name) = split(top, path)?;
            let made = File::from(directory::open_below(&parent, name.as_c_str(), nix::fcntl::OFlag::O_RDONLY)?);
            acl::write(&made, Which::Access, &list(plot, READ | WRITE))?;
        }
        Part::Directory(_, Keeper::Root) | Part::File(_, _, Keeper::Root) => {}
    }
    Ok(())
}

/// Owner, mode and lists of a directory.
fn bestow(made: &OwnedFd, plot: &Plot) -> Result<(), GroundError> {
    give(made, plot.owner, Mode::from_bits_truncate(0o2770))?;
    let file = File::from(made.try_clone().map_err(GroundError::Io)?);
    for which in [Which::Default, Which::Access] {
        acl::write(&file, which, &list(plot, READ | WRITE | SEARCH))?;
    }
    Ok(())
}

/// The owner of the repository has an entry too: files in it may be others'. Nobody has anything for being
/// in the owner's group.
fn list(plot: &Plot, most: u8) -> Acl {
    let others = if plot.is_public { READ | SEARCH } else { 0 };
    let mut list = Acl::of_mode(0);
    let Owner { uid: Uid(owner), gid: Gid(_) } = plot.owner;
    for tag in [Tag::Owner, Tag::User(owner), Tag::Mask] {
        list.set(tag, most);
    }
    list.set(Tag::OwningGroup, 0);
    list.set(Tag::Others, others & most);
    list
}

fn split(top: &impl AsFd, path: &str) -> nix::Result<(OwnedFd, CString)> {
    let (above, last) = path.rsplit_once('/').unwrap_or((".", path));
    Ok((open_directory(top, above)?, text(last)?))
}

fn text(name: &str) -> nix::Result<CString> {
    CString::new(name).map_err(|_| Errno::EINVAL)
}
