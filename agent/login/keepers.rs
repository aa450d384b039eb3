//! The keepers that the spawner has forked, and what one leaves that was killed.
//!
//! The spawner is the next subreaper (prctl(2)) above them: what a keeper can't end any more comes
//! to it and is ended here. What a keeper has left on purpose comes here, too, and goes on.

use std::collections::HashSet;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::children::children;

/// How a keeper exits whose session's processes have all ended.
pub const NOTHING_LEFT: i32 = 0;
/// How one exits that leaves processes on purpose.
pub const LEFT_RUNNING: i32 = 3;

#[derive(Debug, Default)]
pub struct Keepers {
    running: HashSet<Pid>,
    /// Left on purpose, or by something that was.
    kept: HashSet<Pid>,
    /// Killed, and not yet collected.
    doomed: HashSet<Pid>,
}

/// What the children that have come to the spawner since the last time are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Arrivals {
    None,
    Kept,
    Doomed,
}

impl Keepers {
    pub fn begun(&mut self, keeper: Pid) {
        self.running.insert(keeper);
    }

    /// What was begun and has not ended.
    pub fn are_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whatever is there goes on.
    pub fn keep_present(&mut self) {
        self.receive(Arrivals::Kept);
    }

    /// Collects what has ended, and ends what a killed keeper has left. Each process that is killed
    /// hands over its children, which are found when it is collected.
    pub fn collect(&mut self) {
        let mut arrivals = Arrivals::None;
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(_) => break,
            };
            arrivals = arrivals.max(self.handed_over(status));
        }
        if arrivals != Arrivals::None {
            self.receive(arrivals);
        }
    }

    fn handed_over(&mut self, ended: WaitStatus) -> Arrivals {
        let Some(pid) = ended.pid() else { return Arrivals::None };
        let (was_keeper, was_doomed) = (self.running.remove(&pid), self.doomed.remove(&pid));
        self.kept.remove(&pid);
        match ended {
            WaitStatus::Exited(_, NOTHING_LEFT) if was_keeper => Arrivals::None,
            WaitStatus::Exited(_, LEFT_RUNNING) if was_keeper => Arrivals::Kept,
            _ if was_keeper || was_doomed => Arrivals::Doomed,
            _ => Arrivals::Kept,
        }
    }

    fn receive(&mut self, as_what: Arrivals) {
        for child in children() {
            if self.running.contains(&child) || self.kept.contains(&child) {
                continue;
            }
            match as_what {
                Arrivals::None => {}
                Arrivals::Kept if self.doomed.contains(&child) => {}
                Arrivals::Kept => drop(self.kept.insert(child)),
                Arrivals::Doomed => {
                    // It stays a child, under this number, until it is collected.
                    let _ = kill(child, Signal::SIGKILL);
                    self.doomed.insert(child);
                }
            }
        }
    }
}
