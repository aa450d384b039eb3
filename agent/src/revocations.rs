//! Tells `accountd-login` which accounts have changed, and waits for its word that their
//! sessions are gone. Never inside a commit: a commit only queues.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::{Generation, Revocation, Revoked};
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP, FrameError};
use accountd_protocol::id::AccountId;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A watcher that is so far behind is cut off; it ends all its sessions then.
const MOST_QUEUED: usize = 100_000;
/// How often it is seen whether a watcher is still there.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Watcher {
    queue: VecDeque<Revocation>,
    /// Sent and not yet acknowledged.
    pending: Option<(AccountId, Generation)>,
}

impl Watcher {
    fn owes(&self, generation: Generation) -> bool {
        self.pending.is_some_and(|(_, pending)| pending <= generation)
            || self.queue.iter().any(|revocation| revocation.generation <= generation)
    }
}

#[derive(Debug, Default)]
struct Watchers {
    by_number: HashMap<u64, Watcher>,
    next: u64,
    /// How many sessions of each account have been ended.
    ended: HashMap<AccountId, u64>,
}

/// The subscriptions.
#[derive(Debug, Default)]
pub struct Revocations {
    watchers: Mutex<Watchers>,
    changed: Condvar,
}

impl Revocations {
    /// Queues for every watcher; returns at once.
    pub fn publish(&self, revocations: &[Revocation]) {
        let mut watchers = self.lock();
        for watcher in watchers.by_number.values_mut() {
            watcher.queue.extend(revocations.iter().cloned());
        }
        watchers.by_number.retain(|_, watcher| watcher.queue.len() <= MOST_QUEUED);
        drop(watchers);
        self.changed.notify_all();
    }

    /// Waits until every watcher has acknowledged all up to `generation`, at most `limit`.
    pub fn settled(&self, generation: Generation, limit: Duration) -> Settled {
        let end = Instant::now() + limit;
        let mut watchers = self.lock();
        while watchers.by_number.values().any(|watcher| watcher.owes(generation)) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Settled::No;
            }
            watchers = self.changed.wait_timeout(watchers, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Settled::Yes
    }

    /// How many sessions of an account have been ended so far.
    pub fn ended(&self, account: AccountId) -> u64 {
        self.lock().ended.get(&account).copied().unwrap_or_default()
    }

    /// Serves one watcher until its connection ends.
    pub fn serve(&self, stream: &mut (impl Read + Write + AsFd)) -> Result<(), FrameError> {
        let number = self.subscribe();
        let result = self.serve_numbered(number, stream);
        self.lock().by_number.remove(&number);
        self.changed.notify_all();
        result
    }

    /// From here on the watcher misses nothing; to be called before "watching" is answered.
    fn subscribe(&self) -> u64 {
        let mut watchers = self.lock();
        watchers.next += 1;
        let number = watchers.next;
        watchers.by_number.insert(number, Watcher::default());
        number
    }

    fn serve_numbered(&self, number: u64, stream: &mut (impl Read + Write + AsFd)) -> Result<(), FrameError> {
        let watching = accountd_protocol::agent::Reply::Ok(accountd_protocol::agent::Answer::Watching);
        frame::write(stream, &watching, AGENT_ANSWER_CAP)?;
        while let Some(revocation) = self.next(number, stream) {
            frame::write(stream, &revocation, AGENT_ANSWER_CAP)?;
            let Some(revoked) = frame::read(stream, AGENT_REQUEST_CAP)? else { return Ok(()) };
            self.acknowledge(number, revoked);
        }
        Ok(())
    }

    /// The next one for a watcher; `None` when it has gone or was cut off.
    fn next(&self, number: u64, stream: &impl AsFd) -> Option<Revocation> {
        let mut watchers = self.lock();
        loop {
            let watcher = watchers.by_number.get_mut(&number)?;
            if let Some(revocation) = watcher.queue.pop_front() {
                watcher.pending = Some((revocation.account, revocation.generation));
                return Some(revocation);
            }
            let (again, waited) = self.changed.wait_timeout(watchers, LOOK).unwrap_or_else(PoisonError::into_inner);
            watchers = again;
            // It has nothing to say until it is told something: this is its end.
            if waited.timed_out() && has_something_to_read(stream) {
                return None;
            }
        }
    }

    fn acknowledge(&self, number: u64, Revoked { generation, ended }: Revoked) {
        let mut watchers = self.lock();
        if let Some(watcher) = watchers.by_number.get_mut(&number)
            && let Some((account, pending)) = watcher.pending
            && pending == generation
        {
            watcher.pending = None;
            if ended > 0 {
                *watchers.ended.entry(account).or_default() += ended;
            }
        }
        drop(watchers);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_something_to_read(stream: &impl AsFd) -> bool {
    let mut events = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    poll(&mut events, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Whether all sessions that had to end have ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use accountd_protocol::agent::Reply;
    use accountd_protocol::id::Uid;

    use super::*;

    fn revocation(generation: u64) -> Revocation {
        Revocation { account: AccountId(1), uid: Uid(1000), name: "anna".into(), generation: Generation(generation) }
    }

    #[test]
    fn settled_only_after_the_watcher_has_acknowledged() {
        let hub = Arc::new(Revocations::default());
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let serving = {
            let hub = hub.clone();
            std::thread::spawn(move || hub.serve(&mut theirs))
        };
        let _: Reply = frame::read(&mut ours, AGENT_ANSWER_CAP).unwrap().unwrap();
        hub.publish(&[revocation(7)]);
        let sent: Revocation = frame::read(&mut ours, AGENT_ANSWER_CAP).unwrap().unwrap();
        assert_eq!(hub.settled(Generation(7), Duration::from_millis(20)), Settled::No);
        assert_eq!(hub.settled(Generation(6), Duration::ZERO), Settled::Yes);
        frame::write(&mut ours, &Revoked { generation: sent.generation, ended: 2 }, AGENT_REQUEST_CAP).unwrap();
        assert_eq!(hub.settled(Generation(7), Duration::from_secs(5)), Settled::Yes);
        assert_eq!((hub.ended(AccountId(1)), hub.ended(AccountId(2))), (2, 0));
        drop(ours);
        hub.publish(&[revocation(8)]);
        assert_eq!(hub.settled(Generation(8), Duration::from_secs(5)), Settled::Yes);
        assert!(serving.join().unwrap().is_ok() || hub.lock().by_number.is_empty());
    }
}
