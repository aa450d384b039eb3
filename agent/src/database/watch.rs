//! Notices what other programs do to the account files (inotify(7)): `usermod -L` has to end
//! sessions at once, without anybody asking.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tracing::warn;

use super::disk::{Disk, Fingerprint};
use super::error::DatabaseError;
use super::file::FileKind;
use super::writer::Job;

/// After a change, this long for the other program to finish before the files are read.
const SETTLE: Duration = Duration::from_millis(5);

/// What the files looked like when the writer last read or wrote them.
#[derive(Debug, Default)]
pub struct Freshness {
    known: Mutex<[Option<Fingerprint>; 5]>,
}

impl Freshness {
    /// Whether some file is not as the writer knows it.
    pub fn is_stale(&self, disk: &Disk) -> bool {
        let now = FileKind::ALL.map(|kind| disk.fingerprint(kind).ok().flatten());
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) != now
    }

    pub fn set(&self, known: [Option<Fingerprint>; 5]) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Starts the watching thread. It ends with the writer.
pub fn start(disk: &Disk, fresh: Arc<Freshness>, jobs: Sender<Job>) -> Result<(), DatabaseError> {
    let failed = |error: nix::errno::Errno| DatabaseError::Watch(error.into());
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
    let events = AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ATTRIB;
    inotify.add_watch(disk.etc(), events).map_err(failed)?;
    let disk = disk.clone();
    let named = std::thread::Builder::new().name("watch".into());
    named.spawn(move || watch(&inotify, &fresh, &disk, &jobs)).map_err(DatabaseError::Watch)?;
    Ok(())
}

fn watch(inotify: &Inotify, fresh: &Freshness, disk: &Disk, jobs: &Sender<Job>) {
    loop {
        let mut ready = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        if let Err(error) = poll(&mut ready, PollTimeout::NONE) {
            warn!(%error, "cannot wait for changes of the account files");
            std::thread::sleep(Duration::from_secs(1));
        }
        std::thread::sleep(SETTLE);
        // The names do not matter: what has changed is found by looking.
        let _ = inotify.read_events();
        if fresh.is_stale(disk) {
            let (answer, answered) = channel();
            if jobs.send(Job::Refresh(answer)).is_err() {
                return;
            }
            // The writer has logged what went wrong; the next change is another try.
            let _ = answered.recv();
        }
    }
}
