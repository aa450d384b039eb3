//! All sessions, and what is known of revocations.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::{Generation, Grant};
use accountd_protocol::id::AccountId;

use crate::control::Control;
use crate::word::Farewell;

/// The most sessions of one account at a time, on all of its connections.
pub const MOST_SESSIONS: usize = 128;
/// The most connections on which one account is logged in at a time.
pub const MOST_CONNECTIONS: usize = 32;

/// Counts the times that the subscription to revocations was lost. A decision is good only in
/// the period in which it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(u64);

#[derive(Debug)]
struct Entry {
    account: AccountId,
    /// That of the decision which let it start.
    generation: Generation,
    /// Where its keeper listens, as soon as it has one.
    control: Option<Arc<Control>>,
    /// Told to end before it had a keeper.
    unwanted: bool,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: HashMap<u64, Entry>,
    next: u64,
    /// Connections on which an account is logged in; none is not kept.
    connections: HashMap<AccountId, usize>,
    revoked: HashMap<AccountId, Generation>,
    /// `None` while revocations can't be heard.
    period: Option<u64>,
    periods: u64,
}

#[derive(Debug, Default)]
pub struct Registry {
    inner: Mutex<Inner>,
    /// A session has gone, or a period has begun.
    changed: Condvar,
}

/// A session's place in the registry; given back when dropped.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    number: u64,
}

/// A login's place among those of its account; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    registry: Arc<Registry>,
    account: AccountId,
}

/// Has to be opened: a session starts only from `Registered`.
#[must_use]
#[derive(Debug)]
pub enum Registration {
    Registered(Place),
    /// The account has changed since the decision, or nobody can tell whether it has.
    Void,
    /// The account has [`MOST_SESSIONS`] already.
    Full,
}

impl Registry {
    /// The period that a decision which is asked for now belongs to. Where there is none, one is
    /// waited for; `None` when none has begun within `limit`.
    pub fn period(&self, limit: Duration) -> Option<Period> {
        let inner = self.wait(self.lock(), limit, |inner| inner.period.is_none());
        inner.period.map(Period)
    }

    /// Registers first, compares then, under one lock: a revocation that comes later finds the
    /// session, one that came earlier is found here.
    pub fn register(self: &Arc<Self>, grant: &Grant, asked: Period) -> Registration {
        let mut inner = self.lock();
        let revoked = inner.revoked.get(&grant.account).is_some_and(|since| *since > grant.generation);
        if revoked || inner.period != Some(asked.0) {
            return Registration::Void;
        }
        if inner.sessions.values().filter(|entry| entry.account == grant.account).count() >= MOST_SESSIONS {
            return Registration::Full;
        }
        inner.next += 1;
        let number = inner.next;
        let entry = Entry { account: grant.account, generation: grant.generation, control: None, unwanted: false };
        inner.sessions.insert(number, entry);
        Registration::Registered(Place { registry: self.clone(), number })
    }

    /// Counts a login; `None` when the account has [`MOST_CONNECTIONS`] already.
    pub fn seat(self: &Arc<Self>, account: AccountId) -> Option<Seat> {
        let mut inner = self.lock();
        let count = inner.connections.entry(account).or_default();
        if *count >= MOST_CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Seat { registry: self.clone(), account })
    }

    /// Ends every session of an account that a decision before `generation` has let start, and
    /// remembers that such decisions are void. Returns when they are gone, or after `limit`, and says
    /// how many have ended by that.
    pub fn revoke(&self, account: AccountId, generation: Generation, limit: Duration) -> u64 {
        let older = move |entry: &Entry| entry.account == account && entry.generation < generation;
        let mut inner = self.lock();
        let since = inner.revoked.entry(account).or_insert(generation);
        *since = generation.max(*since);
        let told = inner.end(older);
        let inner = self.wait(inner, limit, |inner| inner.sessions.values().any(older));
        let left = inner.sessions.values().filter(|entry| older(entry)).count() as u64;
        told.saturating_sub(left)
    }

    /// Revocations are heard from here on.
    pub fn begin_period(&self) {
        let mut inner = self.lock();
        inner.periods += 1;
        inner.period = Some(inner.periods);
        inner.revoked.clear();
        drop(inner);
        self.changed.notify_all();
    }

    /// Revocations may have been missed: nothing starts, and nothing goes on.
    pub fn end_period(&self, limit: Duration) {
        let mut inner = self.lock();
        if inner.period.take().is_some() {
            inner.end(|_| true);
        }
        drop(self.wait(inner, limit, |inner| !inner.sessions.is_empty()));
    }

    fn wait<'a>(
        &self,
        mut inner: MutexGuard<'a, Inner>,
        limit: Duration,
        while_true: impl Fn(&Inner) -> bool,
    ) -> MutexGuard<'a, Inner> {
        let deadline = Instant::now() + limit;
        while while_true(&inner) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Gives how many were still wanted.
    fn end(&mut self, which: impl Fn(&Entry) -> bool) -> u64 {
        let mut told = 0;
        for entry in self.sessions.values_mut().filter(|entry| which(entry)) {
            told += u64::from(!entry.unwanted);
            entry.unwanted = true;
            if let Some(control) = &entry.control {
                control.tell(Farewell::Revoked);
            }
        }
        told
    }
}

