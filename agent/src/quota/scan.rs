//! A scan: what an account stores, by the owners of files, as sizes say it (`st_size`).

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use accountd_protocol::id::Uid;
use accountd_protocol::quota::QuotaUse;
use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::holder::Holder;
use super::place::open_plain;
use crate::homes::transfer::Fault;
use crate::homes::transfer::walk::{Descent, Entry, FileId, Visitor, walk};

/// After so many entries others get their turn, and it is seen whether the scan is still wanted.
const SLICE: u64 = 512;
/// How often a scan is begun in which a directory is moved away.
const TRIES: usize = 3;

/// How far a scan is; others look at it.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    files: AtomicU64,
    entries: AtomicU64,
    is_cancelled: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("cannot open {path}: {source}")]
    Open { path: String, source: Errno },
    #[error(transparent)]
    Walk(#[from] Fault),
    #[error("it was cancelled")]
    Cancelled,
}

impl Progress {
    pub fn found(&self) -> QuotaUse {
        QuotaUse { bytes: self.bytes.load(Ordering::Relaxed), files: self.files.load(Ordering::Relaxed) }
    }

    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        [&self.bytes, &self.files, &self.entries].into_iter().for_each(|number| number.store(0, Ordering::Relaxed));
    }

    fn tell(&self, entries: u64, found: QuotaUse) {
        self.bytes.store(found.bytes, Ordering::Relaxed);
        self.files.store(found.files, Ordering::Relaxed);
        self.entries.store(entries, Ordering::Relaxed);
    }
}

/// Walks through the home of an account, and through the root of its sessions where that is another
/// directory of the same file system. Mount points are not entered, links not followed.
pub fn scan(root: &OwnedFd, holder: &Holder, progress: &Progress) -> Result<QuotaUse, ScanError> {
    let mut tries = 1;
    loop {
        progress.begin();
        match try_to_scan(root, holder, progress) {
            Err(ScanError::Walk(Fault::Moved)) if tries < TRIES => tries += 1,
            Err(_) if progress.is_cancelled() => return Err(ScanError::Cancelled),
            result => return result,
        }
    }
}

fn try_to_scan(root: &OwnedFd, holder: &Holder, progress: &Progress) -> Result<QuotaUse, ScanError> {
    let mut counting = Counting::new(holder.uid, progress);
    for top in tops(root, holder)? {
        walk(top, &mut counting)?;
    }
    progress.tell(counting.entries, counting.found);
    Ok(counting.found)
}

/// What is walked through: nothing twice.
fn tops(root: &OwnedFd, holder: &Holder) -> Result<Vec<OwnedFd>, ScanError> {
    let open = |path: &Path| {
        open_plain(root, path).map_err(|source| ScanError::Open { path: path.display().to_string(), source })
    };
    let home = open(&holder.home)?;
    let Some(other) = holder.root.as_deref().filter(|path| !path.starts_with(&holder.home)) else {
        return Ok(vec![home]);
    };
    // A root that is not there, or not the account's to see, holds nothing of it.
    let Ok(opened) = open_plain(root, other) else { return Ok(vec![home]) };
    let device = |directory: &OwnedFd| fstat(directory).map(|status| status.st_dev).ok();
    Ok(match device(&opened) == device(&home) {
        true if holder.home.starts_with(other) => vec![opened],
        true => vec![home, opened],
        false => vec![home],
    })
}

struct Counting<'a> {
    uid: Uid,
    progress: &'a Progress,
    found: QuotaUse,
    entries: u64,
    /// Files that have more than one name, once each.
    linked: HashSet<FileId>,
}

