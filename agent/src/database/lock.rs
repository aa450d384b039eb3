//! The password lock: `lckpwdf(3)` first, then the `.lock` files of shadow-utils.
//!
//! `.pwd.lock` is locked with an open file description lock (fcntl(2)), which conflicts with the
//! lock that lckpwdf takes and works in a program with threads. With it held, the `.lock` files
//! are taken for tools that know only those; shadow-utils does not wait for them, so they are
//! given back first.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use tracing::warn;

/// As long as lckpwdf(3) waits.
pub const DEADLINE: Duration = Duration::from_secs(15);
/// How long a `.lock` file of another program is waited for with `.pwd.lock` held.
const LINK_PATIENCE: Duration = Duration::from_secs(1);
/// How long Samba is waited for.
const SAMBA_PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);
/// How often the removal of a lock file is tried.
const REMOVALS: usize = 3;
/// What times of files, boot and processes may differ by without meaning anything.
const CLOCK_SLACK: Duration = Duration::from_secs(2);
/// A `.lock` file that names no process has to be left alone for so long.
const NAMELESS_REST: Duration = Duration::from_secs(2);
pub(super) const LOCKED: [&str; 4] = ["passwd", "group", "gshadow", "shadow"];

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another program holds the password lock")]
    Busy,
    #[error("cannot lock {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Held as long as this lives. The links go first, then the lock of the descriptor.
#[derive(Debug)]
pub struct PasswordLock {
    _links: Vec<Link>,
    _descriptor: File,
}

impl PasswordLock {
    /// Waits for the lock of the account files in `etc`, at most as long as `patience`.
    pub fn wait(etc: &Path, patience: Duration) -> Result<Self, LockError> {
        let end = Instant::now() + patience;
        loop {
            let descriptor = lock_descriptor(etc, end)?;
            match lock_links(etc, end.min(Instant::now() + LINK_PATIENCE)) {
                Ok(links) => return Ok(Self { _links: links, _descriptor: descriptor }),
                Err(LockError::Busy) if Instant::now() < end => {}
                Err(error) => return Err(error),
            }
            // Whoever holds the link may be waiting for the descriptor's lock.
            drop(descriptor);
            std::thread::sleep(LINK_PATIENCE / 4);
        }
    }
}

fn lock_descriptor(etc: &Path, end: Instant) -> Result<File, LockError> {
    let path = etc.join(".pwd.lock");
    let failed = |source| LockError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    let file = options.open(&path).map_err(failed)?;
    lock_whole(&file, end).map_err(|error| match error {
        Errno::EAGAIN => LockError::Busy,
        error => failed(error.into()),
    })?;
    Ok(file)
}

/// Holds the lock of smbpasswd(5) that Samba takes before it writes the file in place.
pub fn hold_smbpasswd(path: &Path) -> Result<Option<File>, LockError> {
    let failed = |source| LockError::Io { path: path.to_owned(), source };
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    match lock_whole(&file, Instant::now() + SAMBA_PATIENCE) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::EAGAIN) => Err(LockError::Busy),
        Err(error) => Err(failed(error.into())),
    }
}

/// A write lock on all of a file; EAGAIN when somebody has kept it until `end`.
fn lock_whole(file: &File, end: Instant) -> nix::Result<()> {
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
            Ok(_) => return Ok(()),
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) if Instant::now() < end => std::thread::sleep(POLL),
            Err(Errno::EACCES) => return Err(Errno::EAGAIN),
            Err(error) => return Err(error),
        }
    }
}

/// One `FILE.lock`; removed when dropped.
#[derive(Debug)]
struct Link(PathBuf);

impl Drop for Link {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes a file of ours. As long as this process lives, what is left of it would keep others
/// from the lock, so it is tried more than once.
fn remove(path: &Path) {
    for _ in 0..REMOVALS {
        match fs::remove_file(path) {
            // Gone already means that somebody took it for stale; there is nothing to give back.
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => warn!(%error, path = %path.display(), "cannot give a lock back"),
        }
    }
}

fn lock_links(etc: &Path, end: Instant) -> Result<Vec<Link>, LockError> {
    let mut links = Vec::new();
    for name in LOCKED {
        links.push(lock_link(etc, name, end)?);
    }
    Ok(links)
}

fn lock_link(etc: &Path, name: &str, end: Instant) -> Result<Link, LockError> {
    let (own, lock) = (etc.join(format!("{name}.{}", std::process::id())), etc.join(format!("{name}.lock")));
    let failed = |source| LockError::Io { path: lock.clone(), source };
    // The process id ends with a NUL, which shadow-utils reads as the end of the number.
    let content = format!("{}\0", std::process::id());
    let _ = fs::remove_file(&own);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&own).map_err(failed)?;
    let written = io::Write::write_all(&mut file, content.as_bytes());
    let result = written.map_err(failed).and_then(|()| link_until(&own, &lock, end));
    remove(&own);
    result
}

fn link_until(own: &Path, lock: &Path, end: Instant) -> Result<Link, LockError> {
    loop {
        match fs::hard_link(own, lock) {
            Ok(()) if fs::metadata(own).is_ok_and(|status| status.nlink() == 2) => return Ok(Link(lock.to_owned())),
            Ok(()) => return Err(LockError::Busy),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(LockError::Io { path: lock.to_owned(), source }),
        }
        if is_left_over(lock) {
            let _ = fs::remove_file(lock);
        } else if Instant::now() >= end {
            return Err(LockError::Busy);
        } else {
            std::thread::sleep(POLL);
        }
    }
}

