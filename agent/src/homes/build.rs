//! A new home, made ready under a hidden name before anything is decided.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{Mode, fstatat};
use serde::{Deserialize, Serialize};

use super::adopted;
use super::directory;
use super::emptying::random_name;
use super::place::{Homes, Parent};
use super::subvolume;

/// The beginning of every hidden name; what is left over of one is removed at the next start.
pub const HIDDEN_PREFIX: &str = ".accountd-new-";

/// How often a home is begun whose parent vanishes.
const TRIES: usize = 5;

/// Whose a new file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub uid: Uid,
    pub gid: Gid,
}

impl Owner {
    pub const ROOT: Owner = Owner { uid: Uid::ROOT, gid: Gid::ROOT };
}

/// What a new home begins with.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// Its permission bits.
    pub mode: u32,
    /// The text of `.ssh/authorized_keys`; empty for none.
    pub keys: &'a str,
    pub skeleton: Skeleton,
}

/// Whether a new home gets what is in `etc/skel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skeleton {
    Copied,
    LeftOut,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("it exists and is not a directory")]
    NotADirectory,
    #[error("it exists and belongs to somebody else, or a directory above it does")]
    NotOwned,
    #[error("no space is left for it")]
    NoSpace,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<Errno> for BuildError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::ENOSPC | Errno::EDQUOT => BuildError::NoSpace,
            Errno::ENOTDIR | Errno::ELOOP => BuildError::NotADirectory,
            Errno::EPERM => BuildError::NotOwned,
            error => BuildError::Io(error.into()),
        }
    }
}

/// A home that is ready to be used. Dropped without [`Prepared::keep`], it is taken away again.
#[derive(Debug)]
pub struct Prepared {
    parent: Parent,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It was there already and is the owner's.
    Existing,
    /// It was there, root's and empty (a fresh dataset), and still is.
    Adoptable(OwnedFd),
    /// It was that, and is filled and handed over in place.
    Adopted(OwnedFd),
    /// It stands ready under a hidden name beside its place.
    Hidden { hidden: CString, name: CString },
    /// It is the account's from now on.
    Kept,
}

