//! What is to be done with everything in a repository: entries of access control lists given, moved or
//! taken away, and files given to another user.
//!
//! Whoever may write a repository can rename things in it meanwhile. Every entry is opened without
//! following anything, looked at, and changed through that very descriptor; what comes into being
//! meanwhile has its lists from the directory that it is made in.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};
use nix::unistd::{Uid, fchown};
use serde::{Deserialize, Serialize};

use super::acl::{self, Acl, READ, SEARCH, Tag, WRITE, Which};
use super::layout;
use crate::homes::directory;
use crate::homes::transfer::Fault;
use crate::homes::transfer::walk::{Descent, Entry, Visitor, open_here, walk};

/// How often a walk is begun again when a directory was moved away under it.
const TRIES: usize = 20;
/// What others have moved where it was not met is met in the next pass.
const PASSES: usize = 4;

/// What an entry gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    None,
    Read,
    Write,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    Give(Tag, Rights),
    /// The number of an account has changed.
    Move(Tag, Tag),
}

/// Whose files become somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    Of(u32),
    /// Of all but root and these: whoever owns a file may write it, whatever a list says.
    OfAllBut(BTreeSet<u32>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub edits: Vec<Edit>,
    /// And to whom.
    #[serde(default)]
    pub handover: Option<(Handover, u32)>,
}

/// How far a repository has been gone through when its top changes: where something is taken away, nobody
/// gets in any more before the rest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    TopFirst,
    TopLast,
}

impl Rights {
    /// Of a directory.
    pub fn of_directory(self) -> u8 {
        match self {
            Rights::None => 0,
            Rights::Read => READ | SEARCH,
            Rights::Write => READ | WRITE | SEARCH,
        }
    }

    /// What permission bits of a directory come to.
    pub fn of_bits(bits: u8) -> Self {
        match (bits & (READ | SEARCH) == READ | SEARCH, bits & WRITE != 0) {
            (true, true) => Rights::Write,
            (true, false) => Rights::Read,
            (false, _) => Rights::None,
        }
    }
}

impl Work {
    pub fn give(tag: Tag, rights: Rights) -> Self {
        Self { edits: vec![Edit::Give(tag, rights)], handover: None }
    }

    fn order(&self) -> Order {
        let gives = |edit: &Edit| matches!(edit, Edit::Give(_, Rights::Write | Rights::Read) | Edit::Move(..));
        if self.handover.is_none() && self.edits.iter().all(gives) { Order::TopLast } else { Order::TopFirst }
    }

    /// Does it in all of a repository; can be done again.
    pub fn run(&self, top: &OwnedFd) -> io::Result<()> {
        if self.order() == Order::TopFirst {
            self.change(top)?;
        }
        for _ in 0..PASSES {
            if self.pass(top)? == 0 {
                break;
            }
        }
        self.change(top).map(drop)
    }

    /// Everything below the top; gives how much was changed.
    fn pass(&self, top: &OwnedFd) -> io::Result<usize> {
        let mut changed = 0;
        for _ in 0..TRIES {
            let mut visitor = Spread { work: self, changed: 0, links: links_are_protected() };
            let walked = walk(directory::open_directory(top, c".")?, &mut visitor);
            changed += visitor.changed;
            match walked {
                Ok(()) => return Ok(changed),
                Err(Fault::Moved) => {}
                Err(Fault::File { source, .. }) => return Err(source),
                Err(error @ (Fault::NotOwned | Fault::Unheard)) => return Err(io::Error::other(error.to_string())),
            }
        }
        Err(io::Error::other("its directories are being moved all the time"))
    }

    /// One file or directory that is open; gives whether anything has changed.
    fn change(&self, opened: &OwnedFd) -> io::Result<bool> {
        let file = File::from(opened.try_clone()?);
        let status = fstat(&file)?;
        let is_directory = directory::kind(&status) == libc::S_IFDIR;
        let mut changed = false;
        if let Some((handover, to)) = &self.handover
            && handover.is_of(status.st_uid)
            && status.st_uid != *to
        {
            fchown(&file, Some(Uid::from_raw(*to)), None)?;
            changed = true;
        }
        let lists: &[Which] = if is_directory { &[Which::Default, Which::Access] } else { &[Which::Access] };
        for which in lists {
            let Some(old) = acl::read(&file, &status, *which)? else { continue };
            let new = self.changed(&old, is_directory, &status);
            if new != old {
                acl::write(&file, *which, &new)?;
                changed = true;
            }
        }
        Ok(changed)
    }

