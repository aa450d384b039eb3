//! Tells `accountd-login` which accounts have changed, and waits for its word that their
//! sessions are gone. Never inside a commit: a commit only queues.

use std::collections::{HashMap, VecDeque};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::{Generation, Revocation, Revoked};
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP, FrameError};
use accountd_protocol::id::AccountId;
use tracing::warn;

/// A watcher that is so far behind is cut off; it ends all its sessions then.
const MOST_QUEUED: usize = 100_000;
/// A watcher that does not say for so long that sessions have ended has failed.
const ACKNOWLEDGE_DEADLINE: Duration = Duration::from_secs(15);
/// How often that is seen.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Watcher {
    queue: VecDeque<Revocation>,
    /// Sent and not yet acknowledged, in that order.
    pending: VecDeque<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    account: AccountId,
    generation: Generation,
    at: Instant,
}

impl Watcher {
    fn owes(&self, generation: Generation) -> bool {
        self.pending.iter().any(|told| told.generation <= generation)
            || self.queue.iter().any(|revocation| revocation.generation <= generation)
    }

    fn is_late(&self, now: Instant) -> bool {
        self.pending.front().is_some_and(|told| now.saturating_duration_since(told.at) > ACKNOWLEDGE_DEADLINE)
    }

    /// All that is to be sent now.
    fn take(&mut self, at: Instant) -> Vec<Revocation> {
        let told =
            |revocation: &Revocation| Told { account: revocation.account, generation: revocation.generation, at };
        self.pending.extend(self.queue.iter().map(told));
        self.queue.drain(..).collect()
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
    pub fn serve(&self, number: u64, stream: &UnixStream) -> Result<(), FrameError> {
        std::thread::scope(|scope| {
            let named = std::thread::Builder::new().name("acknowledgements".into());
            let hearing = named.spawn_scoped(scope, || self.hear(number, stream));
            let told = hearing.map_err(FrameError::Io).and_then(|_| self.tell(number, stream));
            self.forget(number);
            // Whoever hears is not to wait for more.
            let _ = stream.shutdown(Shutdown::Both);
            told
        })
    }

    /// Serves a watcher that is a thread of the agent's own, until it is cut off: `act` does what a revocation asks
    /// for, and gives how many sessions it has ended.
    pub fn follow(&self, number: u64, act: impl Fn(&Revocation) -> u64) {
        while let Some(revocations) = self.next(number) {
            for revocation in &revocations {
                let ended = act(revocation);
                self.acknowledge(number, Revoked { generation: revocation.generation, ended });
            }
        }
        self.forget(number);
    }

    /// From here on the watcher misses nothing; to be called before "watching" is answered.
    pub fn subscribe(&self) -> u64 {
        let mut watchers = self.lock();
        watchers.next += 1;
        let number = watchers.next;
        watchers.by_number.insert(number, Watcher::default());
        number
    }

    /// The number of the last that has subscribed.
    pub fn latest(&self) -> u64 {
        self.lock().next
    }

    fn forget(&self, number: u64) {
        self.lock().by_number.remove(&number);
        self.changed.notify_all();
    }

    /// Each revocation as soon as there is one: what has to end takes its time, and nobody else's
    /// sessions go on meanwhile.
    fn tell(&self, number: u64, mut stream: &UnixStream) -> Result<(), FrameError> {
        let watching = accountd_protocol::agent::Reply::Ok(accountd_protocol::agent::Answer::Watching);
        frame::write(&mut stream, &watching, AGENT_ANSWER_CAP)?;
        while let Some(revocations) = self.next(number) {
            for revocation in &revocations {
                frame::write(&mut stream, revocation, AGENT_ANSWER_CAP)?;
            }
        }
        Ok(())
    }

    /// Until the watcher has gone.
    fn hear(&self, number: u64, mut stream: &UnixStream) {
        while let Ok(Some(revoked)) = frame::read(&mut stream, AGENT_REQUEST_CAP) {
            self.acknowledge(number, revoked);
        }
        self.forget(number);
    }

    /// All that a watcher has not been told yet; `None` when it has gone or was cut off.
    fn next(&self, number: u64) -> Option<Vec<Revocation>> {
        let mut watchers = self.lock();
        loop {
            let (watcher, now) = (watchers.by_number.get_mut(&number)?, Instant::now());
            if watcher.is_late(now) {
                warn!("sessions have not ended in time; whoever opens them is cut off");
                return None;
            }
            if !watcher.queue.is_empty() {
                return Some(watcher.take(now));
            }
            watchers = self.changed.wait_timeout(watchers, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn acknowledge(&self, number: u64, Revoked { generation, ended }: Revoked) {
        let mut watchers = self.lock();
        if let Some(watcher) = watchers.by_number.get_mut(&number)
            && let Some(told) = watcher.pending.pop_front_if(|told| told.generation == generation)
            && ended > 0
        {
            *watchers.ended.entry(told.account).or_default() += ended;
        }
        drop(watchers);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    use std::sync::Arc;
    use std::thread::JoinHandle;

    use accountd_protocol::agent::Reply;
    use accountd_protocol::id::Uid;

    use super::*;

    fn revocation(generation: u64) -> Revocation {
        Revocation { account: AccountId(1), uid: Uid(1000), name: "anna".into(), generation: Generation(generation) }
    }

    /// With a watcher that has heard that it is one, and the thread that serves it.
    fn watched() -> (Arc<Revocations>, UnixStream, JoinHandle<Result<(), FrameError>>) {
        let hub = Arc::new(Revocations::default());
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let serving = {
            let hub = hub.clone();
            std::thread::spawn(move || hub.serve(hub.subscribe(), &theirs))
        };
        let _: Reply = frame::read(&mut ours, AGENT_ANSWER_CAP).unwrap().unwrap();
        (hub, ours, serving)
    }

    #[test]
    fn settled_only_after_the_watcher_has_acknowledged() {
        let (hub, mut ours, serving) = watched();
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

    #[test]
    fn everything_is_told_before_anything_is_acknowledged_and_acknowledged_in_order() {
        let (hub, mut ours, serving) = watched();
        // One change is about several accounts.
        let berta = Revocation { account: AccountId(2), ..revocation(7) };
        hub.publish(&[revocation(7), berta]);
        hub.publish(&[revocation(8)]);
        ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        for generation in [7, 7, 8] {
            let sent: Revocation = frame::read(&mut ours, AGENT_ANSWER_CAP).unwrap().unwrap();
            assert_eq!(sent.generation, Generation(generation));
        }
        let acknowledge = |generation, ended| {
            let revoked = Revoked { generation: Generation(generation), ended };
            frame::write(&mut &ours, &revoked, AGENT_REQUEST_CAP).unwrap();
        };
        acknowledge(7, 1);
        assert_eq!(hub.settled(Generation(7), Duration::from_millis(20)), Settled::No, "one of two");
        acknowledge(7, 2);
        assert_eq!(hub.settled(Generation(7), Duration::from_secs(60)), Settled::Yes);
        assert_eq!((hub.ended(AccountId(1)), hub.ended(AccountId(2))), (1, 2));
        assert_eq!(hub.settled(Generation(8), Duration::ZERO), Settled::No);
        drop(ours);
        assert_eq!(hub.settled(Generation(8), Duration::from_secs(60)), Settled::Yes, "it has gone");
        serving.join().unwrap().unwrap();
    }
}
