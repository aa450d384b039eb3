//! Where a home may lie.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use accountd_protocol::id::Uid;
use accountd_protocol::refusal::Problem;
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::trash::TRASH;
use super::{directory, mounts};

/// The home of an account that has none (Debian's and FreeNAS' convention).
const NONE: &str = "/nonexistent";
const ROOTS_OWN: &str = "/root";

/// What a home field means for the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeKind {
    /// There is no directory and none is made.
    None,
    /// A directory that is root's business and is there already.
    RootsOwn,
    /// A directory below one of the home roots, made where it is missing.
    Made,
}

/// The places below which homes are made.
#[derive(Debug)]
pub struct Homes {
    root: OwnedFd,
    /// Directories whose children are pools: a home lies in an existing pool, not beside it.
    pools: Vec<FieldPath>,
}

/// The opened parent directory of a home and what had to be made on the way to it.
#[derive(Debug)]
pub struct Parent {
    pub directory: OwnedFd,
    /// (parent, name) of each directory that was made, outermost first.
    made: Vec<(OwnedFd, CString)>,
}

impl HomeKind {
    /// Whether a path stands for no home.
    pub fn is_none(home: &FieldPath) -> bool {
        home.as_str() == NONE
    }
}

impl Homes {
    /// `root` is the machine's root directory; `pools` are paths below it.
    pub fn new(root: &Path, pools: Vec<FieldPath>) -> nix::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self { root: open(root, flags, Mode::empty())?, pools })
    }

    /// The machine's root directory.
    pub fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// What `home` would be for a user with `uid`, or why it can't be that user's.
    pub fn judge(&self, home: &FieldPath, uid: Uid) -> Result<HomeKind, Problem> {
        match home.as_str() {
            NONE => return Ok(HomeKind::None),
            ROOTS_OWN if uid == Uid::ROOT => return Ok(HomeKind::RootsOwn),
            _ => {}
        }
        let Some(pool_depth) = self.pool_depth(home) else { return Err(self.outside()) };
        let parts: Vec<&str> = home.components().collect();
        if parts.contains(&TRASH) {
            return Err(Problem::Reserved);
        }
        let pool = parts.get(..pool_depth).ok_or_else(|| self.outside())?.join("/");
        if directory::open_below(&self.root, pool.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY).is_err() {
            return Err(self.outside());
        }
        if let Some(point) = mounts::missing_above(&self.root, home) {
            return Err(Problem::NotMounted(point.to_string()));
        }
        if parts.len() == pool_depth { Err(Problem::PoolRoot) } else { Ok(HomeKind::Made) }
    }

    /// How many components the pool has that `home` lies in.
    pub(super) fn pool_depth(&self, home: &FieldPath) -> Option<usize> {
        let depth = |roots: &FieldPath| home.is_within(roots).then(|| roots.components().count() + 1);
        self.pools.iter().filter_map(depth).max()
    }

    /// Whether `home` lies in a pool, and is none itself.
    pub fn is_in_pool(&self, home: &FieldPath) -> bool {
        self.pool_depth(home).is_some_and(|depth| home.components().count() > depth)
    }

    /// The directories whose children are pools.
    pub(super) fn roots_of_pools(&self) -> &[FieldPath] {
        &self.pools
    }

    /// The pools that there are, as paths below the root directory.
    pub fn pools(&self) -> Vec<String> {
        let listed = |roots: &FieldPath| {
            let opened = directory::open_directory(&self.root, roots.as_str().trim_start_matches('/'));
            let names = opened.and_then(|opened| directory::entries(&opened)).unwrap_or_default();
            let names = names.into_iter().filter_map(|name| name.into_string().ok());
            names.map(|name| format!("{roots}/{name}")).collect::<Vec<_>>()
        };
        self.pools.iter().flat_map(listed).collect()
    }

    /// The permission bits of a home; `None` where there is none. An error where a symbolic link
    /// leads to it.
    pub fn mode_of(&self, home: &FieldPath) -> nix::Result<Option<u32>> {
        let path = home.as_str().trim_start_matches('/');
        match directory::open_below(&self.root, path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Ok(opened) => Ok(Some(fstat(&opened)?.st_mode & 0o777)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who owns a home, links of the administrator's making followed; `None` where there is none.
    pub fn owner_of(&self, home: &FieldPath) -> nix::Result<Option<Uid>> {
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match openat2(&self.root, home.as_str(), OpenHow::new().flags(flags).resolve(resolve)) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            opened => Ok(Some(Uid(fstat(&opened?)?.st_uid))),
        }
    }

    fn outside(&self) -> Problem {
        Problem::OutsideRoots(self.named_pools())
    }

    /// Where homes may lie, for people.
    pub(super) fn named_pools(&self) -> String {
        self.pools.iter().map(|pool| format!("{pool}/POOL")).collect::<Vec<_>>().join(", ")
    }

    /// Opens the directory that `home` lies in and makes what is missing on the way, root's and
    /// 0755. A directory that is another user's to change is not walked through.
    pub fn open_parent(&self, home: &FieldPath) -> nix::Result<Parent> {
        let parts: Vec<&str> = home.components().collect();
        let (_, above) = parts.split_last().ok_or(Errno::EINVAL)?;
        let mut parent = Parent { directory: directory::open_directory(&self.root, c".")?, made: Vec::new() };
        for part in above {
            let name = CString::new(*part).map_err(|_| Errno::EINVAL)?;
            let next = match directory::open_directory(&parent.directory, name.as_c_str()) {
                Err(Errno::ENOENT) => parent.make(&name),
                found => found,
            };
            match next.and_then(trusted) {
                Ok(next) => parent.directory = next,
                Err(error) => {
                    parent.discard();
                    return Err(error);
                }
            }
        }
        Ok(parent)
    }
}

impl Parent {
    fn make(&mut self, name: &CString) -> nix::Result<OwnedFd> {
        let made = match directory::make_directory(&self.directory, name, Mode::from_bits_truncate(0o755)) {
            // Another request was quicker; it takes away what it made itself.
            Err(Errno::EEXIST) => return directory::open_directory(&self.directory, name.as_c_str()),
            made => made?,
        };
        let above = directory::open_directory(&self.directory, c".")?;
        nix::unistd::fsync(&above)?;
        self.made.push((above, name.clone()));
        Ok(made)
    }

    /// Takes away again what was made on the way, unless somebody uses it by now.
    pub fn discard(&mut self) {
        for (above, name) in self.made.drain(..).rev() {
            // A directory that is no longer empty belongs to somebody; it stays.
            let _ = unlinkat(&above, name.as_c_str(), UnlinkatFlags::RemoveDir);
        }
    }
}

/// A directory in which only root can rename what is in it, or where the sticky bit says so.
pub(super) fn trusted(directory: OwnedFd) -> nix::Result<OwnedFd> {
    let status = fstat(&directory)?;
    let open_to_others = status.st_mode & 0o002 != 0 && status.st_mode & libc::S_ISVTX == 0;
    if status.st_uid != 0 || open_to_others { Err(Errno::EPERM) } else { Ok(directory) }
}
