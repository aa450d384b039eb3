//! Emptying a directory that nobody but root can reach, whatever is in it and whoever has parts
//! of it open (unlinkat(2), renameat(2)).
//!
//! There is no recursion. A directory that is met is made root's, so that nobody who has it open
//! can make anything in it any more; what is no directory in it is removed, and the directories
//! are renamed up, to be emptied in the next round. So neither the stack nor the number of open
//! descriptors depends on how deep the tree is, and no name is needed twice. Whoever keeps making
//! directories one step ahead of that is left after the last round, and met again in the next go.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Owner, directory};
use crate::sys::btrfs;

/// The deepest tree that is removed in one go; what lies deeper is for the next.
const MOST_ROUNDS: u32 = 20_000;
/// How often a directory that is root's by now is read; what was being made in it when it was
/// taken is there the second time.
const MOST_PASSES: u32 = 4;
/// So many entries that can't be removed are remembered, so that the others are come to.
const MOST_STUCK: usize = 10_000;
/// Subvolumes lie no deeper in each other where they are removed.
const DEEPEST: u32 = 16;
/// So many of them are told.
const MOST_TOLD: usize = 5;

/// What could not be removed, and why: a few of the many.
#[derive(Debug, Default)]
pub struct Leftovers {
    pub count: usize,
    pub examples: Vec<String>,
    /// Whether another go would remove more.
    pub is_deep: bool,
}

/// Makes an open directory root's alone. Whoever has it open can do nothing in it from now on.
pub fn take(directory: &OwnedFd) -> nix::Result<()> {
    directory::give(directory, Owner::ROOT, Mode::S_IRWXU)
}

/// Empties `directory`, which is root's alone, but for the entries that are `kept`. Symbolic links
/// are not followed, and what is mounted stays with all above it. An error means that the
/// directory itself can't be read.
pub fn empty(directory: &OwnedFd, kept: impl Fn(&CStr) -> bool) -> nix::Result<Leftovers> {
    empty_at(0, directory, kept)
}

/// The same in a subvolume that lies in so many others.
fn empty_at(depth: u32, directory: &OwnedFd, kept: impl Fn(&CStr) -> bool) -> nix::Result<Leftovers> {
    let mut emptying = Emptying::new(directory, depth)?;
    for round in 0..MOST_ROUNDS {
        if emptying.round(round, &kept)? == Progress::None {
            return Ok(emptying.leftovers());
        }
    }
    let mut leftovers = emptying.leftovers();
    leftovers.count += 1;
    leftovers.examples.push("what lies deeper".into());
    leftovers.is_deep = true;
    Ok(leftovers)
}

struct Emptying<'a> {
    directory: &'a OwnedFd,
    device: u64,
    depth: u32,
    /// Begins the names that directories get here; nobody else can know it.
    run: String,
    round: u32,
    renamed: u64,
    /// What has been tried, and why in vain.
    stuck: HashMap<CString, String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Some,
    None,
}

/// What unlinking an entry has come to.
enum Unlinked {
    Gone,
    /// It is a directory with something in it.
    Filled,
}

impl<'a> Emptying<'a> {
    fn new(directory: &'a OwnedFd, depth: u32) -> nix::Result<Self> {
        let device = fstat(directory)?.st_dev;
        let run = random_name()?;
        Ok(Self { directory, device, depth, run, round: 0, renamed: 0, stuck: HashMap::new() })
    }

    /// Removes every entry that was not renamed here in this very round: reading a directory may
    /// or may not show what comes into it meanwhile.
    fn round(&mut self, round: u32, kept: &impl Fn(&CStr) -> bool) -> nix::Result<Progress> {
        self.round = round;
        let own = self.prefix();
        let (mut progress, renamed) = (Progress::None, self.renamed);
        for entry in open_stream(self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let passed_over = is_dot(name) || kept(name) || name.to_bytes().starts_with(own.as_bytes());
            if passed_over || self.stuck.contains_key(name) {
                continue;
            }
            match self.remove(name) {
                Ok(()) => progress = Progress::Some,
                Err(_) if self.stuck.len() >= MOST_STUCK => return Ok(Progress::None),
                Err(reason) => drop(self.stuck.insert(name.to_owned(), reason)),
            }
        }
        Ok(if self.renamed > renamed { Progress::Some } else { progress })
    }

