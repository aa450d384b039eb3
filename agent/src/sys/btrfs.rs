//! Subvolumes and qgroups of btrfs (ioctl(2), linux/btrfs.h, linux/btrfs_tree.h).
//!
//! Calls instead of the btrfs(8) program: there are five, they take descriptors where the program takes
//! paths, and the agent starts no other program for them.

use std::ffi::{CStr, c_ulong};
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

const MAGIC: u32 = 0x94;
/// Longest name of a subvolume, with its end.
const NAME: usize = 4088;
const RESULTS: usize = 3992;
/// The inode of the top of every subvolume (BTRFS_FIRST_FREE_OBJECTID).
const TOP: u64 = 256;
const QUOTA_TREE: u64 = 8;
const STATUS_KEY: u32 = 240;
const INFO_KEY: u32 = 242;
const STATUS_ON: u64 = 1;
/// BTRFS_QGROUP_LIMIT_MAX_RFER.
const MAX_REFERENCED: u64 = 1;
const NO_LIMIT: u64 = u64::MAX;

/// btrfs_ioctl_vol_args.
#[repr(C)]
struct Named {
    fd: i64,
    name: [u8; NAME],
}

/// btrfs_ioctl_search_args: the key first.
#[repr(C)]
struct Search {
    tree: u64,
    objects: [u64; 2],
    offsets: [u64; 2],
    transactions: [u64; 2],
    kinds: [u32; 2],
    items: u32,
    unused: u32,
    unused_too: [u64; 4],
    results: [u8; RESULTS],
}

/// btrfs_ioctl_ino_lookup_args.
#[repr(C)]
struct Lookup {
    tree: u64,
    object: u64,
    name: [u8; 4080],
}

/// btrfs_ioctl_qgroup_limit_args.
#[repr(C)]
struct Limit {
    qgroup: u64,
    flags: u64,
    referenced: u64,
    exclusive: u64,
    reserved: [u64; 2],
}

const CREATE: c_ulong = libc::_IOW::<Named>(MAGIC, 14) as c_ulong;
const DESTROY: c_ulong = libc::_IOW::<Named>(MAGIC, 15) as c_ulong;
const SEARCH: c_ulong = libc::_IOWR::<Search>(MAGIC, 17) as c_ulong;
const LOOKUP: c_ulong = libc::_IOWR::<Lookup>(MAGIC, 18) as c_ulong;
const LIMIT: c_ulong = libc::_IOR::<Limit>(MAGIC, 43) as c_ulong;

/// Whether qgroups are counted on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qgroups {
    On,
    Off,
}

pub fn is_btrfs(file: &impl AsFd) -> bool {
    nix::sys::statfs::fstatfs(file).is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::BTRFS_SUPER_MAGIC)
}

/// Whether an open directory is the top of a subvolume.
pub fn is_subvolume(directory: &impl AsFd) -> bool {
    is_btrfs(directory) && nix::sys::stat::fstat(directory).is_ok_and(|found| found.st_ino == TOP)
}

/// Makes an empty subvolume, root's and 0755, and its qgroup.
pub fn create_subvolume(parent: &impl AsFd, name: &CStr) -> nix::Result<()> {
    call(parent, CREATE, &mut named(name)?)
}

/// Removes a subvolume with all that is in it; ENOTEMPTY where there are others in it.
pub fn destroy_subvolume(parent: &impl AsFd, name: &CStr) -> nix::Result<()> {
    call(parent, DESTROY, &mut named(name)?)
}

pub fn qgroups(on: &impl AsFd) -> nix::Result<Qgroups> {
    // version, generation, flags, rescan (btrfs_qgroup_status_item)
    match item(on, STATUS_KEY, 0) {
        Ok(Some(status)) if number(&status, 2) & STATUS_ON != 0 => Ok(Qgroups::On),
        Ok(_) | Err(Errno::ENOENT) => Ok(Qgroups::Off),
        Err(error) => Err(error),
    }
}

/// How many bytes a subvolume refers to, as of the last commit of the file system.
pub fn referenced(subvolume: &impl AsFd) -> nix::Result<u64> {
    let mut lookup = Lookup { tree: 0, object: TOP, name: [0; 4080] };
    call(subvolume, LOOKUP, &mut lookup)?;
    // generation, referenced, … (btrfs_qgroup_info_item)
    item(subvolume, INFO_KEY, lookup.tree)?.map(|info| number(&info, 1)).ok_or(Errno::ENOENT)
}

/// Sets how many bytes a subvolume may refer to.
pub fn limit(subvolume: &impl AsFd, bytes: Option<u64>) -> nix::Result<()> {
    let referenced = bytes.unwrap_or(NO_LIMIT);
    // 0 stands for the subvolume that the descriptor is in.
    let mut limit = Limit { qgroup: 0, flags: MAX_REFERENCED, referenced, exclusive: 0, reserved: [0; 2] };
    call(subvolume, LIMIT, &mut limit)
}

/// One item of the quota tree.
fn item(on: &impl AsFd, kind: u32, offset: u64) -> nix::Result<Option<Vec<u8>>> {
    let mut search = Search {
        tree: QUOTA_TREE,
        objects: [0; 2],
        offsets: [offset; 2],
        transactions: [0, u64::MAX],
        kinds: [kind; 2],
        items: 1,
        unused: 0,
        unused_too: [0; 4],
        results: [0; RESULTS],
    };
    call(on, SEARCH, &mut search)?;
    if search.items == 0 {
        return Ok(None);
    }
    // A header of transaction, object, offset (64 bits), kind and length (32 bits) comes first.
    let (header, rest) = search.results.split_at(32);
    let length = header.last_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    Ok(usize::try_from(length).ok().and_then(|length| rest.get(..length)).map(<[u8]>::to_vec))
}

/// One of the little-endian numbers of 64 bits that an item consists of.
fn number(item: &[u8], place: usize) -> u64 {
    let bytes = item.get(place * 8..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn named(name: &CStr) -> nix::Result<Named> {
    let mut named = Named { fd: 0, name: [0; NAME] };
    let bytes = name.to_bytes_with_nul();
    named.name.get_mut(..bytes.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(bytes);
    Ok(named)
}

/// `argument` is the structure that the request is documented with.
fn call<T>(on: &impl AsFd, request: c_ulong, argument: &mut T) -> nix::Result<()> {
    let (fd, address) = (on.as_fd().as_raw_fd(), std::ptr::from_mut(argument));
    // SAFETY: false if `T` were not the structure of this request, whose size is part of its number. The kernel
    // reads and writes no more than that, while `argument` is borrowed.
    Errno::result(unsafe { libc::ioctl(fd, request as _, address) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_as_large_as_the_kernel_has_them() {
        let sizes = [size_of::<Named>(), size_of::<Search>(), size_of::<Lookup>(), size_of::<Limit>()];
        assert_eq!(sizes, [4096, 4096, 4096, 48]);
        assert_eq!((CREATE, SEARCH, LIMIT), (0x5000_940e, 0xd000_9411, 0x8030_942b));
    }

    #[test]
    fn what_is_no_btrfs_is_no_subvolume() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert!(!is_btrfs(&proc) && !is_subvolume(&proc));
        assert!(qgroups(&proc).is_err());
    }
}
