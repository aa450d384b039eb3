//! All sessions, and what is known of revocations.

mod listing;
mod resuming;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use accountd_protocol::agent::{Generation, Grant};
use accountd_protocol::id::AccountId;
use accountd_protocol::metrics::SessionService;
use accountd_protocol::open_session::{ConnectionId, OpenTransfer};
use accountd_protocol::resume::{LetIn, Standing};

use crate::control::Control;
use crate::quota::Leases;
use crate::word::Farewell;

/// The most sessions of one account at a time, on all of its connections.
pub const MOST_SESSIONS: usize = 128;
/// The most connections on which one account is logged in at a time.
pub const MOST_CONNECTIONS: usize = 32;

/// Counts the subscriptions to revocations. A decision is good only in the period in which it was asked
/// for; who is logged in goes over into the next one, unless their account has changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(u64);

/// The decision that has let somebody in.
#[derive(Clone, Debug)]
struct Basis {
    account: AccountId,
    /// Since when nothing is known to have changed.
    generation: Generation,
    standing: Standing,
}

#[derive(Debug)]
struct Entry {
    basis: Basis,
    /// The number of its connection.
    connection: u64,
    service: SessionService,
    began: SystemTime,
    /// What is on its way, by the session's own numbers.
    transfers: BTreeMap<u64, OpenTransfer>,
    active: SystemTime,
    /// What it has leased of a quota, where it has one.
    leases: Option<Arc<Leases>>,
    /// Where its keeper listens, as soon as it has one.
    control: Option<Arc<Control>>,
    /// Why it has to end, if it was told so; it may have no keeper yet.
    unwanted: Option<Farewell>,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: HashMap<u64, Entry>,
    next: u64,
    /// Those on which somebody is logged in.
    connections: BTreeMap<u64, Connected>,
    connected: u64,
    revoked: HashMap<AccountId, Generation>,
    /// `None` while revocations can't be heard.
    period: Option<u64>,
    periods: u64,
}

#[derive(Debug, Default)]
pub struct Registry {
    inner: Mutex<Inner>,
    /// A session or a connection has gone, or a period has begun.
    changed: Condvar,
}

/// A revocation that has been said to all whom it is about.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct Revoking {
    account: AccountId,
    pub generation: Generation,
    /// How many sessions.
    told: u64,
    since: Instant,
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
    number: u64,
}

/// A connection on which somebody is logged in.
#[derive(Debug)]
struct Connected {
    id: ConnectionId,
    basis: Basis,
    period: u64,
    user: String,
    client: SocketAddr,
    version: String,
    since: SystemTime,
    hang_up: HangUp,
}

/// Where a login has come from.
#[derive(Debug)]
pub struct Login<'a> {
    pub client: SocketAddr,
    /// What the client calls itself.
    pub version: &'a str,
    pub hang_up: HangUp,
}

/// Has the front close a connection, and hears it no more. Waits for nobody.
#[derive(Clone)]
pub struct HangUp(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HangUp")
    }
}

/// Has to be opened: only who is `Seated` is logged in.
#[must_use]
#[derive(Debug)]
pub enum Seating {
    Seated(Seat),
    /// As in [`Registration`].
    Void,
    /// The account has as many connections already as it may.
    Full,
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
    pub fn register(self: &Arc<Self>, seat: &Seat, service: SessionService) -> Registration {
        let inner = self.lock();
        match inner.basis_of(seat) {
            Some(basis) => self.register_on(inner, (seat.number, basis), service),
            None => Registration::Void,
        }
    }

    /// The same for what nobody has logged in for.
    pub fn register_alone(self: &Arc<Self>, grant: &Grant, asked: Period, service: SessionService) -> Registration {
        let (inner, basis) = (self.lock(), Basis::of(grant));
        if inner.is_void(&basis, asked.0) {
            return Registration::Void;
        }
        // No connection has this number.
        self.register_on(inner, (0, basis), service)
    }

    fn register_on(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        (connection, basis): (u64, Basis),
        service: SessionService,
    ) -> Registration {
        if inner.sessions.values().filter(|entry| entry.basis.account == basis.account).count() >= MOST_SESSIONS {
            return Registration::Full;
        }
        inner.next += 1;
        let number = inner.next;
        let began = SystemTime::now();
        let entry = Entry {
            basis,
            connection,
            service,
            began,
            transfers: BTreeMap::new(),
            active: began,
            leases: None,
            control: None,
            unwanted: None,
        };
        inner.sessions.insert(number, entry);
        Registration::Registered(Place { registry: self.clone(), number })
    }

    /// Counts a login, as [`Self::register`] does a session.
    pub fn seat(self: &Arc<Self>, grant: &Grant, asked: Period, login: Login<'_>) -> Seating {
        let most = grant.limits.sessions.map_or(MOST_CONNECTIONS, |most| MOST_CONNECTIONS.min(most as usize));
        // Without an id it could not be closed.
        let Some(connected) = Connected::new((grant, asked), login) else { return Seating::Void };
        let mut inner = self.lock();
        if inner.is_void(&connected.basis, asked.0) {
            return Seating::Void;
        }
        if inner.connections.values().filter(|other| other.basis.account == grant.account).count() >= most {
            return Seating::Full;
        }
        inner.connected += 1;
        let number = inner.connected;
        inner.connections.insert(number, connected);
        Seating::Seated(Seat { registry: self.clone(), number })
    }