    fn remove(&mut self, name: &CStr) -> Result<(), String> {
        match unlink(self.directory, name) {
            Ok(Unlinked::Gone) => Ok(()),
            Ok(Unlinked::Filled) => self.remove_filled(name),
            Err(error) => Err(reason(error)),
        }
    }

    fn remove_filled(&mut self, name: &CStr) -> Result<(), String> {
        let filled = directory::open_here(self.directory, name).map_err(reason)?;
        let device = fstat(&filled).map_err(reason)?.st_dev;
        if device != self.device {
            return self.remove_subvolume(name, &filled);
        }
        take(&filled).map_err(|error| format!("it can not be made root's: {error}"))?;
        let mut fault = None;
        for _ in 0..MOST_PASSES {
            let passed = self.pass(&filled);
            fault = passed.as_ref().err().cloned().or(fault);
            match unlinkat(self.directory, name, UnlinkatFlags::RemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => return Ok(()),
                Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
                Err(error) => return Err(reason(error)),
            }
        }
        Err(fault.unwrap_or_else(|| "something is made in it all the time".into()))
    }

    /// Removes a subvolume of btrfs at once; one that has others in it is emptied of them first.
    fn remove_subvolume(&self, name: &CStr, filled: &OwnedFd) -> Result<(), String> {
        if !btrfs::is_subvolume(filled) {
            return Err("it is another file system".into());
        }
        match btrfs::destroy_subvolume(self.directory, name) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::ENOTEMPTY) if self.depth < DEEPEST => {}
            Err(error) => return Err(reason(error)),
        }
        take(filled).map_err(|error| format!("it can not be made root's: {error}"))?;
        let leftovers = empty_at(self.depth + 1, filled, |_| false).map_err(reason)?;
        match btrfs::destroy_subvolume(self.directory, name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) if leftovers.is_none() => Err(reason(error)),
            Err(_) => Err(leftovers.to_string()),
        }
    }

    /// Removes what is in `filled` and renames its directories up. Gives the first fault.
    fn pass(&mut self, filled: &OwnedFd) -> Result<(), String> {
        let mut result = Ok(());
        for entry in open_stream(filled).map_err(reason)? {
            let entry = entry.map_err(reason)?;
            let name = entry.file_name();
            if is_dot(name) {
                continue;
            }
            let done = match unlink(filled, name) {
                Ok(Unlinked::Gone) => Ok(()),
                Ok(Unlinked::Filled) => self.rename_up(filled, name),
                Err(error) => Err(error),
            };
            result = result.and(done.map_err(|error| told(name, &reason(error))));
        }
        result
    }

    fn rename_up(&mut self, from: &OwnedFd, name: &CStr) -> nix::Result<()> {
        let new = format!("{}{}", self.prefix(), self.renamed);
        renameat(from, name, self.directory, new.as_str())?;
        self.renamed += 1;
        Ok(())
    }

    fn prefix(&self) -> String {
        format!("{}-{}-", self.run, self.round)
    }

    fn leftovers(self) -> Leftovers {
        let examples = self.stuck.iter().take(MOST_TOLD).map(|(name, reason)| told(name, reason));
        Leftovers { count: self.stuck.len(), examples: examples.collect(), is_deep: false }
    }
}

impl Leftovers {
    pub fn is_none(&self) -> bool {
        self.count == 0
    }
}

impl std::fmt::Display for Leftovers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ({})", self.count, self.examples.join("; "))
    }
}

/// A file is the likelier guess.
fn unlink(directory: &OwnedFd, name: &CStr) -> nix::Result<Unlinked> {
    match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(Unlinked::Gone),
        Err(Errno::EISDIR) => {}
        Err(error) => return Err(error),
    }
    match unlinkat(directory, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(Unlinked::Gone),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(Unlinked::Filled),
        Err(error) => Err(error),
    }
}

fn open_stream(directory: &OwnedFd) -> nix::Result<Dir> {
    Dir::from_fd(directory::open_below(directory, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)
}

fn reason(error: Errno) -> String {
    match error {
        Errno::EBUSY | Errno::EXDEV => "something is mounted on it".into(),
        Errno::EPERM => "it is immutable or may only be appended to".into(),
        error => error.to_string(),
    }
}

fn told(name: &CStr, reason: &str) -> String {
    format!("{}: {reason}", name.to_string_lossy().escape_debug())
}

fn is_dot(name: &CStr) -> bool {
    name == c"." || name == c".."
}

/// 64 random bits in hexadecimal.
pub fn random_name() -> nix::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| Errno::EIO)?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}