impl Place {
    /// Numbers the session among all.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The session has a keeper; if it was revoked meanwhile, that is told at once.
    pub fn set_control(&self, control: Arc<Control>) {
        let mut inner = self.registry.lock();
        if let Some(entry) = inner.sessions.get_mut(&self.number) {
            if entry.unwanted {
                control.tell(Farewell::Revoked);
            }
            entry.control = Some(control);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        match inner.connections.get_mut(&self.account) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(inner.connections.remove(&self.account)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.lock().sessions.remove(&self.number);
        self.registry.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::net::UnixStream;

    use accountd_protocol::id::{Gid, Uid};
    use accountd_protocol::name::UserName;
    use accountd_protocol::session_policy::{Forwarding, Leftovers, SessionPolicy, TerminalUse, Uploads};

    use super::*;
    use crate::word::Word;

    fn grant(account: u64, generation: u64) -> Grant {
        Grant {
            account: AccountId(account),
            name: UserName::new("anna").unwrap(),
            uid: Uid(1000),
            gid: Gid(1000),
            groups: Vec::new(),
            home: Vec::new(),
            shell: Vec::new(),
            policy: SessionPolicy {
                services: BTreeSet::new(),
                forced_command: None,
                terminal: TerminalUse::Allowed,
                forwarding: Forwarding::None,
                accept_environment: Vec::new(),
                environment: Vec::new(),
                leftovers: Leftovers::End,
                uploads: Uploads::InPlace,
                root: None,
                umask: 0o022,
            },
            generation: Generation(generation),
        }
    }

    #[test]
    fn nothing_starts_while_revocations_can_not_be_heard() {
        let registry = Arc::new(Registry::default());
        assert_eq!(registry.period(Duration::ZERO), None);
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        assert!(matches!(registry.register(&grant(1, 5), period), Registration::Registered(_)));
        registry.end_period(Duration::ZERO);
        assert!(matches!(registry.register(&grant(1, 5), period), Registration::Void));
        registry.begin_period();
        assert!(matches!(registry.register(&grant(1, 5), period), Registration::Void));
    }

    #[test]
    fn a_revocation_between_decision_and_start_voids_the_decision() {
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        registry.revoke(AccountId(1), Generation(6), Duration::ZERO);
        assert!(matches!(registry.register(&grant(1, 5), period), Registration::Void));
        assert!(matches!(registry.register(&grant(1, 6), period), Registration::Registered(_)));
        assert!(matches!(registry.register(&grant(2, 5), period), Registration::Registered(_)));
    }

    #[test]
    fn an_account_has_so_many_sessions_and_so_many_logins() {
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        let mut places: Vec<_> = (0..MOST_SESSIONS).map(|_| registry.register(&grant(1, 5), period)).collect();
        assert!(places.iter().all(|place| matches!(place, Registration::Registered(_))));
        assert!(matches!(registry.register(&grant(1, 5), period), Registration::Full));
        assert!(matches!(registry.register(&grant(2, 5), period), Registration::Registered(_)));
        places.pop();
        assert!(matches!(registry.register(&grant(1, 5), period), Registration::Registered(_)));
        let mut seats: Vec<_> = (0..MOST_CONNECTIONS).map(|_| registry.seat(AccountId(1)).unwrap()).collect();
        assert!(registry.seat(AccountId(1)).is_none() && registry.seat(AccountId(2)).is_some());
        seats.pop();
        drop(registry.seat(AccountId(1)).unwrap());
        drop(seats);
        assert!(registry.lock().connections.is_empty());
    }

    #[test]
    fn a_revocation_leaves_sessions_that_are_newer() {
        use std::io::Read;
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        let Registration::Registered(place) = registry.register(&grant(1, 6), period) else { panic!("not registered") };
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        place.set_control(Arc::new(Control::new(ours)));
        // It would wait for a session that is older.
        registry.revoke(AccountId(1), Generation(6), Duration::from_secs(60));
        theirs.set_nonblocking(true).unwrap();
        assert_eq!(theirs.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        registry.revoke(AccountId(1), Generation(7), Duration::ZERO);
        assert_eq!(theirs.read(&mut [0; 2]).unwrap(), 2);
        registry.revoke(AccountId(1), Generation(5), Duration::ZERO);
        assert!(matches!(registry.register(&grant(1, 6), period), Registration::Void), "7 still counts");
    }

    #[test]
    fn a_revocation_reaches_a_session_that_has_no_keeper_yet() {
        use std::io::Read;
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let Registration::Registered(place) = registry.register(&grant(1, 5), registry.period(Duration::ZERO).unwrap())
        else {
            panic!("not registered");
        };
        registry.revoke(AccountId(1), Generation(6), Duration::ZERO);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        place.set_control(Arc::new(Control::new(ours)));
        let mut bytes = [0; 2];
        theirs.read_exact(&mut bytes).unwrap();
        assert_eq!(Word::of(Some(bytes)), Word::End(Farewell::Revoked));
        drop(place);
        registry.revoke(AccountId(1), Generation(7), Duration::from_secs(60));
    }
}
