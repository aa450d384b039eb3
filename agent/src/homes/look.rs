//! Looking at many homes at once: root's own look, without following a link of anybody, and
//! without waiting for a file system that does not answer.
//!
//! The homes of a pool are looked at by a thread of their own. One that hangs in the kernel can't
//! be ended; it is left behind, and ends when its file system answers. There are never more than
//! so many of these.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, fstat, fstatat};

use super::directory;
use super::key_advice::{KEY_FILE, SSH};
use super::keys::open_home;

/// The most threads at a time, those that hang included.
const MOST_THREADS: usize = 16;
/// A look that has not gone on for so long hangs.
const QUIET: Duration = Duration::from_secs(2);
/// All of it ends after this.
const DEADLINE: Duration = Duration::from_secs(30);

/// Counts the threads that look.
#[derive(Clone, Debug, Default)]
pub struct Looking(Arc<AtomicUsize>);

/// One of the [`MOST_THREADS`], given back when dropped.
struct Place(Arc<AtomicUsize>);

/// What was seen of a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Missing,
    /// A symbolic link leads to it, to something that is there.
    Linked,
    NotADirectory,
    Directory {
        home: Status,
        ssh: Option<Status>,
        keys: Option<Status>,
    },
    Unreachable(Errno),
    /// Its file system did not answer in time.
    NoAnswer,
}

/// What counts of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub owner: u32,
    pub mode: u32,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Directory,
    File,
    Link,
    Other,
}

impl Seen {
    /// Whose home, `.ssh` and key file are.
    pub fn owners(&self) -> impl Iterator<Item = u32> + use<> {
        let parts = match self {
            Seen::Directory { home, ssh, keys } => [Some(*home), *ssh, *keys],
            Seen::Missing | Seen::Linked | Seen::NotADirectory | Seen::Unreachable(_) | Seen::NoAnswer => [None; 3],
        };
        parts.into_iter().flatten().map(|status| status.owner)
    }
}

