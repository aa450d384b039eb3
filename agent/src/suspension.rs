//! What runs for an account without a login: its crontab(1), at(1) jobs, and lingering services
//! (loginctl(1)). A lock in shadow(5) does not stop them: cron(8) and atd(8) ask PAM whether the
//! account has expired, not whether its password is locked.
//!
//! They are moved aside under a name that cron, atd and systemd do not read, in the same directory,
//! and come back when the account is unlocked here. Nothing here can fail a change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use accountd_protocol::id::Uid;
use tracing::warn;

use crate::belongings::{AT, CRONTABS, LINGER, place_of};

/// Begins the name of what is moved aside. cron and systemd pass over names with a dot at their
/// beginning; the name of a job begins with its queue and hexadecimal digits.
pub const ASIDE: &str = ".accountd-suspended-";

/// How often a rename is tried.
const RENAMES: usize = 3;

/// What runs by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Automatic {
    pub crontab: bool,
    pub at_jobs: u64,
    pub linger: bool,
}

/// What becomes of it with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    Unchanged,
    Suspended,
    Resumed,
}

impl Automatic {
    /// What is there; jobs only where `uid` is nobody else's.
    pub fn of(root: &Path, name: &str, uid: Option<Uid>) -> Self {
        let is_there =
            |directory| place_of(root, directory, name).is_some_and(|path| fs::symlink_metadata(path).is_ok());
        let jobs = jobs(root, uid).into_iter().filter(|path| !is_aside(path));
        Self { crontab: is_there(CRONTABS), at_jobs: jobs.count() as u64, linger: is_there(LINGER) }
    }

    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }

    /// What was there and is not there any more.
    pub fn without(self, after: Self) -> Self {
        Self {
            crontab: self.crontab && !after.crontab,
            at_jobs: self.at_jobs.saturating_sub(after.at_jobs),
            linger: self.linger && !after.linger,
        }
    }
}

/// Whether something of an account has been moved aside.
pub fn is_suspended(root: &Path, name: &str, uid: Option<Uid>) -> bool {
    let named = [CRONTABS, LINGER].into_iter().filter_map(|directory| place_of(root, directory, name));
    named.map(|path| aside(&path)).any(|path| fs::symlink_metadata(path).is_ok())
        || jobs(root, uid).iter().any(|path| is_aside(path))
}

/// What is aside already is replaced: it is older.
pub fn suspend(root: &Path, name: &str, uid: Option<Uid>) {
    let named = [CRONTABS, LINGER].into_iter().filter_map(|directory| place_of(root, directory, name));
    let jobs = jobs(root, uid).into_iter().filter(|path| !is_aside(path));
    named.chain(jobs).for_each(|path| rename(&path, &aside(&path)));
}

/// What somebody has put there since stays.
pub fn resume(root: &Path, name: &str, uid: Option<Uid>) {
    for path in [CRONTABS, LINGER].into_iter().filter_map(|directory| place_of(root, directory, name)) {
        if fs::symlink_metadata(&path).is_err() {
            rename(&aside(&path), &path);
        }
    }
    for path in jobs(root, uid).into_iter().filter(|path| is_aside(path)) {
        let name = path.file_name().map(|name| name.to_string_lossy().replacen(ASIDE, "", 1)).unwrap_or_default();
        rename(&path, &path.with_file_name(name));
    }
}

/// Where the thing of this path is while it is aside.
pub fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{ASIDE}{name}"))
}

fn is_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ASIDE))
}

/// Files of at(1) jobs that belong to this uid. No link is followed.
fn jobs(root: &Path, uid: Option<Uid>) -> Vec<PathBuf> {
    let Some(uid) = uid else { return Vec::new() };
    let entries = fs::read_dir(root.join(AT[0])).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_own = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|file| file.is_file() && file.uid() == uid.0);
    entries.filter(is_own).collect()
}

/// Tried more than once: nobody comes back to it.
fn rename(from: &Path, to: &Path) {
    let mut renamed = fs::rename(from, to);
    for _ in 1..RENAMES {
        if renamed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            renamed = fs::rename(from, to);
        }
    }
    match renamed {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(path = %from.display(), %error, "cannot move aside what runs for an account, or back"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, Uid) {
        let root = tempfile::tempdir().unwrap();
        for directory in [CRONTABS, LINGER, AT[0]] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for (directory, name) in [(CRONTABS, "anna"), (CRONTABS, "berta"), (LINGER, "anna"), (AT[0], "a00001017a1b2c")]
        {
            fs::write(root.path().join(directory).join(name), name).unwrap();
        }
        (root, Uid(nix::unistd::geteuid().as_raw()))
    }

    #[test]
    fn what_is_moved_aside_comes_back_and_nobody_elses_moves() {
        let (root, uid) = root();
        let root = root.path();
        let all = Automatic { crontab: true, at_jobs: 1, linger: true };
        assert_eq!(Automatic::of(root, "anna", Some(uid)), all);
        assert!(!is_suspended(root, "anna", Some(uid)));
        for _ in 0..2 {
            suspend(root, "anna", Some(uid));
            assert_eq!(Automatic::of(root, "anna", Some(uid)), Automatic::default());
            assert!(is_suspended(root, "anna", Some(uid)) && !is_suspended(root, "berta", None));
        }
        assert!(Automatic::of(root, "berta", None).crontab);
        for _ in 0..2 {
            resume(root, "anna", Some(uid));
            assert_eq!(Automatic::of(root, "anna", Some(uid)), all);
        }
        assert_eq!(fs::read_to_string(root.join(CRONTABS).join("anna")).unwrap(), "anna");
        assert_eq!(fs::read_dir(root.join(AT[0])).unwrap().count(), 1);
        suspend(root, "anna", None);
        assert_eq!(Automatic::of(root, "anna", Some(uid)).at_jobs, 1, "somebody else's too");
    }

    #[test]
    fn a_crontab_that_has_come_since_stays() {
        let (root, _) = root();
        let root = root.path();
        suspend(root, "anna", None);
        fs::write(root.join(CRONTABS).join("anna"), "new").unwrap();
        resume(root, "anna", None);
        assert_eq!(fs::read_to_string(root.join(CRONTABS).join("anna")).unwrap(), "new");
        assert!(!is_suspended(root, "../anna", None));
        suspend(root, "../crontabs/berta", None);
        assert!(Automatic::of(root, "berta", None).crontab);
    }
}
