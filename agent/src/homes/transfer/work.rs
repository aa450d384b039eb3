//! What such a child is told to do, and the order of its steps.

use std::collections::HashSet;
use std::io::stdout;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use accountd_protocol::id::Uid;
use accountd_protocol::identity::Identity;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::syncfs;
use serde::{Deserialize, Serialize};

use super::attributes::Kept;
use super::copy::{Copier, adopt_directory};
use super::measure::Measure;
use super::own::Handover;
use super::report::{Report, Reporter};
use super::staging::Staging;
use super::walk::{FileId, walk};
use super::{Fault, failed};
use crate::homes::worker::WorkError;
use crate::homes::{Owner, directory};

/// A child that needs more memory than this has met something that nobody thought of.
const MOST_MEMORY: u64 = 1 << 30;
/// How often a pass is begun again when a directory was moved away under it.
const TRIES: usize = 5;
/// A home that still changes after so many passes is in use.
const PASSES: usize = 4;

/// One order. Paths are below the machine's root directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferWork {
    /// Counts what is the user's in `home`, and what is not.
    Measure { home: PathBuf, others: Vec<PathBuf> },
    /// Copies what is the user's, as the user.
    Copy(Transfer),
    /// As root: what was `from`'s in `home` becomes the user's.
    Own { home: PathBuf, from: Owner, others: Vec<PathBuf> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transfer {
    pub from: PathBuf,
    pub to: PathBuf,
    /// Homes of other accounts: not looked into.
    pub others: Vec<PathBuf>,
    pub attributes: Attributes,
    pub passes: Passes,
}

/// How often the old home is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passes {
    /// What its user does in the new home meanwhile stays done.
    One,
    /// Until one has found nothing new: then the old home is not needed any more.
    UntilComplete,
}

/// Whether the new home itself gets what the old one has: mode, ACLs, times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attributes {
    Copied,
    Kept,
}

/// The child's whole work. It becomes the user first, unless it has to hand over.
pub fn run(root: &Path, identity: &Identity, work: &TransferWork) -> Result<(), WorkError> {
    setrlimit(Resource::RLIMIT_AS, MOST_MEMORY, MOST_MEMORY).map_err(failed("limit the memory"))?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(root, flags, Mode::empty()).map_err(failed("open the root directory"))?;
    match work {
        TransferWork::Own { home, from, others } => {
            end_with_the_agent()?;
            let to = Owner { uid: identity.uid, gid: identity.gid };
            let home = open_home(&root, home)?;
            let others = identify(&root, others);
            hand_over(&home, (*from, to), &others, &mut Reporter::new(stdout()))?;
        }
        TransferWork::Measure { home, others } => {
            identity.assume()?;
            end_with_the_agent()?;
            let (home, others) = (open_home(&root, home)?, identify(&root, others));
            let mut measure = Measure { uid: identity.uid, others: &others, found: Report::default() };
            walk(home, &mut measure)?;
            let mut reporter = Reporter::new(stdout());
            reporter.counts = measure.found;
            reporter.tell()?;
        }
        TransferWork::Copy(transfer) => {
            identity.assume()?;
            end_with_the_agent()?;
            copy(&root, identity.uid, transfer, &mut Reporter::new(stdout()))?;
        }
    }
    Ok(())
}

/// To be called when the identity is the last one: a change of it takes this back (prctl(2)).
fn end_with_the_agent() -> Result<(), Fault> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("be ended with the agent"))
}

/// Where the user's own rights decide, links of the administrator's making are followed.
fn open_home(root: &OwnedFd, home: &Path) -> Result<OwnedFd, WorkError> {
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    match openat2(root, home, OpenHow::new().flags(flags).resolve(resolve)) {
        Err(Errno::ENOENT) => Err(WorkError::NoHome),
        opened => Ok(opened.map_err(failed("open the home"))?),
    }
}

fn identify(root: &OwnedFd, homes: &[PathBuf]) -> HashSet<FileId> {
    let open = |home: &PathBuf| {
        let path = home.strip_prefix("/").unwrap_or(home);
        directory::open_below(root, path, OFlag::O_PATH | OFlag::O_DIRECTORY).ok()
    };
    homes.iter().filter_map(open).filter_map(|home| fstat(&home).ok()).map(|status| FileId::of(&status)).collect()
}

/// Makes what is the first one's the second one's.
pub(super) fn hand_over(
    home: &OwnedFd,
    (from, to): (Owner, Owner),
    others: &HashSet<FileId>,
    reporter: &mut Reporter,
) -> Result<(), Fault> {
    again(|| {
        let mut handover = Handover { from, to, others, reporter };
        handover.begin(home)?;
        walk(reopen(home)?, &mut handover)
    })?;
    syncfs(home).map_err(failed("sync the home"))?;
    reporter.tell()
}

/// Copies as whoever runs this; `uid` is that one's.
pub(super) fn copy(root: &OwnedFd, uid: Uid, transfer: &Transfer, reporter: &mut Reporter) -> Result<(), WorkError> {
    let from = open_home(root, &transfer.from)?;
    let to = transfer.to.strip_prefix("/").unwrap_or(&transfer.to);
    let to = directory::open_directory(root, to).map_err(failed("open the new home"))?;
    let (old, new) =
        (fstat(&from).map_err(failed("look at the old home"))?, fstat(&to).map_err(failed("look at the new home"))?);
    if new.st_uid != uid.0 || FileId::of(&old) == FileId::of(&new) {
        return Err(Fault::NotOwned.into());
    }
    let others = identify(root, &transfer.others);
    let mut measure = Measure { uid, others: &others, found: Report::default() };
    again(|| {
        measure.found = Report::default();
        walk(reopen(&from)?, &mut measure)
    })?;
    reporter.counts.bytes_total = measure.found.bytes;
    let staging = Staging::open(&to, uid)?;
    let mut added = 0;
    let passes = match transfer.passes {
        Passes::One => 1,
        Passes::UntilComplete => PASSES,
    };
    for _ in 0..passes {
        again(|| {
            let bytes_total = reporter.counts.bytes_total;
            reporter.counts = Report { bytes_total, ..Report::default() };
            let mut copier = Copier::new(reopen(&to)?, uid, (&others, &staging), reporter);
            walk(reopen(&from)?, &mut copier)?;
            added = copier.added;
            Ok(())
        })?;
        if added == 0 {
            break;
        }
    }
    if transfer.passes == Passes::UntilComplete {
        // What still came to be in the last pass may not be all.
        reporter.counts.left_alone += added;
    }
    staging.remove(&to)?;
    if transfer.attributes == Attributes::Copied && adopt_directory(&from, &to)? == Kept::NotAll {
        reporter.counts.left_alone += 1;
    }
    syncfs(&to).map_err(failed("sync the new home"))?;
    Ok(reporter.tell()?)
}

fn reopen(directory: &OwnedFd) -> Result<OwnedFd, Fault> {
    directory::open_directory(directory, c".").map_err(failed("open a home again"))
}

fn again(mut pass: impl FnMut() -> Result<(), Fault>) -> Result<(), Fault> {
    for _ in 1..TRIES {
        match pass() {
            Err(Fault::Moved) => {}
            result => return result,
        }
    }
    pass()
}
