//! All sessions, and what is known of revocations.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use accountd_protocol::agent::{Generation, Grant};
use accountd_protocol::id::AccountId;
use accountd_protocol::metrics::SessionService;
use accountd_protocol::open_session::{ConnectionId, OpenConnection, OpenSession, OpenTransfer, TransferNote};

use crate::control::Control;
use crate::word::Farewell;

/// The most sessions of one account at a time, on all of its connections.
pub const MOST_SESSIONS: usize = 128;
/// The most connections on which one account is logged in at a time.
pub const MOST_CONNECTIONS: usize = 32;

/// The most transfers that are shown of one session.
const MOST_TRANSFERS: usize = 64;

/// Counts the times that the subscription to revocations was lost. A decision is good only in
/// the period in which it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(u64);

#[derive(Debug)]
struct Entry {
    account: AccountId,
    /// That of the decision which let it start.
    generation: Generation,
    /// The number of its connection.
    connection: u64,
    service: SessionService,
    began: SystemTime,
    /// What is on its way, by the session's own numbers.
    transfers: BTreeMap<u64, OpenTransfer>,
    active: SystemTime,
    /// Where its keeper listens, as soon as it has one.
    control: Option<Arc<Control>>,
    /// Told to end before it had a keeper.
    unwanted: bool,
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
    number: u64,
}

/// A connection on which somebody is logged in.
#[derive(Debug)]
struct Connected {
    id: ConnectionId,
    account: AccountId,
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

/// Has the front close a connection.
#[derive(Clone)]
pub struct HangUp(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HangUp")
    }
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
    pub fn register(
        self: &Arc<Self>,
        grant: &Grant,
        (asked, seat): (Period, &Seat),
        service: SessionService,
    ) -> Registration {
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
        let Grant { account, generation, .. } = *grant;
        let (connection, began) = (seat.number, SystemTime::now());
        let entry = Entry {
            account,
            generation,
            connection,
            service,
            began,
            transfers: BTreeMap::new(),
            active: began,
            control: None,
            unwanted: false,
        };
        inner.sessions.insert(number, entry);
        Registration::Registered(Place { registry: self.clone(), number })
    }