impl Looking {
    fn place(&self) -> Option<Place> {
        let place = Place(self.0.clone());
        (self.0.fetch_add(1, Ordering::Relaxed) < MOST_THREADS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What was seen of each of `homes`, in their order.
pub fn look_at_homes(root: &OwnedFd, homes: &[FieldPath], looking: &Looking) -> Vec<Seen> {
    let mut pools: BTreeMap<Vec<&str>, Vec<(usize, FieldPath)>> = BTreeMap::new();
    for (index, home) in homes.iter().enumerate() {
        pools.entry(home.components().take(2).collect()).or_default().push((index, home.clone()));
    }
    let (sender, receiver) = channel();
    for part in parts(pools.into_values().collect()) {
        start(root, part, sender.clone(), looking);
    }
    drop(sender);
    collect(&receiver, homes.len())
}

/// The homes of each pool together; where there are more pools than threads, some share one.
fn parts(pools: Vec<Vec<(usize, FieldPath)>>) -> Vec<Vec<(usize, FieldPath)>> {
    let mut parts: Vec<Vec<(usize, FieldPath)>> = Vec::new();
    for (number, pool) in pools.into_iter().enumerate() {
        match parts.get_mut(number % MOST_THREADS) {
            Some(part) => part.extend(pool),
            None => parts.push(pool),
        }
    }
    parts
}

/// What can't be started is what gives no answer.
fn start(root: &OwnedFd, mut homes: Vec<(usize, FieldPath)>, seen: Sender<(usize, Seen)>, looking: &Looking) {
    let (Some(place), Ok(root)) = (looking.place(), root.try_clone()) else { return };
    let look = move || {
        // Those in one directory behind each other: it is opened once.
        homes.sort_by(|left, right| left.1.as_str().cmp(right.1.as_str()));
        let mut looker = Looker { root, parent: None };
        for (index, home) in homes {
            if seen.send((index, looker.look(&home))).is_err() {
                break;
            }
        }
        drop(place);
    };
    if let Err(error) = std::thread::Builder::new().name("homes".into()).spawn(look) {
        tracing::warn!(%error, "cannot start a thread that looks at homes");
    }
}

fn collect(receiver: &Receiver<(usize, Seen)>, count: usize) -> Vec<Seen> {
    let (mut seen, end) = (vec![Seen::NoAnswer; count], Instant::now() + DEADLINE);
    loop {
        let left = end.saturating_duration_since(Instant::now()).min(QUIET);
        match receiver.recv_timeout(left) {
            Ok((index, status)) => {
                if let Some(place) = seen.get_mut(index) {
                    *place = status;
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return seen,
        }
    }
}

struct Looker {
    root: OwnedFd,
    /// The directory that was looked into last.
    parent: Option<(String, OwnedFd)>,
}

impl Looker {
    fn look(&mut self, home: &FieldPath) -> Seen {
        match self.see(home) {
            Ok(seen) => seen,
            Err(Errno::ENOENT) => Seen::Missing,
            // A link in the place of a directory is told in both ways.
            Err(Errno::ELOOP | Errno::ENOTDIR) => self.behind_a_link(home),
            Err(error) => Seen::Unreachable(error),
        }
    }

    fn see(&mut self, home: &FieldPath) -> nix::Result<Seen> {
        let (above, name) = home.as_str().rsplit_once('/').unwrap_or(("", ""));
        if name.is_empty() {
            return Ok(Seen::Directory { home: status(&fstat(&self.root)?), ssh: None, keys: None });
        }
        let parent = self.parent(above)?;
        let status_of_home = status(&fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?);
        match status_of_home.form {
            Form::Directory => {}
            Form::Link => return Err(Errno::ELOOP),
            Form::File | Form::Other => return Ok(Seen::NotADirectory),
        }
        let path = format!("{name}/{SSH}");
        let (mut ssh, mut keys) = (None, None);
        if let Ok(opened) = directory::open_below(parent, path.as_str(), OFlag::O_PATH) {
            ssh = fstat(&opened).ok().map(|found| status(&found));
            keys = fstatat(&opened, KEY_FILE, AtFlags::AT_SYMLINK_NOFOLLOW).ok().map(|found| status(&found));
        }
        Ok(Seen::Directory { home: status_of_home, ssh, keys })
    }

    fn parent(&mut self, above: &str) -> nix::Result<&OwnedFd> {
        if self.parent.as_ref().is_none_or(|(path, _)| path != above) {
            let path = if above.is_empty() { "." } else { above.trim_start_matches('/') };
            let opened = directory::open_below(&self.root, path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
            self.parent = Some((above.to_owned(), opened));
        }
        self.parent.as_ref().map(|(_, opened)| opened).ok_or(Errno::ENOENT)
    }

    /// Only whether there is something.
    fn behind_a_link(&self, home: &FieldPath) -> Seen {
        match open_home(&self.root, std::path::Path::new(home.as_str())) {
            Ok(_) => Seen::Linked,
            Err(Errno::ENOENT | Errno::ELOOP) => Seen::Missing,
            Err(Errno::ENOTDIR) => Seen::NotADirectory,
            Err(error) => Seen::Unreachable(error),
        }
    }
}

fn status(found: &FileStat) -> Status {
    let form = match directory::kind(found) {
        libc::S_IFDIR => Form::Directory,
        libc::S_IFREG => Form::File,
        libc::S_IFLNK => Form::Link,
        _ => Form::Other,
    };
    Status { owner: found.st_uid, mode: found.st_mode & 0o7777, form }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use nix::sys::stat::Mode;

    use super::*;

    fn look(root: &Path, homes: &[&str]) -> Vec<Seen> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(root, flags, Mode::empty()).unwrap();
        let homes: Vec<FieldPath> = homes.iter().map(|home| FieldPath::new(*home).unwrap()).collect();
        look_at_homes(&root, &homes, &Looking::default())
    }

    #[test]
    fn each_home_is_seen_as_it_is_and_no_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("mnt/tank/anna/.ssh")).unwrap();
        fs::set_permissions(at("mnt/tank/anna"), fs::Permissions::from_mode(0o757)).unwrap();
        fs::write(at("mnt/tank/anna/.ssh/authorized_keys"), "").unwrap();
        fs::write(at("mnt/tank/file"), "").unwrap();
        symlink("anna", at("mnt/tank/link")).unwrap();
        symlink("nowhere", at("mnt/tank/dead")).unwrap();
        symlink("tank", at("mnt/other")).unwrap();
        let homes = ["/mnt/tank/file", "/mnt/tank/anna", "/mnt/tank/link", "/mnt/tank/dead", "/mnt/other/anna"];
        let seen = look(root.path(), &[&homes[..], &["/mnt/tank/no/one", "/mnt/tank/file/in", "/"]].concat());
        let Seen::Directory { home, ssh: Some(ssh), keys: Some(keys) } = &seen[1] else { panic!("{:?}", seen[1]) };
        assert_eq!((home.mode, home.form, ssh.form, keys.form), (0o757, Form::Directory, Form::Directory, Form::File));
        assert_eq!([&seen[0], &seen[6]], [&Seen::NotADirectory, &Seen::NotADirectory]);
        assert_eq!([&seen[2], &seen[4]], [&Seen::Linked, &Seen::Linked]);
        assert_eq!([&seen[3], &seen[5]], [&Seen::Missing, &Seen::Missing]);
        assert!(matches!(seen[7], Seen::Directory { .. }));
    }

    #[test]
    fn what_is_neither_file_nor_directory_is_no_home() {
        let root = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&root.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(look(root.path(), &["/pipe"]), [Seen::NotADirectory]);
    }

    #[test]
    fn more_pools_than_threads_share_them_and_none_is_left_out() {
        let home = |number: usize| (number, FieldPath::new(format!("/mnt/{number}/anna")).unwrap());
        let pools: Vec<_> = (0..2 * MOST_THREADS + 1).map(|number| vec![home(number)]).collect();
        let parts = parts(pools);
        assert_eq!(parts.len(), MOST_THREADS);
        let mut numbers: Vec<usize> = parts.into_iter().flatten().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..2 * MOST_THREADS + 1).collect::<Vec<_>>());
    }

    #[test]
    fn what_gives_no_answer_is_said_so_and_does_not_keep_the_others() {
        let (sender, receiver) = channel();
        let held = sender.clone();
        sender.send((1, Seen::Missing)).unwrap();
        drop(sender);
        assert_eq!(collect(&receiver, 2), [Seen::NoAnswer, Seen::Missing]);
        drop(held);
    }

    #[test]
    fn there_are_never_more_looking_threads_than_so_many() {
        let looking = Looking::default();
        let places: Vec<Place> = (0..MOST_THREADS).map(|_| looking.place().unwrap()).collect();
        assert!(looking.place().is_none());
        drop(places);
        assert!(looking.place().is_some());
    }
}
