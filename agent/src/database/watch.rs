//! Notices what other programs do to the account files (inotify(7)): `usermod -L` has to end
//! sessions at once, without anybody asking.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::pipe2;
use tracing::warn;

use super::copies::Public;
use super::disk::Disk;
use super::error::DatabaseError;
use super::writer::Job;

/// After a change, this long for the other program to finish before the files are read.
const SETTLE: Duration = Duration::from_millis(5);

/// Milliseconds after which a look that failed is tried again.
const AGAIN: u8 = 250;

/// Ends the watching thread when dropped.
#[derive(Debug)]
pub struct Watch {
    _end: OwnedFd,
}

/// Starts the watching thread.
pub fn start(disk: &Disk, public: Public, jobs: Sender<Job>) -> Result<Watch, DatabaseError> {
    let failed = |error: Errno| DatabaseError::Watch(error.into());
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
    let events = AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ATTRIB;
    inotify.add_watch(disk.etc(), events).map_err(failed)?;
    let (ended, end) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let watcher = Watcher { inotify, ended, disk: disk.clone(), public, jobs };
    std::thread::Builder::new().name("watch".into()).spawn(move || watcher.run()).map_err(DatabaseError::Watch)?;
    Ok(Watch { _end: end })
}

struct Watcher {
    inotify: Inotify,
    ended: OwnedFd,
    disk: Disk,
    public: Public,
    jobs: Sender<Job>,
}

impl Watcher {
    fn run(self) {
        while let Next::Look = self.wait() {
            if self.public.is_stale(&self.disk) {
                let (answer, answered) = channel();
                if self.jobs.send(Job::Refresh(answer)).is_err() {
                    return;
                }
                // The writer has logged what went wrong; there will be another look.
                let _ = answered.recv();
            }
        }
    }

    /// Until something happens in the directory. The names do not matter: what has changed is
    /// found by looking.
    fn wait(&self) -> Next {
        let patience = if self.public.is_stale(&self.disk) { PollTimeout::from(AGAIN) } else { PollTimeout::NONE };
        let ended = PollFd::new(self.ended.as_fd(), PollFlags::POLLIN);
        let mut ready = [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN), ended];
        match poll(&mut ready, patience) {
            Ok(_) if ready[1].any() != Some(false) => return Next::End,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                warn!(%error, "cannot wait for changes of the account files");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        std::thread::sleep(SETTLE);
        // Nothing to read means that it was time for another look.
        let _ = self.inotify.read_events();
        Next::Look
    }
}

enum Next {
    Look,
    End,
}
