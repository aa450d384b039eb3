//! Which file system something lies on, and who can count there: by what its kernel answers, not by what it
//! is called. Asked again after a while, because mounts and their options change.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::quota::QuotaBackend;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;

use crate::sys::btrfs::{self, Qgroups};
use crate::sys::quotactl::{self, Enforcement};

/// An answer is believed for so long.
const FRESH: Duration = Duration::from_secs(5);
/// More are not remembered: every subvolume is a device of its own.
const MOST_KNOWN: usize = 1000;

/// What there is to know of a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub mount: PathBuf,
    pub kind: String,
    pub device: u64,
    pub backend: QuotaBackend,
    /// Why it is no better one, or what it leaves open; in words.
    pub reason: String,
}

/// Places that were looked at, by the numbers of mount and device.
#[derive(Debug, Default)]
pub struct Places(Mutex<HashMap<(u64, u64), (Instant, Place)>>);

impl Places {
    /// Where an open directory lies. Of a plain directory on btrfs nobody but the ledger can count the
    /// content; the tops of subvolumes have a qgroup.
    pub fn of(&self, directory: &OwnedFd) -> nix::Result<Place> {
        let mut place = self.of_file_system(directory)?;
        if place.backend == QuotaBackend::Btrfs && !btrfs::is_subvolume(directory) {
            place.backend = QuotaBackend::Ledger;
            place.reason = "it is a plain directory, not a subvolume".into();
        }
        Ok(place)
    }

    /// The same without a look at what kind of directory it is.
    pub fn of_file_system(&self, directory: &OwnedFd) -> nix::Result<Place> {
        let key = (mount_number(directory)?, fstat(directory)?.st_dev);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match known.get(&key) {
            Some((since, place)) if since.elapsed() < FRESH => place.clone(),
            Some(_) | None => {
                let place = look(directory, key)?;
                if known.len() >= MOST_KNOWN {
                    known.clear();
                }
                known.insert(key, (Instant::now(), place.clone()));
                place
            }
        })
    }
}

fn look(directory: &OwnedFd, (mount, device): (u64, u64)) -> nix::Result<Place> {
    let table = fs::read_to_string("/proc/self/mountinfo").map_err(|_| Errno::EIO)?;
    let (mount, kind) = mounted(&table, mount).ok_or(Errno::ENODEV)?;
    let (backend, reason) = match btrfs::is_btrfs(directory) {
        true => judge_btrfs(btrfs::qgroups(directory)),
        false => judge(quotactl::enforcement(directory)),
    };
    Ok(Place { mount, kind, device, backend, reason: reason.into() })
}

fn judge(asked: nix::Result<Enforcement>) -> (QuotaBackend, &'static str) {
    let ledger = |reason| (QuotaBackend::Ledger, reason);
    match asked {
        Ok(Enforcement::Enforced) => (QuotaBackend::Kernel, "user quotas are on"),
        Ok(Enforcement::CountedOnly) => ledger("user quotas are counted, but not enforced: see quotaon(8)"),
        Ok(Enforcement::Off) => ledger("it is mounted without user quotas"),
        Err(Errno::ENOSYS) => ledger("the kernel has no quotactl_fd(2), or no quotas"),
        Err(Errno::EPERM | Errno::EACCES) => ledger("the agent may not ask for quotas"),
        Err(_) => ledger("it has no user quotas"),
    }
}

fn judge_btrfs(asked: nix::Result<Qgroups>) -> (QuotaBackend, &'static str) {
    match asked {
        Ok(Qgroups::On) => (
            QuotaBackend::Btrfs,
            "bytes of homes that are subvolumes; numbers of files and soft limits are not enforced",
        ),
        Ok(Qgroups::Off) => (QuotaBackend::Ledger, "its quotas are off: see btrfs-quota(8)"),
        Err(_) => (QuotaBackend::Ledger, "the agent may not ask for its quotas"),
    }
}

/// Mount point and type of a mount (proc_pid_mountinfo(5)).
fn mounted(table: &str, number: u64) -> Option<(PathBuf, String)> {
    let line = table.lines().find(|line| line.split(' ').next().and_then(|id| id.parse().ok()) == Some(number))?;
    let (mount, rest) = line.split_once(" - ")?;
    Some((plain(mount.split(' ').nth(4)?).into(), rest.split(' ').next()?.to_owned()))
}

/// Blanks and the like are written in octal there.
fn plain(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(path.to_owned(), |path, (written, meant)| path.replace(written, meant))
}

/// The mount that a descriptor is on (proc_pid_fdinfo(5)).
fn mount_number(file: &OwnedFd) -> nix::Result<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).map_err(|_| Errno::EIO)?;
    let number = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    number.and_then(|number| number.trim().parse().ok()).ok_or(Errno::EIO)
}

/// A directory below `root`, to be listed; no component may be a symbolic link.
pub fn open_plain(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    let path = path.strip_prefix("/").unwrap_or(path);
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    crate::homes::open_directory(root, path)
}

/// The directory, or the nearest one above it that is there; links of the administrator's are followed inside
/// `root`. Only to see where it lies.
pub fn open_nearest(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(resolve);
    let mut last = Errno::ENOENT;
    for path in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match openat2(root, path, how) {
            Ok(opened) => return Ok(opened),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                         96 21 0:38 /pool /mnt/my\\040tank rw - btrfs /dev/loop7 rw,subvol=/pool\n";

    #[test]
    fn a_mount_is_found_by_its_number() {
        assert_eq!(mounted(TABLE, 21), Some(("/".into(), "ext4".into())));
        assert_eq!(mounted(TABLE, 96), Some(("/mnt/my tank".into(), "btrfs".into())));
        assert_eq!(mounted(TABLE, 2), None);
    }

    #[test]
    fn only_quotas_that_are_enforced_are_the_kernels() {
        assert_eq!(judge(Ok(Enforcement::Enforced)).0, QuotaBackend::Kernel);
        for asked in [Ok(Enforcement::CountedOnly), Ok(Enforcement::Off), Err(Errno::ENOTSUP), Err(Errno::ENOSYS)] {
            assert_eq!(judge(asked).0, QuotaBackend::Ledger, "{asked:?}");
        }
        assert_eq!(judge_btrfs(Ok(Qgroups::On)).0, QuotaBackend::Btrfs);
        assert_eq!(judge_btrfs(Ok(Qgroups::Off)).0, QuotaBackend::Ledger);
    }

    #[test]
    fn a_home_that_is_not_there_lies_where_it_would_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let root: OwnedFd = fs::File::open(directory.path()).unwrap().into();
        let nearest = open_nearest(&root, Path::new("/mnt/tank/anna")).unwrap();
        assert_eq!(fstat(&nearest).unwrap().st_ino, fstat(&root).unwrap().st_ino);
        let place = Places::default().of(&nearest).unwrap();
        assert_eq!(place.device, fstat(&root).unwrap().st_dev);
        assert!(!place.kind.is_empty() && !place.reason.is_empty());
        assert_eq!(open_plain(&root, Path::new("/mnt")).unwrap_err(), Errno::ENOENT);
        assert!(open_plain(&root, Path::new("/")).is_ok());
    }
}
