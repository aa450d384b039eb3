//! Whose limits may have changed, for the thread that sets them; and waiting until it has.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::id::Uid;

use super::holder::has_quota;
use crate::database::{UserRow, View};

#[derive(Debug, Default)]
pub struct Changes {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    uids: BTreeSet<Uid>,
    /// Those that nobody waits for.
    others: BTreeSet<Uid>,
    /// The thread has taken some and is not done.
    is_busy: bool,
    is_closed: bool,
}

/// What the thread is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Set(BTreeSet<Uid>),
    /// Nothing has changed for a while.
    LookAround,
    End,
}

impl Changes {
    pub fn add(&self, uids: impl IntoIterator<Item = Uid>) {
        self.lock().uids.extend(uids);
        self.changed.notify_all();
    }

    /// To be done when nothing else is.
    pub fn add_later(&self, uids: impl IntoIterator<Item = Uid>) {
        self.lock().others.extend(uids);
        self.changed.notify_all();
    }

    /// Takes note of those of some users that had a quota before a change or have one after it.
    pub fn note(&self, before: &View, after: &View, names: &HashSet<String>) {
        let limited = |view: &View, row: &UserRow| has_quota(view, row).then_some(row.uid);
        let had = |name: &String| before.user_named(name).and_then(|row| limited(before, row));
        let has = |name: &String| after.user_named(name).and_then(|row| limited(after, row));
        let now = |name: &String| before.user_named(name).and_then(|row| after.user(row.id));
        let mut uids = BTreeSet::new();
        for name in names {
            let (had, has) = (had(name), has(name));
            uids.extend([had, has].into_iter().flatten());
            // It may have another name by now.
            uids.extend(had.and_then(|_| now(name)).map(|row| row.uid));
        }
        if !uids.is_empty() {
            self.add(uids);
        }
    }

    /// Waits for work, at most `limit`. What was taken before is done.
    pub fn next(&self, limit: Duration) -> Work {
        let end = Instant::now() + limit;
        let mut waiting = self.lock();
        waiting.is_busy = false;
        self.changed.notify_all();
        loop {
            if waiting.is_closed {
                return Work::End;
            }
            if !waiting.uids.is_empty() {
                waiting.is_busy = true;
                return Work::Set(std::mem::take(&mut waiting.uids));
            }
            if let Some(uid) = waiting.others.pop_first() {
                return Work::Set([uid].into());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Work::LookAround;
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until all that was noted so far is set, at most `limit`.
    pub fn settle(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut waiting = self.lock();
        while !waiting.is_closed && (waiting.is_busy || !waiting.uids.is_empty()) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_goes_on_when_all_is_set_and_not_before() {
        let changes = Changes::default();
        changes.settle(Duration::from_secs(60));
        changes.add([Uid(5), Uid(4), Uid(5)]);
        assert_eq!(changes.next(Duration::ZERO), Work::Set([Uid(4), Uid(5)].into()));
        let begun = Instant::now();
        changes.settle(Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20), "they are not set yet");
        changes.add_later([Uid(9)]);
        changes.add([Uid(6)]);
        assert_eq!(changes.next(Duration::ZERO), Work::Set([Uid(6)].into()));
        assert_eq!(changes.next(Duration::ZERO), Work::Set([Uid(9)].into()));
        changes.settle(Duration::from_secs(60));
        assert_eq!(changes.next(Duration::ZERO), Work::LookAround);
        changes.close();
        assert_eq!(changes.next(Duration::from_secs(60)), Work::End);
    }
}