    fn changed(&self, old: &Acl, is_directory: bool, status: &FileStat) -> Acl {
        let mut new = old.clone();
        // The owner's x is what makes a file a program; what nobody may write, nobody gets to write.
        let owner = old.get(Tag::Owner).unwrap_or((status.st_mode >> 6 & 7) as u8);
        let most = if is_directory { READ | WRITE | SEARCH } else { owner };
        for edit in &self.edits {
            match edit {
                Edit::Give(Tag::Others, rights) => new.set(Tag::Others, rights.of_directory() & most),
                Edit::Give(tag, Rights::None) => drop(new.remove(*tag)),
                Edit::Give(tag, rights) => {
                    let search = if is_directory { SEARCH } else { owner & SEARCH };
                    new.set(*tag, rights.of_directory() & (READ | WRITE) | search);
                }
                Edit::Move(from, to) => {
                    if let Some(bits) = new.remove(*from) {
                        new.set(*to, bits);
                    }
                }
            }
        }
        if new != *old {
            new.mask_within(most);
        }
        new
    }
}

impl Handover {
    fn is_of(&self, uid: u32) -> bool {
        match self {
            Handover::Of(one) => uid == *one,
            Handover::OfAllBut(kept) => uid != 0 && !kept.contains(&uid),
        }
    }
}

/// Whether only who may read and write a file can give it another name (`protected_hardlinks`, proc_sys_fs(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    Protected,
    Open,
}

fn links_are_protected() -> Links {
    let setting = std::fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap_or_default();
    if setting.trim() == "1" { Links::Protected } else { Links::Open }
}

struct Spread<'a> {
    work: &'a Work,
    changed: usize,
    links: Links,
}

impl Spread<'_> {
    fn spread(&mut self, opened: &OwnedFd) -> Result<(), Fault> {
        match self.work.change(opened) {
            Ok(changed) => {
                self.changed += usize::from(changed);
                Ok(())
            }
            Err(source) => Err(Fault::File { doing: "change an access control list", source }),
        }
    }
}

fn is_kept(entry: &Entry<'_>, status: &FileStat) -> bool {
    status.st_uid == 0 && layout::is_roots(entry.name.to_bytes(), entry.depth)
}

impl Visitor for Spread<'_> {
    fn enter(&mut self, entry: &Entry<'_>, opened: &OwnedFd) -> Result<Descent, Fault> {
        if is_kept(entry, &entry.status) {
            return Ok(Descent::Past);
        }
        self.spread(opened).map(|()| Descent::Into)
    }

    fn leave(&mut self, _: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }

    /// Regular files only: nothing else has a list, or is anything to git or Mercurial.
    fn visit(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        if directory::kind(&entry.status) != libc::S_IFREG || is_kept(entry, &entry.status) {
            return Ok(());
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = match open_here(entry.directory, entry.name, flags) {
            Ok(opened) => opened,
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO | Errno::EXDEV) => return Ok(()),
            Err(error) => return Err(Fault::File { doing: "open a file", source: error.into() }),
        };
        let status = fstat(&opened).map_err(|error| Fault::File { doing: "look at a file", source: error.into() })?;
        // One with another name elsewhere may be anybody's.
        let is_elsewhere = status.st_nlink > 1 && self.links == Links::Open;
        if directory::kind(&status) != libc::S_IFREG || is_elsewhere {
            return Ok(());
        }
        self.spread(&opened)
    }

    fn pass(&mut self) {}
}