impl Homes {
    /// Makes the home of `owner` ready: the skeleton, then the keys, then owner and mode. A
    /// directory that can be adopted is left as it is, for [`Homes::adopt`].
    pub fn prepare(&self, home: &FieldPath, owner: Owner, filling: Filling<'_>) -> Result<Prepared, BuildError> {
        for _ in 0..TRIES {
            match self.try_to_prepare(home, owner, filling) {
                // A request that failed has taken the directory away that it had made above this one.
                Err(BuildError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        Err(Errno::ENOENT.into())
    }

    fn try_to_prepare(&self, home: &FieldPath, owner: Owner, filling: Filling<'_>) -> Result<Prepared, BuildError> {
        let parent = self.open_parent(home)?;
        let mut prepared = Prepared { parent, state: State::Existing };
        let name = home.components().last().ok_or(Errno::EINVAL)?;
        let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
        let result = match fstatat(&prepared.parent.directory, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => self.build_hidden(&mut prepared, name, owner, filling),
            Err(error) => Err(error.into()),
            Ok(_) => take_existing(&mut prepared, &name, owner),
        };
        result.map(|()| prepared)
    }

    fn build_hidden(
        &self,
        prepared: &mut Prepared,
        name: CString,
        owner: Owner,
        filling: Filling<'_>,
    ) -> Result<(), BuildError> {
        let hidden = hidden_name()?;
        let home = subvolume::make_home(&prepared.parent.directory, &hidden)?;
        prepared.state = State::Hidden { hidden, name };
        self.fill(&home, owner, filling)
    }

    /// Fills a directory that can be adopted; any other home is ready.
    pub fn adopt(&self, prepared: &mut Prepared, owner: Owner, filling: Filling<'_>) -> Result<(), BuildError> {
        let State::Adoptable(found) = &prepared.state else { return Ok(()) };
        let home = directory::open_directory(found, c".")?;
        if directory::owner_of(&home)? != Uid::ROOT.0 || !directory::is_empty(&home)? {
            return Err(BuildError::NotOwned);
        }
        prepared.state = State::Adopted(directory::open_directory(&home, c".")?);
        self.fill(&home, owner, filling)
    }

    fn fill(&self, home: &OwnedFd, owner: Owner, filling: Filling<'_>) -> Result<(), BuildError> {
        if filling.skeleton == Skeleton::Copied {
            match directory::open_directory(self.root(), c"etc/skel") {
                Ok(skeleton) => directory::copy_tree(&skeleton, home, owner)?,
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !filling.keys.is_empty() {
            write_keys(home, owner, filling.keys)?;
        }
        directory::give(home, owner, Mode::from_bits_truncate(filling.mode & 0o777))?;
        Ok(nix::unistd::fsync(home)?)
    }
}

fn take_existing(prepared: &mut Prepared, name: &CStr, owner: Owner) -> Result<(), BuildError> {
    let home = directory::open_directory(&prepared.parent.directory, name)?;
    let found = directory::owner_of(&home)?;
    if found == owner.uid.0 && found != 0 {
        prepared.state = State::Existing;
        return Ok(());
    }
    if found != 0 || !directory::is_empty(&home)? {
        return Err(BuildError::NotOwned);
    }
    prepared.state = State::Adoptable(home);
    Ok(())
}

/// The key file of a home that only root can reach yet.
fn write_keys(home: &OwnedFd, owner: Owner, keys: &str) -> Result<(), BuildError> {
    let ssh = match directory::make_directory(home, c".ssh", Mode::S_IRWXU) {
        Err(Errno::EEXIST) => directory::open_directory(home, c".ssh")?,
        made => made?,
    };
    match nix::unistd::unlinkat(&ssh, c"authorized_keys", nix::unistd::UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    directory::write_file(&ssh, c"authorized_keys", keys.as_bytes(), owner, Mode::from_bits_truncate(0o600))?;
    directory::give(&ssh, owner, Mode::S_IRWXU)?;
    Ok(nix::unistd::fsync(&ssh)?)
}

impl Prepared {
    /// The hidden and the final name, where the home has still to be renamed.
    pub fn hidden(&self) -> Option<(&str, &str)> {
        match &self.state {
            State::Hidden { hidden, name } => Some((hidden.to_str().ok()?, name.to_str().ok()?)),
            State::Existing | State::Adoptable(_) | State::Adopted(_) | State::Kept => None,
        }
    }

    /// Whether the home was the owner's before; its content has been left alone.
    pub fn existed(&self) -> bool {
        matches!(self.state, State::Existing)
    }

    /// Whether it has still to be adopted.
    pub fn is_adoptable(&self) -> bool {
        matches!(self.state, State::Adoptable(_))
    }

    /// The account exists now: nothing is taken away any more.
    pub fn keep(mut self) {
        self.state = State::Kept;
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // What can't be removed here is found by its prefix at the next start.
        match std::mem::replace(&mut self.state, State::Kept) {
            State::Kept => return,
            State::Existing | State::Adoptable(_) => {}
            State::Hidden { hidden, .. } => {
                let _ = directory::remove_tree(&self.parent.directory, &hidden);
            }
            State::Adopted(home) => {
                if let Err(error) = adopted::empty(&home) {
                    tracing::warn!(%error, "a directory that has not become a home can not be emptied");
                }
            }
        }
        self.parent.discard();
    }
}

fn hidden_name() -> Result<CString, BuildError> {
    CString::new(format!("{HIDDEN_PREFIX}{}", random_name()?)).map_err(|_| Errno::EINVAL.into())
}

/// Removes what a crash left of homes that were being made.
pub fn sweep(root: &std::path::Path, parents: &[String]) {
    let Ok(homes) = Homes::new(root, Vec::new()) else { return };
    for parent in parents {
        let Ok(directory) = directory::open_directory(homes.root(), parent.trim_start_matches('/')) else { continue };
        for name in directory::entries(&directory).unwrap_or_default() {
            if name.to_bytes().starts_with(HIDDEN_PREFIX.as_bytes())
                && let Err(error) = directory::remove_tree(&directory, &name)
            {
                tracing::warn!(%error, parent, "cannot remove what is left of a new home");
            }
        }
    }
}
