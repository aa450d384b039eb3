//! Each way to store something, beside an agent that leases what there is.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

use accountd_protocol::frame::{self, QUOTA_CAP};
use accountd_protocol::quota::QuotaExceeded;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use tempfile::TempDir;

use super::growth::Charge;
use super::*;
use crate::upload::{Target, Upload, Wish};

const WISH: Wish = Wish { flags: OFlag::O_RDWR, mode: Mode::from_bits_truncate(0o644), target: Target::Replaced };
const TAKEN: QuotaAnswer = QuotaAnswer::Taken;

/// A root, a quota on it, and what was asked of the agent.
struct Scratch {
    directory: TempDir,
    quota: Quota,
    asked: Receiver<QuotaRequest>,
}

impl Scratch {
    /// Leases whatever is asked for.
    fn new() -> Self {
        Self::answering(|request| match request {
            QuotaRequest::Lease(wanted) => QuotaAnswer::Leased(wanted),
            QuotaRequest::Return { .. } => TAKEN,
            QuotaRequest::Use => QuotaAnswer::Unavailable,
        })
    }

    /// Has so many bytes in all, and as many files as anybody wants.
    fn with_bytes(limit: u64) -> Self {
        let mut left = limit;
        Self::answering(move |request| match request {
            QuotaRequest::Lease(wanted) if wanted.bytes > left => QuotaAnswer::Exceeded(QuotaExceeded::Bytes(limit)),
            QuotaRequest::Lease(wanted) => {
                left -= wanted.bytes;
                QuotaAnswer::Leased(wanted)
            }
            QuotaRequest::Return { unused, freed } => {
                left += unused.bytes + freed.bytes;
                TAKEN
            }
            QuotaRequest::Use => QuotaAnswer::Unavailable,
        })
    }

