//! File attributes (section 5) and how they are set.

use std::os::fd::AsFd;

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, UtimensatFlags, fchmod, fchmodat, futimens, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat};

use super::status::Failure;
use super::wire::{Output, Reader, Truncated};
use crate::path::{Place, Scope, Tree};
use crate::quota::{Quota, StoreError};

const SIZE: u32 = 1;
const UID_GID: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;

/// What a client wants set; times in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size: Option<u64>,
    pub owner: Option<(u32, u32)>,
    pub permissions: Option<u32>,
    /// Access and modification.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let flags = reader.uint32()?;
        let mut attributes = Attributes::default();
        if flags & SIZE != 0 {
            attributes.size = Some(reader.uint64()?);
        }
        if flags & UID_GID != 0 {
            attributes.owner = Some((reader.uint32()?, reader.uint32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(reader.uint32()?);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((reader.uint32()?, reader.uint32()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..reader.uint32()? {
                reader.string()?;
                reader.string()?;
            }
        }
        Ok(attributes)
    }

    /// The mode for a file that is made; the umask takes its part.
    pub fn creation_mode(&self, default: u32) -> Mode {
        Mode::from_bits_truncate(self.permissions.unwrap_or(default) & 0o7777)
    }

    fn mode(&self) -> Option<Mode> {
        self.permissions.map(|bits| Mode::from_bits_truncate(bits & 0o7777))
    }

    fn time_specs(&self) -> Option<(TimeSpec, TimeSpec)> {
        self.times.map(|(access, change)| (TimeSpec::new(access.into(), 0), TimeSpec::new(change.into(), 0)))
    }

    fn ids(&self) -> Option<(Option<Uid>, Option<Gid>)> {
        self.owner.map(|(uid, gid)| (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
    }

    /// Sets all of it on an open file. Size first and owner last: a change of owner may take the
    /// right to do the rest. The kernel decides on each; what can be set is set, and the first
    /// failure is told. So it is with paths and links.
    pub fn set_on_file(&self, file: &impl AsFd, quota: &mut Quota) -> Result<(), Failure> {
        let size = self.size.map(|size| quota.truncate(file, size)).transpose();
        let mode = self.mode().map(|mode| fchmod(file, mode)).transpose();
        let times = self.time_specs().map(|(access, change)| futimens(file, &access, &change)).transpose();
        let owner = self.ids().map(|(uid, gid)| fchown(file, uid, gid)).transpose();
        size?;
        mode?;
        times?;
        owner?;
        Ok(())
    }

    /// Sets all of it on what `path` leads to.
    pub fn set_on_path(&self, tree: &Tree, path: &[u8], quota: &mut Quota) -> Result<(), Failure> {
        let size = self.size.map(|size| truncate_path(tree, path, size, quota)).transpose();
        let rest = Attributes { size: None, ..*self }.set_rest_on_path(tree, path);
        size?;
        rest
    }

    fn set_rest_on_path(&self, tree: &Tree, path: &[u8]) -> Result<(), Failure> {
        if *self == Attributes::default() {
            return Ok(());
        }
        match tree.scope() {
            Scope::Whole => self.set_on_place(&tree.place(path)?, Follow::Yes),
            Scope::Confined(_) => self.set_on_reference(&tree.open_file(path, OFlag::O_PATH, Mode::empty())?),
        }
    }

    /// Sets all but the size on a link itself, or on what is there (lsetstat@openssh.com).
    pub fn set_on_link(&self, tree: &Tree, path: &[u8]) -> Result<(), Failure> {
        if self.size.is_some() {
            return Err(Failure::Unsupported);
        }
        self.set_on_place(&tree.place(path)?, Follow::No)
    }

    fn set_on_place(&self, place: &Place<'_>, follow: Follow) -> Result<(), Failure> {
        let name = place.name.as_c_str();
        let mode = self.mode().map(|mode| fchmodat(place, name, mode, follow.chmod())).transpose();
        let times = self.time_specs().map(|(access, change)| utimensat(place, name, &access, &change, follow.times()));
        let owner = self.ids().map(|(uid, gid)| fchownat(place, name, uid, gid, follow.chown())).transpose();
        mode?;
        times.transpose()?;
        owner?;
        Ok(())
    }

    /// Through an O_PATH descriptor; proc(5) makes a path of it that leads nowhere else.
    fn set_on_reference(&self, file: &(impl AsFd + std::os::fd::AsRawFd)) -> Result<(), Failure> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let (here, path) = (nix::fcntl::AT_FDCWD, path.as_str());
        let follow = Follow::Yes;
        let mode = self.mode().map(|mode| fchmodat(here, path, mode, follow.chmod())).transpose();
        let times = self.time_specs().map(|(access, change)| utimensat(here, path, &access, &change, follow.times()));
        let owner = self.ids().map(|(uid, gid)| fchownat(file, c"", uid, gid, AtFlags::AT_EMPTY_PATH)).transpose();
        mode?;
        times.transpose()?;
        owner?;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Follow {
    Yes,
    No,
}

impl Follow {
    fn chmod(self) -> FchmodatFlags {
        match self {
            Follow::Yes => FchmodatFlags::FollowSymlink,
            Follow::No => FchmodatFlags::NoFollowSymlink,
        }
    }

    fn times(self) -> UtimensatFlags {
        match self {
            Follow::Yes => UtimensatFlags::FollowSymlink,
            Follow::No => UtimensatFlags::NoFollowSymlink,
        }
    }

    fn chown(self) -> AtFlags {
        match self {
            Follow::Yes => AtFlags::empty(),
            Follow::No => AtFlags::AT_SYMLINK_NOFOLLOW,
        }
    }
}

fn truncate_path(tree: &Tree, path: &[u8], size: u64, quota: &mut Quota) -> Result<(), StoreError> {
    quota.truncate(&tree.open_data(path, OFlag::O_WRONLY, Mode::empty())?, size)
}

/// The attributes of a file as it is.
pub fn write(output: &mut Output, status: &FileStat) {
    output.uint32(SIZE | UID_GID | PERMISSIONS | TIMES);
    output.uint64(u64::try_from(status.st_size).unwrap_or_default());
    output.uint32(status.st_uid);
    output.uint32(status.st_gid);
    output.uint32(status.st_mode);
    output.uint32(seconds(status.st_atime));
    output.uint32(seconds(status.st_mtime));
}

/// The protocol's times end in 2106.
fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}
