//! The end of a home: checked while nothing has changed, renamed into the trash with the commit,
//! removed afterwards.
//!
//! Where it can't be renamed, because it is a mount point or of another quota project, it is made
//! root's and emptied where it is.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use accountd_protocol::id::Uid;
use accountd_protocol::refusal::Problem;
use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::FieldPath;
use nix::dir::{Dir, Entry, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2, readlink};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::emptying::{self, Leftovers, random_name};
use super::mounts::missing_above;
use super::place::{Homes, trusted};
use super::{HomeKind, Owner, directory, trash};

/// A home that is to go, and nothing else that may stand in its place by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    home: FieldPath,
    /// The directory that the trash lies in: on the same file system as the home's parent.
    place: FieldPath,
    /// What the home is called in the trash.
    name: String,
    uid: Uid,
    inode: u64,
}

/// Why a home can't be made ready to go.
#[derive(Debug)]
pub enum RetirementError {
    Stays(HomeStays),
    Io(Errno),
}

impl From<HomeStays> for RetirementError {
    fn from(reason: HomeStays) -> Self {
        RetirementError::Stays(reason)
    }
}

impl From<Errno> for RetirementError {
    fn from(error: Errno) -> Self {
        RetirementError::Io(error)
    }
}

/// The directory of a home, and the one whose trash the home goes to.
struct Surroundings {
    parent: OwnedFd,
    place: OwnedFd,
    path: FieldPath,
}

impl Homes {
    /// Finds out whether `home`, which is `uid`'s, can go; changes nothing. `None` where there is
    /// no such directory. Whether other accounts have a part in it is the caller's to know.
    pub fn plan_retirement(&self, home: &FieldPath, uid: Uid) -> Result<Option<Retirement>, RetirementError> {
        let Some(found) = self.look(home)? else { return Ok(None) };
        match directory::kind(&found) {
            libc::S_IFDIR => {}
            libc::S_IFLNK => return Err(HomeStays::Linked.into()),
            _ => return Err(HomeStays::NotADirectory.into()),
        }
        match self.judge(home, uid) {
            Ok(HomeKind::Made) => {}
            Ok(HomeKind::None) => return Ok(None),
            Ok(HomeKind::RootsOwn) => return Err(HomeStays::NotOwned.into()),
            Err(Problem::PoolRoot) => return Err(HomeStays::PoolRoot.into()),
            Err(_) => return Err(HomeStays::Outside(self.named_pools()).into()),
        }
        if found.st_uid != uid.0 || uid == Uid::ROOT {
            return Err(HomeStays::NotOwned.into());
        }
        let Surroundings { place, path, .. } = match surroundings(self.root(), home, self.pool_depth(home)) {
            Err(Errno::EPERM) => return Err(HomeStays::Exposed.into()),
            found => found?,
        };
        match trash::open(&place) {
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(Errno::EPERM) => return Err(HomeStays::BadTrash(format!("{path}/{}", trash::TRASH)).into()),
            Err(error) => return Err(error.into()),
        }
        Ok(Some(Retirement { home: home.clone(), place: path, name: random_name()?, uid, inode: found.st_ino }))
    }

    /// Makes the trash for a home, if there is none, so that what can fail has not failed when the
    /// home is renamed.
    pub fn make_trash(&self, retirement: &Retirement) -> nix::Result<()> {
        trash::open_or_make(&open_trusted(self.root(), &retirement.place)?).map(|_| ())
    }