#[cfg(test)]
pub mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    fn open(path: &Path) -> OwnedFd {
        File::open(path).unwrap().into()
    }

    /// Gives a file as many entries as the file system has room for.
    pub fn fill(path: &Path) {
        let file = File::open(path).unwrap();
        let of = |count: u32| {
            let mut acl = Acl::of_mode(0o660);
            (0..count).for_each(|number| acl.set(Tag::User(1_000_000 + number), READ));
            acl.mask_within(READ | WRITE);
            acl::write(&file, Which::Access, &acl).is_ok()
        };
        // The kernel takes 64 KiB at most (xattr(7)).
        let (mut fits, mut not) = (1, 65_536 / 8);
        while not - fits > 1 {
            let middle = (fits + not) / 2;
            if of(middle) { fits = middle } else { not = middle }
        }
        assert!(of(fits) && !of(fits + 1), "{fits}");
    }

    fn list(path: &Path, which: Which) -> Option<Acl> {
        let file = File::open(path).unwrap();
        let status = fstat(&file).unwrap();
        acl::read(&file, &status, which).unwrap()
    }

    /// A tree with a default list, as a repository has it.
    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let mut acl = Acl::of_mode(0o770);
        acl.set(Tag::OwningGroup, 0);
        acl.set(Tag::User(2000), 7);
        acl.set(Tag::Mask, 7);
        for which in [Which::Access, Which::Default] {
            acl::write(&File::open(directory.path()).unwrap(), which, &acl).unwrap();
        }
        std::fs::create_dir(directory.path().join("objects")).unwrap();
        for (name, mode) in [("objects/a", 0o444), ("ref", 0o664), ("objects/run", 0o755)] {
            std::fs::write(directory.path().join(name), "x").unwrap();
            std::fs::set_permissions(directory.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        directory
    }

    #[test]
    fn everything_is_given_and_taken_away_again() {
        let tree = tree();
        let top = open(tree.path());
        let tag = Tag::User(3001);
        Work::give(tag, Rights::Write).run(&top).unwrap();
        let effective = |name: &str, which| list(&tree.path().join(name), which).unwrap().effective(tag);
        assert_eq!(effective(".", Which::Access), Some(7));
        assert_eq!(effective("objects", Which::Default), Some(7));
        assert_eq!(effective("ref", Which::Access), Some(6));
        assert_eq!(effective("objects/run", Which::Access), Some(7), "a program stays one");
        assert_eq!(effective("objects/a", Which::Access), Some(4), "what nobody may write stays so");
        std::fs::write(tree.path().join("objects/later"), "x").unwrap();
        assert_eq!(effective("objects/later", Which::Access), Some(6));
        Work::give(tag, Rights::Read).run(&top).unwrap();
        assert_eq!(effective("objects/later", Which::Access), Some(4));
        Work { edits: vec![Edit::Move(tag, Tag::User(3002))], handover: None }.run(&top).unwrap();
        assert_eq!(effective("ref", Which::Access), None);
        Work::give(Tag::User(3002), Rights::None).run(&top).unwrap();
        for name in [".", "objects", "ref", "objects/a", "objects/later"] {
            assert_eq!(list(&tree.path().join(name), Which::Access).unwrap().get(Tag::User(3002)), None, "{name}");
        }
        let owner = list(&tree.path().join("ref"), Which::Access).unwrap();
        assert_eq!(owner.get(Tag::User(2000)), Some(7), "the others have what they had");
    }

    #[test]
    fn others_read_and_nothing_is_followed() {
        let (tree, outside) = (tree(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        std::fs::set_permissions(outside.path().join("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
        for (link, target) in [("file", outside.path().join("secret")), ("objects/all", outside.path().to_owned())] {
            std::os::unix::fs::symlink(target, tree.path().join(link)).unwrap();
        }
        nix::unistd::mkfifo(&tree.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        Work::give(Tag::Others, Rights::Read).run(&open(tree.path())).unwrap();
        let others = |name: &str| list(&tree.path().join(name), Which::Access).unwrap().get(Tag::Others);
        assert_eq!((others("."), others("ref"), others("objects/a")), (Some(5), Some(4), Some(4)));
        let mode = std::fs::metadata(outside.path().join("secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_may_have_a_name_elsewhere_stays_as_it_is_where_anybody_can_give_it_one() {
        let (tree, outside) = (tree(), tempfile::tempdir_in("/tmp").unwrap());
        std::fs::hard_link(tree.path().join("ref"), outside.path().join("name")).unwrap();
        let work = Work::give(Tag::User(3001), Rights::Read);
        let has = |name: &str| list(&tree.path().join(name), Which::Access).unwrap().get(Tag::User(3001)).is_some();
        for (links, given) in [(Links::Open, false), (Links::Protected, true)] {
            let mut spread = Spread { work: &work, changed: 0, links };
            walk(directory::open_directory(&open(tree.path()), c".").unwrap(), &mut spread).unwrap();
            assert_eq!((has("objects/a"), has("ref")), (true, given), "{links:?}");
        }
    }

    #[test]
    fn a_file_that_can_hold_no_further_entry_is_an_error_and_nothing_is_said_to_be_done() {
        let tree = tree();
        fill(&tree.path().join("ref"));
        let refused = Work::give(Tag::User(9_000_001), Rights::Read).run(&open(tree.path())).unwrap_err();
        assert!(matches!(refused.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC | libc::ENOMEM)), "{refused}");
        // What is given is given at the top last.
        assert_eq!(list(tree.path(), Which::Access).unwrap().get(Tag::User(9_000_001)), None);
    }

    #[test]
    fn files_are_given_to_the_owner_where_somebody_may_not_write_any_more() {
        let tree = tree();
        let name = tree.path().join("ref");
        let owner = || std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&name).unwrap());
        if std::os::unix::fs::chown(&name, Some(3001), None).is_err() {
            return;
        }
        let handover = |kept: &[u32]| (Handover::OfAllBut(kept.iter().copied().collect()), 2000);
        Work { edits: vec![], handover: Some(handover(&[2000, 3001])) }.run(&open(tree.path())).unwrap();
        assert_eq!(owner(), 3001);
        Work { edits: vec![], handover: Some(handover(&[2000])) }.run(&open(tree.path())).unwrap();
        assert_eq!(owner(), 2000);
    }
}
