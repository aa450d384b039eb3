//! POSIX access control lists (acl(5)) as the kernel keeps them: the extended attributes
//! `system.posix_acl_access` and `system.posix_acl_default` of an open file.
//!
//! A value is a version, then entries in ascending order, each of a tag, permission bits and an id; all in
//! little endian (`include/uapi/linux/posix_acl_xattr.h` of the kernel).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};
use serde::{Deserialize, Serialize};
use xattr::FileExt;

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";
const VERSION: u32 = 2;
/// Of an entry that has no id.
const NO_ID: u32 = u32::MAX;

pub const READ: u8 = 4;
pub const WRITE: u8 = 2;
pub const SEARCH: u8 = 1;

/// Whom an entry is about; in the order in which the kernel wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    Owner,
    User(u32),
    OwningGroup,
    Group(u32),
    Mask,
    Others,
}

/// What of files and directories there is two of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of the file itself.
    Access,
    /// Of what is made in a directory.
    Default,
}

/// Permission bits for each entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl(BTreeMap<Tag, u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclError {
    #[error("it is of another version")]
    Version,
    #[error("it is cut off")]
    Length,
    #[error("it has an entry that is not known")]
    Entry,
    #[error("it has two entries of a kind")]
    Twice,
}

impl Acl {
    /// What the permission bits of a file say by themselves.
    pub fn of_mode(mode: u32) -> Self {
        let bits = |shift: u32| (mode >> shift & 7) as u8;
        Self(BTreeMap::from([(Tag::Owner, bits(6)), (Tag::OwningGroup, bits(3)), (Tag::Others, bits(0))]))
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, AclError> {
        let (version, entries) = bytes.split_first_chunk::<4>().ok_or(AclError::Length)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(AclError::Version);
        }
        let (entries, []) = entries.as_chunks::<8>() else { return Err(AclError::Length) };
        let mut acl = Self::default();
        for [tag0, tag1, bits0, bits1, id @ ..] in entries {
            let (tag, bits) = (u16::from_le_bytes([*tag0, *tag1]), u16::from_le_bytes([*bits0, *bits1]));
            let tag = match (tag, u32::from_le_bytes(*id)) {
                (0x01, NO_ID) => Tag::Owner,
                (0x02, id) if id != NO_ID => Tag::User(id),
                (0x04, NO_ID) => Tag::OwningGroup,
                (0x08, id) if id != NO_ID => Tag::Group(id),
                (0x10, NO_ID) => Tag::Mask,
                (0x20, NO_ID) => Tag::Others,
                _ => return Err(AclError::Entry),
            };
            let bits = u8::try_from(bits).ok().filter(|bits| *bits <= 7).ok_or(AclError::Entry)?;
            if acl.0.insert(tag, bits).is_some() {
                return Err(AclError::Twice);
            }
        }
        Ok(acl)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, bits) in &self.0 {
            let (tag, id): (u16, u32) = match tag {
                Tag::Owner => (0x01, NO_ID),
                Tag::User(id) => (0x02, *id),
                Tag::OwningGroup => (0x04, NO_ID),
                Tag::Group(id) => (0x08, *id),
                Tag::Mask => (0x10, NO_ID),
                Tag::Others => (0x20, NO_ID),
            };
            bytes.extend(tag.to_le_bytes());
            bytes.extend(u16::from(*bits).to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    pub fn get(&self, tag: Tag) -> Option<u8> {
        self.0.get(&tag).copied()
    }

    pub fn set(&mut self, tag: Tag, bits: u8) {
        self.0.insert(tag, bits & 7);
    }

    pub fn remove(&mut self, tag: Tag) -> Option<u8> {
        self.0.remove(&tag)
    }

    pub fn entries(&self) -> impl Iterator<Item = (Tag, u8)> {
        self.0.iter().map(|(tag, bits)| (*tag, *bits))
    }

    /// What an entry gives: the mask holds all but those of the owner and of others.
    pub fn effective(&self, tag: Tag) -> Option<u8> {
        let bits = self.get(tag)?;
        let mask = self.get(Tag::Mask).unwrap_or(7);
        Some(match tag {
            Tag::Owner | Tag::Others | Tag::Mask => bits,
            Tag::User(_) | Tag::OwningGroup | Tag::Group(_) => bits & mask,
        })
    }

    /// What a process may, as the kernel decides it (acl(5), ACCESS CHECK ALGORITHM); `owner` and
    /// `owning_group` are those of the file.
    pub fn permits(&self, (owner, owning_group): (u32, u32), uid: u32, gids: &[u32]) -> u8 {
        let of = |tag| self.effective(tag).unwrap_or_default();
        if uid == owner {
            return of(Tag::Owner);
        }
        if let Some(bits) = self.effective(Tag::User(uid)) {
            return bits;
        }
        let own = gids.contains(&owning_group).then_some(Tag::OwningGroup);
        let named = self.0.keys().filter(|tag| matches!(tag, Tag::Group(gid) if gids.contains(gid))).copied();
        let mut groups = own.into_iter().chain(named).peekable();
        if groups.peek().is_none() {
            return of(Tag::Others);
        }
        groups.fold(0, |bits, tag| bits | of(tag))
    }

    /// Sets the mask so that it takes nothing away from what `most` has.
    pub fn mask_within(&mut self, most: u8) {
        let is_held = |tag: &Tag| matches!(tag, Tag::User(_) | Tag::OwningGroup | Tag::Group(_));
        let held = self.0.iter().filter(|(tag, _)| is_held(tag)).fold(0, |bits, (_, more)| bits | more);
        if self.0.keys().any(|tag| matches!(tag, Tag::User(_) | Tag::Group(_) | Tag::Mask)) {
            self.set(Tag::Mask, held & most);
        }
    }
}

/// The list of an open file; `None`: a default one that there is not.
pub fn read(file: &File, status: &FileStat, which: Which) -> io::Result<Option<Acl>> {
    match (file.get_xattr(name(which))?, which) {
        (Some(value), _) => Acl::parse(&value).map(Some).map_err(io::Error::other),
        (None, Which::Access) => Ok(Some(Acl::of_mode(status.st_mode))),
        (None, Which::Default) => Ok(None),
    }
}

/// The permission bits of a file follow the list of the file itself.
pub fn write(file: &File, which: Which, acl: &Acl) -> io::Result<()> {
    file.set_xattr(name(which), &acl.bytes())
}

/// Takes both lists off: permission bits are left.
pub fn clear(file: &File) -> io::Result<()> {
    [ACCESS, DEFAULT].into_iter().try_for_each(|name| match file.remove_xattr(name) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::EOPNOTSUPP)) => Ok(()),
        removed => removed,
    })
}