    /// Counts a login; `None` when the account has as many already as it may.
    pub fn seat(self: &Arc<Self>, grant: &Grant, login: Login<'_>) -> Option<Seat> {
        let most = grant.limits.sessions.map_or(MOST_CONNECTIONS, |most| MOST_CONNECTIONS.min(most as usize));
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        let id = ConnectionId(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        let Login { client, version, hang_up } = login;
        let (account, user, since) = (grant.account, grant.name.as_str().to_owned(), SystemTime::now());
        let connected = Connected { id, account, user, client, version: version.to_owned(), since, hang_up };
        let mut inner = self.lock();
        if inner.connections.values().filter(|other| other.account == account).count() >= most {
            return None;
        }
        inner.connected += 1;
        let number = inner.connected;
        inner.connections.insert(number, connected);
        Some(Seat { registry: self.clone(), number })
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

impl Registry {
    /// The connections of an account, or of all, in the order in which they came.
    pub fn connections(&self, of: Option<AccountId>) -> Vec<OpenConnection> {
        let inner = self.lock();
        let wanted = inner.connections.iter().filter(|(_, one)| of.is_none_or(|of| one.account == of));
        wanted.map(|(number, one)| one.shown(inner.sessions_on(*number))).collect()
    }

    /// Ends a connection with everything that runs on it; `None` where there is none of that id.
    pub fn close_connection(&self, id: &ConnectionId) -> Option<()> {
        let mut inner = self.lock();
        let (number, hang_up) = inner
            .connections
            .iter()
            .find(|(_, one)| one.id == *id)
            .map(|(number, one)| (*number, one.hang_up.clone()))?;
        inner.end(|entry| entry.connection == number);
        // A front that takes nothing keeps nobody else waiting.
        drop(inner);
        (hang_up.0)();
        Some(())
    }

    pub fn close_session(&self, number: u64) -> Option<()> {
        let mut inner = self.lock();
        let entry = inner.sessions.get_mut(&number)?;
        match &entry.control {
            Some(control) => control.tell(Farewell::Closed),
            None => entry.unwanted = true,
        }
        Some(())
    }
}

impl Inner {
    fn sessions_on(&self, connection: u64) -> Vec<(u64, &Entry)> {
        let entries = self.sessions.iter().filter(|(_, entry)| entry.connection == connection);
        let mut entries: Vec<_> = entries.map(|(number, entry)| (*number, entry)).collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        entries
    }
}

impl Connected {
    fn shown(&self, sessions: Vec<(u64, &Entry)>) -> OpenConnection {
        let Self { id, account, user, client, version, since, hang_up: _ } = self;
        let active = sessions.iter().map(|(_, entry)| entry.active).max().unwrap_or(*since);
        OpenConnection {
            id: id.clone(),
            account: *account,
            user: user.clone(),
            client_version: version.clone(),
            source: *client,
            connected: milliseconds(*since),
            last_activity: milliseconds(active.max(*since)),
            sessions: sessions.into_iter().map(|(number, entry)| entry.shown(number)).collect(),
        }
    }
}

impl Entry {
    fn shown(&self, number: u64) -> OpenSession {
        OpenSession {
            number,
            service: self.service.name().to_owned(),
            began: milliseconds(self.began),
            transfers: self.transfers.values().cloned().collect(),
        }
    }
}

/// Of Unix time.
pub fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Place {
    /// What the session has said of its transfers.
    pub fn note(&self, note: TransferNote) {
        let (mut inner, now) = (self.registry.lock(), SystemTime::now());
        let Some(entry) = inner.sessions.get_mut(&self.number) else { return };
        entry.active = now;
        let last_activity = milliseconds(now);
        match note {
            TransferNote::Begun { id, path, direction, size, for_milliseconds } => {
                if entry.transfers.len() < MOST_TRANSFERS {
                    let started = last_activity.saturating_sub(for_milliseconds);
                    entry.transfers.insert(id, OpenTransfer { path, direction, started, last_activity, size });
                }
            }
            TransferNote::At { id, size } => {
                if let Some(transfer) = entry.transfers.get_mut(&id) {
                    (transfer.size, transfer.last_activity) = (size, last_activity);
                }
            }
            TransferNote::Ended { id } => drop(entry.transfers.remove(&id)),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.lock().connections.remove(&self.number);
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
    use accountd_protocol::limits::Limits;
    use accountd_protocol::name::UserName;
    use accountd_protocol::open_session::TransferDirection;
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
            limits: Limits::default(),
            quota: None,
            generation: Generation(generation),
        }
    }

    fn seat(registry: &Arc<Registry>, account: u64) -> Option<Seat> {
        seat_within(registry, account, None)
    }

    fn seat_within(registry: &Arc<Registry>, account: u64, sessions: Option<u32>) -> Option<Seat> {
        let client = "192.0.2.1:5000".parse().unwrap();
        let login = Login { client, version: "SSH-2.0-Test", hang_up: HangUp(Arc::new(|| ())) };
        let grant = grant(account, 5);
        registry.seat(&Grant { limits: Limits { sessions, ..Limits::default() }, ..grant }, login)
    }

    fn register(registry: &Arc<Registry>, account: u64, generation: u64, period: Period) -> Registration {
        let seat = Seat { registry: registry.clone(), number: 0 };
        registry.register(&grant(account, generation), (period, &seat), SessionService::Sftp)
    }

    #[test]
    fn an_account_with_a_limit_has_as_many_connections_and_they_are_listed_and_closed() {
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let one = seat_within(&registry, 1, Some(1)).unwrap();
        assert!(seat_within(&registry, 1, Some(1)).is_none() && seat_within(&registry, 1, Some(2)).is_some());
        let period = registry.period(Duration::ZERO).unwrap();
        let Registration::Registered(place) = registry.register(&grant(1, 5), (period, &one), SessionService::Sftp)
        else {
            panic!("not registered");
        };
        let (path, direction) = ("/a".to_owned(), TransferDirection::Upload);
        place.note(TransferNote::Begun { id: 1, path, direction, size: 5, for_milliseconds: 1000 });
        place.note(TransferNote::At { id: 1, size: 9 });
        let listed = registry.connections(Some(AccountId(1)));
        assert_eq!((listed.len(), listed[0].sessions[0].transfers[0].size, listed[0].id.0.len()), (1, 9, 64));
        assert!(listed[0].sessions[0].transfers[0].started < listed[0].last_activity);
        place.note(TransferNote::Ended { id: 1 });
        assert!(registry.connections(None)[0].sessions[0].transfers.is_empty());
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        place.set_control(Arc::new(Control::new(ours)));
        assert_eq!(registry.close_connection(&ConnectionId("0".into())), None);
        registry.close_connection(&listed[0].id).unwrap();
        let mut bytes = [0; 2];
        std::io::Read::read_exact(&mut theirs, &mut bytes).unwrap();
        assert_eq!(Word::of(Some(bytes)), Word::End(Farewell::Revoked));
        drop(one);
        assert!(registry.connections(None).is_empty());
    }

    #[test]
    fn nothing_starts_while_revocations_can_not_be_heard() {
        let registry = Arc::new(Registry::default());
        assert_eq!(registry.period(Duration::ZERO), None);
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        assert!(matches!(register(&registry, 1, 5, period), Registration::Registered(_)));
        registry.end_period(Duration::ZERO);
        assert!(matches!(register(&registry, 1, 5, period), Registration::Void));
        registry.begin_period();
        assert!(matches!(register(&registry, 1, 5, period), Registration::Void));
    }

    #[test]
    fn a_revocation_between_decision_and_start_voids_the_decision() {
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        registry.revoke(AccountId(1), Generation(6), Duration::ZERO);
        assert!(matches!(register(&registry, 1, 5, period), Registration::Void));
        assert!(matches!(register(&registry, 1, 6, period), Registration::Registered(_)));
        assert!(matches!(register(&registry, 2, 5, period), Registration::Registered(_)));
    }

    #[test]
    fn an_account_has_so_many_sessions_and_so_many_logins() {
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        let mut places: Vec<_> = (0..MOST_SESSIONS).map(|_| register(&registry, 1, 5, period)).collect();
        assert!(places.iter().all(|place| matches!(place, Registration::Registered(_))));
        assert!(matches!(register(&registry, 1, 5, period), Registration::Full));
        assert!(matches!(register(&registry, 2, 5, period), Registration::Registered(_)));
        places.pop();
        assert!(matches!(register(&registry, 1, 5, period), Registration::Registered(_)));
        let mut seats: Vec<_> = (0..MOST_CONNECTIONS).map(|_| seat(&registry, 1).unwrap()).collect();
        assert!(seat(&registry, 1).is_none() && seat(&registry, 2).is_some());
        seats.pop();
        drop(seat(&registry, 1).unwrap());
        drop(seats);
        assert!(registry.lock().connections.is_empty());
    }

    #[test]
    fn a_revocation_leaves_sessions_that_are_newer() {
        use std::io::Read;
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let period = registry.period(Duration::ZERO).unwrap();
        let Registration::Registered(place) = register(&registry, 1, 6, period) else { panic!("not registered") };
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        place.set_control(Arc::new(Control::new(ours)));
        // It would wait for a session that is older.
        registry.revoke(AccountId(1), Generation(6), Duration::from_secs(60));
        theirs.set_nonblocking(true).unwrap();
        assert_eq!(theirs.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        registry.revoke(AccountId(1), Generation(7), Duration::ZERO);
        assert_eq!(theirs.read(&mut [0; 2]).unwrap(), 2);
        registry.revoke(AccountId(1), Generation(5), Duration::ZERO);
        assert!(matches!(register(&registry, 1, 6, period), Registration::Void), "7 still counts");
    }

    #[test]
    fn a_revocation_reaches_a_session_that_has_no_keeper_yet() {
        use std::io::Read;
        let registry = Arc::new(Registry::default());
        registry.begin_period();
        let Registration::Registered(place) = register(&registry, 1, 5, registry.period(Duration::ZERO).unwrap())
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