impl<'a> Counting<'a> {
    fn new(uid: Uid, progress: &'a Progress) -> Self {
        Self { uid, progress, found: QuotaUse::default(), entries: 0, linked: HashSet::new() }
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.entries += 1;
        if self.entries.is_multiple_of(SLICE) {
            if self.progress.is_cancelled() {
                return Err(Fault::Unheard);
            }
            self.progress.tell(self.entries, self.found);
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Visitor for Counting<'_> {
    fn enter(&mut self, _: &Entry<'_>, _: &OwnedFd) -> Result<Descent, Fault> {
        self.step().map(|()| Descent::Into)
    }

    fn leave(&mut self, _: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }

    fn visit(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let status = &entry.status;
        let is_own = status.st_mode & libc::S_IFMT == libc::S_IFREG && status.st_uid == self.uid.0;
        if is_own && (status.st_nlink < 2 || self.linked.insert(FileId::of(status))) {
            self.found.files += 1;
            self.found.bytes = self.found.bytes.saturating_add(u64::try_from(status.st_size).unwrap_or_default());
        }
        self.step()
    }

    fn pass(&mut self) {
        self.entries += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{chown, symlink};
    use std::path::PathBuf;

    use accountd_protocol::id::AccountId;
    use accountd_protocol::quota::QuotaLimits;

    use super::*;

    const ANNA: u32 = 61_001;

    fn holder(home: &str, root: Option<&str>) -> Holder {
        let (account, name, uid) = (AccountId(7), "anna".into(), Uid(ANNA));
        Holder { account, name, uid, home: home.into(), root: root.map(PathBuf::from), limits: QuotaLimits::default() }
    }

    struct World(tempfile::TempDir);

    impl World {
        fn new() -> Self {
            let world = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(world.at("mnt/tank/anna/deep/deeper")).unwrap();
            world
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn write(&self, path: &str, size: usize, uid: u32) {
            fs::write(self.at(path), vec![b'a'; size]).unwrap();
            chown(self.at(path), Some(uid), None).unwrap();
        }

        fn scan(&self, holder: &Holder) -> Result<QuotaUse, ScanError> {
            let root = fs::File::open(self.0.path()).unwrap().into();
            scan(&root, holder, &Progress::default())
        }
    }

    #[test]
    fn regular_files_of_the_account_count_by_their_sizes_and_once() {
        let world = World::new();
        world.write("mnt/tank/anna/a", 100, ANNA);
        world.write("mnt/tank/anna/deep/deeper/b", 20, ANNA);
        world.write("mnt/tank/anna/deep/others", 4000, ANNA + 1);
        world.write("mnt/tank/outside", 5000, ANNA);
        fs::hard_link(world.at("mnt/tank/anna/a"), world.at("mnt/tank/anna/deep/again")).unwrap();
        symlink("../outside", world.at("mnt/tank/anna/link")).unwrap();
        symlink("..", world.at("mnt/tank/anna/up")).unwrap();
        let sparse = fs::File::create(world.at("mnt/tank/anna/sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        chown(world.at("mnt/tank/anna/sparse"), Some(ANNA), None).unwrap();
        let found = world.scan(&holder("/mnt/tank/anna", None)).unwrap();
        assert_eq!(found, QuotaUse { bytes: 120 + (1 << 30), files: 3 });
    }

    #[test]
    fn a_root_elsewhere_counts_too_and_nothing_counts_twice() {
        let world = World::new();
        fs::create_dir_all(world.at("mnt/tank/shared")).unwrap();
        world.write("mnt/tank/anna/a", 100, ANNA);
        world.write("mnt/tank/shared/b", 20, ANNA);
        let rows = [
            (Some("/mnt/tank/shared"), (120, 2)),
            (Some("/mnt/tank"), (120, 2)),
            (Some("/mnt/tank/anna/deep"), (100, 1)),
            (Some("/mnt/tank/missing"), (100, 1)),
            (Some("/proc"), (100, 1)),
            (None, (100, 1)),
        ];
        for (root, (bytes, files)) in rows {
            let found = world.scan(&holder("/mnt/tank/anna", root)).unwrap();
            assert_eq!(found, QuotaUse { bytes, files }, "{root:?}");
        }
    }

    #[test]
    fn a_home_that_is_missing_or_behind_a_link_is_an_error() {
        let world = World::new();
        symlink("anna", world.at("mnt/tank/link")).unwrap();
        for home in ["/mnt/tank/link", "/mnt/tank/missing"] {
            assert!(matches!(world.scan(&holder(home, None)), Err(ScanError::Open { .. })), "{home}");
        }
    }

    #[test]
    fn a_scan_that_is_not_wanted_any_more_ends() {
        let world = World::new();
        (0..SLICE).for_each(|number| world.write(&format!("mnt/tank/anna/{number}"), 1, ANNA));
        let root: OwnedFd = fs::File::open(world.0.path()).unwrap().into();
        let progress = Progress::default();
        progress.cancel();
        let result = scan(&root, &holder("/mnt/tank/anna", None), &progress);
        assert!(matches!(result, Err(ScanError::Cancelled)), "{result:?}");
    }
}