    /// Tells all that a decision on an account before `generation` has let in to end, and remembers
    /// that such decisions are void. Waits for nobody.
    pub fn revoke(&self, account: AccountId, generation: Generation) -> Revoking {
        let older = move |basis: &Basis| basis.account == account && basis.generation < generation;
        let mut inner = self.lock();
        let since = inner.revoked.entry(account).or_insert(generation);
        *since = generation.max(*since);
        let told = inner.end(Farewell::Revoked, |entry| older(&entry.basis));
        drop(self.hang_up(inner, older));
        Revoking { account, generation, told, since: Instant::now() }
    }

    /// Returns when all that was told to end is gone, or `limit` after that was said, and says how many
    /// sessions have ended by it.
    pub fn ended(&self, revoking: Revoking, limit: Duration) -> u64 {
        let Revoking { account, generation, told, since } = revoking;
        let older = move |basis: &Basis| basis.account == account && basis.generation < generation;
        let inner = self.wait(self.lock(), limit.saturating_sub(since.elapsed()), |inner| inner.holds(older));
        let left = inner.sessions.values().filter(|entry| older(&entry.basis)).count() as u64;
        told.saturating_sub(left)
    }

    /// Nothing starts, and nothing goes on.
    pub fn end_all(&self, limit: Duration) {
        let mut inner = self.lock();
        inner.period = None;
        inner.end(Farewell::Interrupted, |_| true);
        let inner = self.hang_up(inner, |_| true);
        drop(self.wait(inner, limit, |inner| inner.holds(|_| true)));
    }

    /// Outside the lock, which whoever is hung up needs to leave.
    fn hang_up<'a>(&'a self, inner: MutexGuard<'a, Inner>, which: impl Fn(&Basis) -> bool) -> MutexGuard<'a, Inner> {
        let connections = inner.connections.values().filter(|one| which(&one.basis));
        let all: Vec<HangUp> = connections.map(|one| one.hang_up.clone()).collect();
        drop(inner);
        all.iter().for_each(|one| (one.0)());
        self.lock()
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

impl Basis {
    fn of(grant: &Grant) -> Self {
        Self { account: grant.account, generation: grant.generation, standing: grant.standing.clone() }
    }

    fn let_in(&self) -> LetIn {
        LetIn { account: self.account, standing: self.standing.clone() }
    }
}

impl Connected {
    /// `None` where no id can be made.
    fn new((grant, asked): (&Grant, Period), Login { client, version, hang_up }: Login<'_>) -> Option<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        let id = ConnectionId(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        let (user, version) = (grant.name.as_str().to_owned(), version.to_owned());
        let (basis, period, since) = (Basis::of(grant), asked.0, SystemTime::now());
        Some(Self { id, basis, period, user, client, version, since, hang_up })
    }
}

impl Inner {
    /// Whether a decision counts no more, or nobody can tell.
    fn is_void(&self, basis: &Basis, period: u64) -> bool {
        let revoked = self.revoked.get(&basis.account).is_some_and(|since| *since > basis.generation);
        revoked || self.period != Some(period)
    }

    /// What a session on a connection begins by; `None` where that counts no more.
    fn basis_of(&self, seat: &Seat) -> Option<Basis> {
        let connected = self.connections.get(&seat.number)?;
        (!self.is_void(&connected.basis, connected.period)).then(|| connected.basis.clone())
    }

    /// Whether anybody is here whom such a decision has let in.
    fn holds(&self, which: impl Fn(&Basis) -> bool) -> bool {
        self.sessions.values().any(|entry| which(&entry.basis))
            || self.connections.values().any(|one| which(&one.basis))
    }

    /// Gives how many had not been revoked before.
    fn end(&mut self, why: Farewell, which: impl Fn(&Entry) -> bool) -> u64 {
        let mut told = 0;
        for entry in self.sessions.values_mut().filter(|entry| which(entry)) {
            if entry.unwanted != Some(Farewell::Revoked) {
                told += 1;
                entry.unwanted = Some(why);
            }
            if let (Some(control), Some(why)) = (&entry.control, entry.unwanted) {
                control.tell(why);
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

    /// Where what the session leases is counted.
    pub fn set_leases(&self, leases: Arc<Leases>) {
        if let Some(entry) = self.registry.lock().sessions.get_mut(&self.number) {
            entry.leases = Some(leases);
        }
    }

    /// The session has a keeper; if it has to end meanwhile, that is told at once.
    pub fn set_control(&self, control: Arc<Control>) {
        let mut inner = self.registry.lock();
        if let Some(entry) = inner.sessions.get_mut(&self.number) {
            if let Some(why) = entry.unwanted {
                control.tell(why);
            }
            entry.control = Some(control);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.lock().connections.remove(&self.number);
        self.registry.changed.notify_all();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.lock().sessions.remove(&self.number);
        self.registry.changed.notify_all();
    }
}