    fn answering(mut answer: impl FnMut(QuotaRequest) -> QuotaAnswer + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (heard, asked) = channel();
        std::thread::spawn(move || {
            while let Ok(Some(request)) = frame::read(&mut ours, QUOTA_CAP) {
                heard.send(request).unwrap();
                frame::write(&mut ours, &answer(request), QUOTA_CAP).unwrap();
            }
        });
        let tree = Tree::open(Some(directory.path())).unwrap();
        let quota = Quota::of(Relay::from(OwnedFd::from(theirs)), QuotaBackend::Ledger, &tree).unwrap();
        Self { directory, quota, asked }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tree(&self) -> Tree {
        Tree::open(Some(self.directory.path())).unwrap()
    }

    fn lease(&self) -> Lease {
        self.quota.ledger.as_ref().unwrap().lease
    }

    /// Bytes and files that this session has used.
    fn consumed(&self) -> (u64, u64) {
        let QuotaUse { bytes, files } = self.lease().consumed;
        (bytes, files)
    }

    fn make(&mut self, name: &str) -> OwnedFd {
        let tree = self.tree();
        let directory = || tree.destination(name.as_bytes()).map(|(directory, _)| directory);
        let mode = Mode::from_bits_truncate(0o644);
        let flags = OFlag::O_RDWR | OFlag::O_CREAT;
        let file = self.quota.open_file(flags, directory, |flags| tree.open_data(name.as_bytes(), flags, mode));
        let file = file.unwrap();
        self.quota.opened(&fstat(&file).unwrap());
        file
    }

    fn write(&mut self, file: &OwnedFd, offset: u64, length: usize) -> Result<(), StoreError> {
        let charge = self.quota.before_write(file, Span { offset: Some(offset), length: length as u64 })?;
        File::from(file.try_clone().unwrap()).write_all_at(&vec![b'x'; length], offset).unwrap();
        self.quota.after_write(charge, length as u64);
        Ok(())
    }

    fn upload(&mut self, name: &str, length: usize) -> Upload {
        let tree = self.tree();
        let around = || tree.destination(name.as_bytes()).map(|(directory, _)| directory);
        let begun = self.quota.begin(around, || Upload::begin(&tree, name.as_bytes(), WISH));
        let upload = begun.unwrap().unwrap();
        let file = upload.file().try_clone().unwrap();
        self.write(&file, 0, length).unwrap();
        upload
    }

    fn remove(&mut self, name: &str) {
        let tree = self.tree();
        let place = tree.place(name.as_bytes()).unwrap();
        let victim = self.quota.victim(&place, &place.name);
        fs::remove_file(self.path(name)).unwrap();
        self.quota.gone(victim);
    }
}

#[test]
fn only_growth_costs_and_holes_are_growth() {
    let mut scratch = Scratch::new();
    let file = scratch.make("f");
    assert_eq!(scratch.consumed(), (0, 1));
    for (offset, length, size) in [(0, 100, 100), (50, 10, 100), (90, 20, 110), (1000, 1, 1001), (1000, 0, 1001)] {
        scratch.write(&file, offset, length).unwrap();
        assert_eq!(scratch.consumed(), (size, 1), "{offset}");
        assert_eq!(fs::metadata(scratch.path("f")).unwrap().size(), size);
    }
    let beyond = scratch.quota.before_write(&file, Span { offset: Some(u64::MAX), length: 1 });
    assert_eq!(beyond.unwrap_err(), StoreError::Kernel(Errno::EFBIG));
    let charge = scratch.quota.before_write(&file, Span { offset: None, length: 50 }).unwrap();
    assert_eq!(scratch.consumed(), (1051, 1), "at the end");
    scratch.quota.after_write(charge, 20);
    assert_eq!(scratch.consumed(), (1021, 1), "what was not written comes back");
    scratch.quota.after_write(Charge::default(), 0);
    assert_eq!(scratch.consumed(), (1021, 1));
}

#[test]
fn a_file_that_is_cut_gives_back_and_one_that_is_stretched_costs() {
    let mut scratch = Scratch::new();
    let file = scratch.make("f");
    scratch.write(&file, 0, 100).unwrap();
    scratch.quota.truncate(&file, 40).unwrap();
    assert_eq!(scratch.consumed(), (40, 1));
    scratch.quota.truncate(&file, 1 << 30).unwrap();
    assert_eq!(scratch.consumed(), (1 << 30, 1));
    let reader = OwnedFd::from(File::open(scratch.path("f")).unwrap());
    assert_eq!(scratch.quota.truncate(&reader, 1 << 40), Err(StoreError::Kernel(Errno::EINVAL)));
    assert_eq!(scratch.consumed(), (1 << 30, 1), "what could not be done costs nothing");
}

#[test]
fn a_name_costs_nothing_and_the_last_one_frees_everything() {
    let mut scratch = Scratch::new();
    let file = scratch.make("f");
    scratch.write(&file, 0, 100).unwrap();
    scratch.quota.close(file).unwrap();
    fs::hard_link(scratch.path("f"), scratch.path("g")).unwrap();
    scratch.remove("f");
    assert_eq!(scratch.consumed(), (100, 1));
    scratch.remove("g");
    assert_eq!((scratch.consumed(), scratch.lease().freed), ((0, 0), QuotaUse::default()));
}

#[test]
fn what_is_removed_while_it_is_open_here_is_free_when_it_is_closed() {
    let mut scratch = Scratch::new();
    let (one, two) = (scratch.make("f"), scratch.make("f"));
    scratch.write(&one, 0, 100).unwrap();
    scratch.remove("f");
    assert_eq!(scratch.consumed(), (100, 1));
    scratch.write(&two, 100, 50).unwrap();
    scratch.quota.close(one).unwrap();
    assert_eq!(scratch.consumed(), (150, 1));
    scratch.quota.close(two).unwrap();
    assert_eq!(scratch.consumed(), (0, 0));
    let file = scratch.make("f");
    scratch.write(&file, 0, 5).unwrap();
    scratch.quota.close(file).unwrap();
    assert_eq!(scratch.consumed(), (5, 1), "what has its name stays");
}

#[test]
fn what_others_have_stored_is_freed_as_a_hint_alone() {
    let mut scratch = Scratch::new();
    fs::write(scratch.path("old"), [b'x'; 70]).unwrap();
    let file = scratch.make("new");
    scratch.write(&file, 0, 30).unwrap();
    scratch.remove("old");
    let Lease { consumed, freed, .. } = scratch.lease();
    assert_eq!((consumed, freed), (QuotaUse::default(), QuotaUse { bytes: 40, files: 0 }));
    scratch.quota.settle();
    let last = scratch.asked.try_iter().last().unwrap();
    let unused = QuotaUse { bytes: 8 << 20, files: 64 };
    assert_eq!(last, QuotaRequest::Return { unused, freed: QuotaUse { bytes: 40, files: 0 } });
    scratch.quota.settle();
    assert!(scratch.asked.try_iter().next().is_none(), "it is said once");
}

#[test]
fn a_lease_that_was_used_to_its_last_byte_is_settled_too() {
    let mut scratch = Scratch::answering(|request| match request {
        QuotaRequest::Lease(wanted) if wanted == bytes(100) || wanted == QuotaUse { bytes: 0, files: 1 } => {
            QuotaAnswer::Leased(wanted)
        }
        QuotaRequest::Lease(_) => QuotaAnswer::Exceeded(QuotaExceeded::Bytes(100)),
        QuotaRequest::Return { .. } => TAKEN,
        QuotaRequest::Use => QuotaAnswer::Unavailable,
    });
    scratch.quota.settle();
    assert!(scratch.asked.try_iter().next().is_none(), "nothing was leased");
    let file = scratch.make("f");
    scratch.write(&file, 0, 100).unwrap();
    assert_eq!((scratch.lease().left, scratch.lease().freed), Default::default());
    scratch.quota.settle();
    let nothing = QuotaRequest::Return { unused: QuotaUse::default(), freed: QuotaUse::default() };
    assert_eq!(scratch.asked.try_iter().last(), Some(nothing));
    scratch.quota.settle();
    assert!(scratch.asked.try_iter().next().is_none(), "it is said once");
}

#[test]
fn an_upload_costs_until_it_is_given_up_and_then_what_it_replaces_is_free() {
    let mut scratch = Scratch::new();
    let first = scratch.upload("f", 100);
    scratch.quota.publish(first).unwrap();
    assert_eq!(scratch.consumed(), (100, 1));
    let second = scratch.upload("f", 60);
    assert_eq!(scratch.consumed(), (160, 2), "both are there");
    scratch.quota.publish(second).unwrap();
    assert_eq!(scratch.consumed(), (60, 1));
    let third = scratch.upload("f", 500);
    scratch.quota.abandon(third);
    assert_eq!(scratch.consumed(), (60, 1));
    let fourth = scratch.upload("d", 500);
    fs::create_dir(scratch.path("d")).unwrap();
    scratch.quota.publish(fourth).unwrap_err();
    assert_eq!(scratch.consumed(), (60, 1), "nothing is left of it");
}

#[test]
fn steps_are_leased_and_at_the_end_the_last_byte() {
    let mut scratch = Scratch::with_bytes((8 << 20) + 100);
    let file = scratch.make("f");
    let file_lease = QuotaRequest::Lease(QuotaUse { bytes: 0, files: 64 });
    scratch.write(&file, 0, 1000).unwrap();
    scratch.write(&file, 1000, 1000).unwrap();
    assert_eq!(scratch.asked.try_iter().collect::<Vec<_>>(), [file_lease, QuotaRequest::Lease(bytes(8 << 20))]);
    scratch.write(&file, 8 << 20, 100).unwrap();
    let refused = scratch.write(&file, (8 << 20) + 100, 1).unwrap_err();
    let told = format!("Disk quota exceeded: the quota of this account is {} bytes", (8 << 20) + 100);
    assert_eq!(refused.to_string(), told);
    let asked: Vec<_> = [bytes(8 << 20), bytes(100), bytes(8 << 20), bytes(1)].map(QuotaRequest::Lease).into();
    assert_eq!(scratch.asked.try_iter().collect::<Vec<_>>(), asked);
    scratch.quota.truncate(&file, 0).unwrap();
    scratch.write(&file, 0, 1 << 20).unwrap();
    assert!(scratch.asked.try_iter().next().is_none(), "its own is used again");
}

#[test]
fn what_was_freed_of_others_is_told_before_anything_is_refused() {
    let mut scratch = Scratch::with_bytes(0);
    fs::write(scratch.path("old"), [b'x'; 70]).unwrap();
    let file = scratch.make("new");
    scratch.write(&file, 0, 50).unwrap_err();
    scratch.remove("old");
    scratch.write(&file, 0, 50).unwrap();
    assert_eq!(scratch.consumed(), (50, 0));
}

#[test]
fn what_can_not_be_asked_for_is_refused_until_it_can_and_a_lost_relay_for_ever() {
    let mut works = false;
    let mut scratch = Scratch::answering(move |request| {
        works = !works;
        match request {
            QuotaRequest::Lease(wanted) if !works => QuotaAnswer::Leased(wanted),
            _ => QuotaAnswer::Unavailable,
        }
    });
    let file = OwnedFd::from(File::create(scratch.path("f")).unwrap());
    assert_eq!(scratch.write(&file, 0, 9), Err(OverQuota::Unavailable.into()));
    assert_eq!(scratch.write(&file, 0, 9), Ok(()));
    let mut lying = Scratch::answering(|_| QuotaAnswer::Leased(bytes(8)));
    assert_eq!(lying.write(&file, 9, 9), Err(OverQuota::Unavailable.into()), "less than was asked for");
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    scratch.quota.relay = Some(Relay::from(OwnedFd::from(theirs)));
    scratch.quota.truncate(&file, 8 << 20).unwrap();
    assert_eq!(scratch.quota.truncate(&file, 16 << 20), Err(OverQuota::Unavailable.into()));
    assert_eq!(fs::metadata(scratch.path("f")).unwrap().size(), 8 << 20);
}

#[test]
fn what_is_on_another_file_system_does_not_count() {
    let mut scratch = Scratch::with_bytes(0);
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    if fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(scratch.directory.path()).unwrap().dev() {
        return;
    }
    let file = OwnedFd::from(File::create(elsewhere.path().join("f")).unwrap());
    scratch.write(&file, 0, 100).unwrap();
    scratch.quota.truncate(&file, 1000).unwrap();
    assert_eq!(scratch.consumed(), (0, 0));
}

#[test]
fn the_limit_of_the_kernel_is_named() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let tree = Tree::open(Some(std::env::temp_dir().as_path())).unwrap();
    let mut quota = Quota::of(Relay::from(OwnedFd::from(theirs)), QuotaBackend::Kernel, &tree).unwrap();
    let agent = std::thread::spawn(move || {
        let limits = QuotaLimits { bytes: Some(1000), files: Some(10), ..QuotaLimits::default() };
        for used in [QuotaUse { bytes: 990, files: 3 }, QuotaUse { bytes: 5, files: 10 }] {
            assert_eq!(frame::read(&mut ours, QUOTA_CAP).unwrap(), Some(QuotaRequest::Use));
            frame::write(&mut ours, &QuotaAnswer::Use { limits, used }, QUOTA_CAP).unwrap();
        }
    });
    let over = StoreError::Kernel(Errno::EDQUOT);
    assert_eq!(quota.named(over), OverQuota::Bytes(1000).into());
    assert_eq!(quota.named(over), OverQuota::Files(10).into());
    agent.join().unwrap();
    assert_eq!(quota.named(over), OverQuota::Unknown.into());
    assert_eq!(quota.named(StoreError::Kernel(Errno::ENOSPC)), StoreError::Kernel(Errno::ENOSPC));
    let file = tempfile::tempfile().unwrap();
    assert_eq!(quota.truncate(&file, 1 << 20), Ok(()), "nothing is leased");
}