    /// The status of what `home` names, if anything does.
    fn look(&self, home: &FieldPath) -> Result<Option<FileStat>, RetirementError> {
        if let Some(point) = missing_above(self.root(), home) {
            return Err(HomeStays::NotMounted(point.to_string()).into());
        }
        let path = home.as_str().trim_start_matches('/');
        match directory::open_below(self.root(), path, OFlag::O_PATH) {
            Ok(found) => Ok(Some(fstat(&found)?)),
            Err(Errno::ENOENT | Errno::ENOTDIR) if self.pool_is_there(home) => Ok(None),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Err(HomeStays::Outside(self.named_pools()).into()),
            Err(Errno::ELOOP) => Err(HomeStays::Linked.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a home that is not there is really gone: its pool may only not be mounted.
    fn pool_is_there(&self, home: &FieldPath) -> bool {
        let Some(depth) = self.pool_depth(home) else { return true };
        let pool = home.components().take(depth).collect::<Vec<_>>().join("/");
        directory::open_below(self.root(), pool.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY).is_ok()
    }

    /// Where `path` leads, symbolic links followed; not to be opened again by it.
    pub fn resolved(&self, path: &Path) -> Option<PathBuf> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let opened = openat2(self.root(), path, how).ok()?;
        let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
        readlink(link.as_str()).ok().map(PathBuf::from)
    }

    /// The names of symbolic links in a directory that no link leads to.
    pub fn links_in(&self, directory: &Path) -> HashSet<Vec<u8>> {
        let path = directory.strip_prefix("/").unwrap_or(directory);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let opened = directory::open_directory(self.root(), path).and_then(Dir::from_fd);
        let entries = opened.into_iter().flatten().flatten();
        // A file system that does not say what an entry is has it looked at by whoever asks.
        let may_be_link = |entry: &Entry| matches!(entry.file_type(), Some(Type::Symlink) | None);
        entries.filter(may_be_link).map(|entry| entry.file_name().to_bytes().to_vec()).collect()
    }
}

impl Retirement {
    pub fn home(&self) -> &FieldPath {
        &self.home
    }

    /// The directory whose trash is to be emptied.
    pub fn place(&self) -> &FieldPath {
        &self.place
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Renames the home into the trash, or makes it root's where it can't be renamed. Can be done
    /// twice. An error is worth another try; what another try would not mend is logged, and the
    /// home stays.
    pub fn retire(&self, root: &Path) -> nix::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match self.try_to_retire(&open(root, flags, Mode::empty())?) {
            Err(error @ (Errno::EIO | Errno::EINTR | Errno::ENOMEM)) => Err(error),
            Err(error) => {
                warn!(home = %self.home, %error, "a home that should have been removed stays");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn try_to_retire(&self, root: &OwnedFd) -> nix::Result<()> {
        let Surroundings { parent, place, .. } = self.surroundings(root)?;
        let trash = trash::open_or_make(&place)?;
        let is_there = |name: &str| directory::open_below(&trash, name, OFlag::O_PATH | OFlag::O_DIRECTORY).is_ok();
        if is_there(&self.arriving()) {
            self.arrive(&parent, &trash)?;
        } else if !is_there(&self.name) {
            let Some(home) = self.open_home(&parent, [self.uid, Uid::ROOT])? else { return Ok(()) };
            match directory::rename_to_free((&parent, self.last()?), (&trash, &self.arriving())) {
                Ok(()) => self.arrive(&parent, &trash)?,
                // A mount point, of another quota project, or no room for one more name.
                Err(Errno::EBUSY | Errno::EXDEV | Errno::ENOSPC | Errno::EDQUOT) => {
                    self.begin_in_place(&trash, &home)?
                }
                Err(error) => return Err(error),
            }
        }
        // Also when a try before a crash has renamed it: that may not be on disk yet.
        fsync(&trash)?;
        fsync(&parent)
    }

    /// The note is what a crash leaves of the intention; without it, only this agent knows.
    fn begin_in_place(&self, trash: &OwnedFd, home: &OwnedFd) -> nix::Result<()> {
        if let Err(error) = trash::write_note(trash, self) {
            warn!(home = %self.home, %error, "cannot note down that a home is to be removed");
        }
        emptying::take(home)
    }

    /// Where the sticky bit or a group lets others rename what is beside the home, something else
    /// may have been put in its place: that gets its name back.
    fn arrive(&self, parent: &OwnedFd, trash: &OwnedFd) -> nix::Result<()> {
        let arriving = self.arriving();
        let status = fstatat(trash, arriving.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if status.st_ino == self.inode && directory::kind(&status) == libc::S_IFDIR {
            return directory::rename_to_free((trash, &*arriving), (trash, &*self.name));
        }
        directory::rename_to_free((trash, &*arriving), (parent, self.last()?))?;
        Err(Errno::ESTALE)
    }

    fn arriving(&self) -> String {
        format!("{}{}", trash::ARRIVING_PREFIX, self.name)
    }

    /// Empties a home that was not renamed but made root's, and removes it where it is no mount
    /// point. `None` where there is none.
    pub fn empty_in_place(&self, root: &OwnedFd) -> nix::Result<Option<Leftovers>> {
        let Surroundings { parent, place, .. } = self.surroundings(root)?;
        let trash = trash::open(&place)?;
        let Some(home) = self.open_home(&parent, [Uid::ROOT; 2])? else {
            return trash::remove_note(&trash, self).map(|()| None);
        };
        let leftovers = emptying::empty(&home, |_| false)?;
        if leftovers.is_none() {
            match unlinkat(&parent, self.last()?, UnlinkatFlags::RemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => fsync(&parent)?,
                Err(_) => directory::give(&home, Owner::ROOT, Mode::from_bits_truncate(0o755))?,
            }
            trash::remove_note(&trash, self)?;
        }
        Ok(Some(leftovers))
    }

    /// The home, if it still is the one that was checked, and one of these has it.
    fn open_home(&self, parent: &OwnedFd, owners: [Uid; 2]) -> nix::Result<Option<OwnedFd>> {
        let home = match directory::open_directory(parent, self.last()?) {
            Err(Errno::ENOENT) => return Ok(None),
            opened => opened?,
        };
        let status = fstat(&home)?;
        let is_same = status.st_ino == self.inode && owners.contains(&Uid(status.st_uid));
        if is_same { Ok(Some(home)) } else { Err(Errno::ESTALE) }
    }

    fn surroundings(&self, root: &OwnedFd) -> nix::Result<Surroundings> {
        let found = surroundings(root, &self.home, Some(self.place.components().count()))?;
        Ok(Surroundings { place: open_trusted(root, &self.place)?, ..found })
    }

    fn last(&self) -> nix::Result<&str> {
        self.home.components().last().ok_or(Errno::EINVAL)
    }
}

/// Walks to the directory of `home`, in which only root may rename things. The trash is in the
/// pool, or else in the topmost directory of the file system that the home's parent is on.
fn surroundings(root: &OwnedFd, home: &FieldPath, pool_depth: Option<usize>) -> nix::Result<Surroundings> {
    let parts: Vec<&str> = home.components().collect();
    let (_, above) = parts.split_last().ok_or(Errno::EINVAL)?;
    let (mut parent, mut place) = (directory::open_directory(root, c".")?, None);
    for (depth, part) in (1..).zip(above) {
        let next = trusted(directory::open_directory(&parent, *part)?)?;
        let is_other = || Ok::<_, Errno>(fstat(&next)?.st_dev != fstat(&parent)?.st_dev || is_mounted(&parent, part));
        if Some(depth) == pool_depth || (place.is_some() && is_other()?) {
            place = Some((directory::open_directory(&next, c".")?, depth));
        }
        parent = next;
    }
    let (place, depth) = place.ok_or(Errno::EINVAL)?;
    let path = FieldPath::new(format!("/{}", parts.get(..depth).unwrap_or_default().join("/")));
    Ok(Surroundings { parent, place, path: path.map_err(|_| Errno::EINVAL)? })
}

fn is_mounted(parent: &OwnedFd, name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    matches!(directory::open_here(parent, &name), Err(Errno::EXDEV))
}

/// Opens a directory in which, and above which, only root may rename things.
pub fn open_trusted(root: &OwnedFd, path: &FieldPath) -> nix::Result<OwnedFd> {
    let mut opened = directory::open_directory(root, c".")?;
    for part in path.components() {
        opened = trusted(directory::open_directory(&opened, part)?)?;
    }
    Ok(opened)
}