/// Whether a `.lock` file was left behind: by a machine that has lost its power since, by a process
/// that has ended, or by nobody that it names. With `.pwd.lock` held nobody who takes that is in
/// the way, and who makes a `.lock` file only puts its number in before the file gets that name. A
/// living process that is no program that edits accounts counts as one: nothing tells them apart.
fn is_left_over(lock: &Path) -> bool {
    let Ok(status) = fs::symlink_metadata(lock) else { return false };
    let Ok(made) = status.modified() else { return false };
    // Its content may not have reached the disk, and its number means nothing any more.
    if made + CLOCK_SLACK < boot_time() {
        return true;
    }
    let Ok(content) = fs::read(lock) else { return false };
    let digits = content.split(|byte| *byte == 0).next().unwrap_or_default();
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.trim().parse::<i32>().ok());
    let Some(number) = number.filter(|number| *number > 0) else { return is_at_rest(&status) };
    let ours = u32::try_from(number).is_ok_and(|number| number == std::process::id());
    // A link of our own number is left over: this process takes the lock in one thread at a time.
    ours || nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), None) == Err(Errno::ESRCH)
        || start_of(number).is_some_and(|start| made + CLOCK_SLACK < start)
}

/// Whether a file has not changed for a while. A time to come is one of a clock that was set back.
fn is_at_rest(status: &fs::Metadata) -> bool {
    let since = |seconds: i64, nanoseconds: i64| {
        let changed = Duration::new(seconds.unsigned_abs(), u32::try_from(nanoseconds).unwrap_or_default());
        let changed = UNIX_EPOCH + changed;
        SystemTime::now().duration_since(changed).unwrap_or_else(|error| error.duration())
    };
    let (modified, changed) = (since(status.mtime(), status.mtime_nsec()), since(status.ctime(), status.ctime_nsec()));
    modified.min(changed) >= NAMELESS_REST
}

/// When this machine was started (proc_stat(5)); long ago where that can't be read.
fn boot_time() -> SystemTime {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or_default())
}

/// When a process was started (proc_pid_stat(5), field 22): a number may have been given out again.
fn start_of(process: i32) -> Option<SystemTime> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which ends with the last parenthesis, comes the third field.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    Some(boot_time() + Duration::from_secs(ticks / u64::try_from(a_second).ok()?.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_nothing_is_left() {
        let etc = tempfile::tempdir().unwrap();
        let counter = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let lock = PasswordLock::wait(etc.path(), DEADLINE).unwrap();
                    assert_eq!(counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    assert!(etc.path().join("shadow.lock").exists());
                    counter.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(lock);
                });
            }
        });
        let left: Vec<_> = fs::read_dir(etc.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".pwd.lock"]);
    }

    #[test]
    fn the_lock_of_a_dead_process_is_taken_over_and_others_are_not() {
        let etc = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        fs::write(etc.path().join("group.lock"), format!("{}\0", child.id())).unwrap();
        drop(PasswordLock::wait(etc.path(), DEADLINE).unwrap());
        for content in ["1\0", "", "garbage", "-1", "0\0"] {
            let lock = etc.path().join("group.lock");
            fs::write(&lock, content).unwrap();
            assert!(matches!(lock_link(etc.path(), "group", Instant::now()), Err(LockError::Busy)), "{content:?}");
            assert_eq!(fs::read_to_string(&lock).unwrap(), content);
            fs::remove_file(&lock).unwrap();
        }
    }

    #[test]
    fn a_lock_that_names_no_process_is_left_over_once_it_rests() {
        let etc = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        for (file, content) in LOCKED.into_iter().zip(["", "garbage", "-1", "0\0"]) {
            fs::write(etc.path().join(format!("{file}.lock")), content).unwrap();
        }
        drop(PasswordLock::wait(etc.path(), DEADLINE).unwrap());
        assert!(begun.elapsed() > NAMELESS_REST.mul_f32(0.9), "somebody might have been at work");
        let left: Vec<_> = fs::read_dir(etc.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".pwd.lock"]);
    }

    #[test]
    fn what_a_power_cut_or_a_number_given_out_again_has_left_is_taken_over() {
        let etc = tempfile::tempdir().unwrap();
        let lock = etc.path().join("shadow.lock");
        for (content, made) in [("", UNIX_EPOCH), ("1\0", UNIX_EPOCH), ("1\0", boot_time() - Duration::from_secs(60))] {
            fs::write(&lock, content).unwrap();
            File::options().write(true).open(&lock).unwrap().set_modified(made).unwrap();
            drop(PasswordLock::wait(etc.path(), Duration::ZERO).unwrap());
            assert!(!lock.exists());
        }
        // A process that is younger than the lock with its number.
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(&lock, format!("{}\0", child.id())).unwrap();
        assert!(!is_left_over(&lock));
        let before = start_of(i32::try_from(child.id()).unwrap()).unwrap() - Duration::from_secs(10);
        File::options().write(true).open(&lock).unwrap().set_modified(before).unwrap();
        assert!(is_left_over(&lock));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