/// The list of the file itself, and its status.
pub fn of(file: &File) -> io::Result<(Acl, FileStat)> {
    let status = fstat(file)?;
    let acl = read(file, &status, Which::Access)?.unwrap_or_else(|| Acl::of_mode(status.st_mode));
    Ok((acl, status))
}

/// Whether the file system has no such lists.
pub fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32)
}

fn name(which: Which) -> &'static str {
    match which {
        Which::Access => ACCESS,
        Which::Default => DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `user::rw-,user:3001:r-x,group::---,mask::r-x,other::---`, as getfattr(1) shows it.
    const KNOWN: [u8; 44] = [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 5, 0, 185, 11, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255, 16, 0,
        5, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];

    fn known() -> Acl {
        let entries = [(Tag::Owner, 6), (Tag::User(3001), 5), (Tag::OwningGroup, 0), (Tag::Mask, 5), (Tag::Others, 0)];
        Acl(BTreeMap::from(entries))
    }

    #[test]
    fn a_list_is_what_the_kernel_keeps() {
        assert_eq!(Acl::parse(&KNOWN), Ok(known()));
        assert_eq!(known().bytes(), KNOWN);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let changed = |index: usize, to: u8| {
            let mut bytes = KNOWN;
            bytes[index] = to;
            Acl::parse(&bytes)
        };
        assert_eq!(changed(0, 1), Err(AclError::Version));
        assert_eq!(changed(4, 3), Err(AclError::Entry));
        assert_eq!(changed(6, 8), Err(AclError::Entry));
        assert_eq!(changed(8, 0), Err(AclError::Entry), "an owner has no id");
        assert_eq!(changed(12, 1), Err(AclError::Entry));
        assert_eq!(Acl::parse(&KNOWN[..43]), Err(AclError::Length));
        assert_eq!(Acl::parse(&[]), Err(AclError::Length));
        assert_eq!(Acl::parse(&[&KNOWN[..], &KNOWN[4..12]].concat()), Err(AclError::Twice));
    }

    #[test]
    fn a_file_without_lists_has_what_its_mode_says() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::open(directory.path()).unwrap();
        let status = fstat(&file).unwrap();
        let both = || [Which::Access, Which::Default].map(|which| read(&file, &status, which).unwrap());
        assert_eq!(both(), [Some(Acl::of_mode(status.st_mode)), None]);
        clear(&file).unwrap();
        write(&file, Which::Access, &known()).unwrap();
        write(&file, Which::Default, &known()).unwrap();
        assert_eq!(both(), [Some(known()), Some(known())]);
        clear(&file).unwrap();
        // The kernel keeps of the list what is a mode: that of its mask where the group's would be.
        assert_eq!(both()[1], None);
        assert_eq!(of(&file).unwrap().0.get(Tag::User(3001)), None);
    }

    #[test]
    fn access_is_decided_as_the_kernel_decides_it() {
        let mut acl = known();
        acl.set(Tag::Group(40), 6);
        acl.set(Tag::Group(41), 1);
        acl.set(Tag::Others, 4);
        let may = |uid, gids: &[u32]| acl.permits((1, 10), uid, gids);
        assert_eq!(may(1, &[40]), 6, "the owner");
        assert_eq!(may(3001, &[40]), 5, "an entry of the user's own comes before those of groups");
        assert_eq!(may(7, &[40]), 4, "the mask takes write away");
        assert_eq!(may(7, &[40, 41]), 5);
        assert_eq!(may(7, &[10]), 0, "who is in a group is none of the others");
        assert_eq!(may(7, &[9]), 4);
    }

    #[test]
    fn a_mask_holds_what_entries_give_and_no_more_than_it_may() {
        let mut acl = known();
        acl.set(Tag::User(5), 7);
        acl.mask_within(6);
        assert_eq!(acl.get(Tag::Mask), Some(6));
        let mut plain = Acl::of_mode(0o640);
        plain.mask_within(7);
        assert_eq!(plain.get(Tag::Mask), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_alike(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(acl) = Acl::parse(&bytes) {
                prop_assert_eq!(Acl::parse(&acl.bytes()), Ok(acl));
            }
        }

        #[test]
        fn what_is_written_is_read_alike(entries in prop::collection::btree_map((0..6_u8, 0..u32::MAX), 0..8_u8, 0..20)) {
            let tag = |(kind, id): (u8, u32)| match kind {
                0 => Tag::Owner,
                1 => Tag::User(id),
                2 => Tag::OwningGroup,
                3 => Tag::Group(id),
                4 => Tag::Mask,
                _ => Tag::Others,
            };
            let acl = Acl(entries.into_iter().map(|(key, bits)| (tag(key), bits)).collect());
            prop_assert_eq!(Acl::parse(&acl.bytes()), Ok(acl));
        }
    }
}
