//! What one account stores as far as its sessions say, and what they have leased.
//!
//! A lease counts as used at once, so sessions that run side by side never have more than the limit between
//! them. What comes back of it is at most what was leased. What is freed of older files is only a hint: an
//! account is shown without it, and a scan finds out before anything is refused.

use std::collections::HashMap;

use accountd_protocol::agent::QuotaEnd;
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaExceeded, QuotaLimits, QuotaUse};

use super::amount::{checked_plus, least, minus, most, plus};
use crate::database::{CountState, QuotaCount};

/// Milliseconds: between two scans of an account that has no room, at least.
const OLD: u64 = 60_000;
/// So far ahead of the count is the ceiling that is stored, so that not every lease is a write.
const AHEAD: QuotaUse = QuotaUse { bytes: 64 << 20, files: 1000 };

#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Leases included.
    used: QuotaUse,
    /// What is freed of that, by the word of sessions.
    freed: QuotaUse,
    sessions: HashMap<u64, Leases>,
    /// All that was leased and returned since the agent's start.
    leased: QuotaUse,
    returned: QuotaUse,
    knowledge: Knowledge,
    /// More is counted than there is, perhaps.
    doubt: Doubt,
    scanned: Option<u64>,
    stored: Stored,
}

/// Whether a scan has ever told what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Knowledge {
    #[default]
    Nothing,
    /// There is no more than is counted.
    Ceiling,
    Counted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doubt {
    #[default]
    None,
    /// A scan has counted a second time what sessions had written; they are still there.
    Waiting,
    /// A scan would find less.
    Ripe,
}

#[derive(Clone, Copy, Debug, Default)]
struct Leases {
    granted: QuotaUse,
    returned: QuotaUse,
    largest: QuotaUse,
    is_lost: bool,
}

/// What the store has.
#[derive(Clone, Copy, Debug, Default)]
enum Stored {
    #[default]
    Nothing,
    Exact,
    Ceiling(QuotaUse),
}

/// What is to be done when a session has ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// A scan would find less, some time.
    ScanLater,
    /// Nobody knows what there is.
    ScanNow,
}

/// How the leases stood when a scan began.
#[derive(Clone, Debug)]
pub struct ScanStart {
    /// What open sessions had leased and not returned, and how much of that they had still to write, about.
    leased_by_open: QuotaUse,
    unwritten: QuotaUse,
    leased: QuotaUse,
    returned: QuotaUse,
    freed: QuotaUse,
    /// Whether nothing spoke against the count.
    is_exact: bool,
    lost: Vec<u64>,
}

impl Count {
    /// As it was stored.
    pub fn stored(row: &QuotaCount) -> Self {
        let (knowledge, stored) = match row.state {
            CountState::Exact => (Knowledge::Counted, Stored::Exact),
            CountState::Ceiling => (Knowledge::Ceiling, Stored::Ceiling(row.used)),
        };
        Self { used: row.used, knowledge, stored, scanned: row.scanned, ..Self::default() }
    }

    /// Whether nothing is known of what there is.
    pub fn is_unknown(&self) -> bool {
        self.knowledge == Knowledge::Nothing
    }

    /// Whether a scan may find less than is counted.
    pub fn may_be_less(&self) -> bool {
        self.knowledge != Knowledge::Counted || self.doubt == Doubt::Ripe || self.freed != QuotaUse::default()
    }

    /// Whether a scan has to tell what there is, though nobody waits for it.
    pub fn needs_scan(&self) -> bool {
        self.knowledge != Knowledge::Counted
    }

    /// Whether others may have removed much since the last scan: worth one before anything is refused.
    pub fn is_old(&self, now: u64) -> bool {
        self.scanned.is_none_or(|scanned| now.saturating_sub(scanned) >= OLD)
    }

    pub fn scanned(&self) -> Option<u64> {
        self.scanned
    }

    /// As it is shown.
    pub fn shown(&self) -> QuotaUse {
        minus(self.used, self.freed)
    }

    /// Counts `need` as used, if `limits` allow it.
    pub fn lease(&mut self, session: u64, need: QuotaUse, limits: QuotaLimits) -> Result<(), QuotaExceeded> {
        // No session stores so much. Nothing may be lost of the sums: a session could give back more than it took.
        let sums = checked_plus(self.used, need).zip(checked_plus(self.leased, need));
        let (used, leased) = sums.ok_or(QuotaExceeded::Bytes(u64::MAX))?;
        if let Some(limit) = limits.bytes.filter(|limit| need.bytes > 0 && used.bytes > *limit) {
            return Err(QuotaExceeded::Bytes(limit));
        }
        if let Some(limit) = limits.files.filter(|limit| need.files > 0 && used.files > *limit) {
            return Err(QuotaExceeded::Files(limit));
        }
        self.used = used;
        self.leased = leased;
        let leases = self.sessions.entry(session).or_default();
        leases.granted = plus(leases.granted, need);
        leases.largest = most(leases.largest, need);
        Ok(())
    }

    /// A session goes on to which an agent of before has leased. What it has still to write of that counts as
    /// leased now; whether it is written by now, and counted twice, the next scan tells.
    pub fn resume(&mut self, session: u64, kept: QuotaUse, largest: QuotaUse) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.is_lost = false;
            return;
        }
        let unwritten = Leases { granted: kept, largest, ..Leases::default() }.unwritten();
        self.used = plus(self.used, unwritten);
        self.leased = plus(self.leased, unwritten);
        self.sessions.insert(session, Leases { granted: unwritten, largest, ..Leases::default() });
        if self.doubt == Doubt::None && unwritten != QuotaUse::default() {
            self.doubt = Doubt::Waiting;
        }
    }

    /// Those that have leased and of whose end nobody has spoken.
    pub fn open_sessions(&self) -> Vec<u64> {
        self.sessions.iter().filter(|(_, leases)| !leases.is_lost).map(|(session, _)| *session).collect()
    }

    /// Takes back what a session has leased and not needed, and hears what it has freed.
    pub fn give_back(&mut self, session: u64, unused: QuotaUse, freed: QuotaUse) {
        self.freed = least(plus(self.freed, freed), self.used);
        let Some(leases) = self.sessions.get_mut(&session) else { return };
        let back = least(unused, minus(leases.granted, leases.returned));
        leases.returned = plus(leases.returned, back);
        self.returned = plus(self.returned, back);
        self.used = minus(self.used, back);
        self.freed = least(self.freed, self.used);
    }

    pub fn end(&mut self, session: u64, how: QuotaEnd) -> Next {
        match (how, self.sessions.get_mut(&session)) {
            (QuotaEnd::Lost, Some(leases)) => {
                leases.is_lost = true;
                return Next::ScanNow;
            }
            // It has leased from an agent that has ended since.
            (QuotaEnd::Lost, None) => return Next::ScanNow,
            (QuotaEnd::Settled, None) => {}
            (QuotaEnd::Settled, Some(_)) => {
                self.sessions.remove(&session);
            }
        }
        if self.doubt == Doubt::Waiting {
            self.doubt = Doubt::Ripe;
        }
        if self.may_be_less() { Next::ScanLater } else { Next::Nothing }
    }

    pub fn begin_scan(&self) -> ScanStart {
        let open = || self.sessions.values().filter(|leases| !leases.is_lost);
        let lost = self.sessions.iter().filter(|(_, leases)| leases.is_lost).map(|(session, _)| *session);
        ScanStart {
            leased_by_open: open().map(Leases::kept).fold(QuotaUse::default(), plus),
            unwritten: open().map(Leases::unwritten).fold(QuotaUse::default(), plus),
            leased: self.leased,
            returned: self.returned,
            freed: self.freed,
            is_exact: self.knowledge == Knowledge::Counted
                && self.doubt == Doubt::None
                && open().count() == self.sessions.len(),
            lost: lost.collect(),
        }
    }

    /// A scan has found so much. What was leased meanwhile may or may not be among it.
    pub fn end_scan(&mut self, start: &ScanStart, found: QuotaUse, now: u64) {
        let (leased, returned) = (minus(self.leased, start.leased), minus(self.returned, start.returned));
        let with = |unwritten| most(minus(plus(found, plus(unwritten, leased)), returned), found);
        // What was counted so far is the better number, unless it can't be: files of others came or went.
        let (counted, highest) = (minus(self.used, start.freed), with(start.leased_by_open));
        let is_good = start.is_exact && found == least(found, counted) && counted == least(counted, highest);
        self.used = if is_good { counted } else { with(start.unwritten) };
        self.freed = minus(self.freed, start.freed);
        self.knowledge = Knowledge::Counted;
        self.doubt = if !is_good && start.unwritten != QuotaUse::default() { Doubt::Waiting } else { Doubt::None };
        self.scanned = Some(now);
        self.sessions.retain(|session, _| !start.lost.contains(session));
    }

    /// What is to be stored before a lease may be used: `None` where the ceiling is high enough.
    pub fn ceiling_to_store(&mut self, account: AccountId) -> Option<QuotaCount> {
        if let Stored::Ceiling(ceiling) = self.stored
            && self.used.bytes <= ceiling.bytes
            && self.used.files <= ceiling.files
        {
            return None;
        }
        let ceiling = plus(self.used, AHEAD);
        self.stored = Stored::Ceiling(ceiling);
        Some(QuotaCount { account, used: ceiling, state: CountState::Ceiling, scanned: self.scanned })
    }

    /// What could not be stored counts as not stored.
    pub fn not_stored(&mut self) {
        self.stored = Stored::Nothing;
    }

    /// What is to be stored when no session has a lease any more.
    pub fn exact_to_store(&mut self, account: AccountId) -> Option<QuotaCount> {
        if !self.sessions.is_empty() || self.knowledge != Knowledge::Counted {
            return None;
        }
        // What is said to be freed is not stored: a scan has to find it.
        let is_exact = !self.may_be_less();
        let (stored, state) = match is_exact {
            true => (Stored::Exact, CountState::Exact),
            false => (Stored::Ceiling(self.used), CountState::Ceiling),
        };
        self.stored = stored;
        Some(QuotaCount { account, used: self.used, state, scanned: self.scanned })
    }
}

impl Leases {
    /// A session asks for more when what it has does not do for the next write: so what it has not written yet
    /// is about its largest lease, however much it has leased in all. Twice that leaves room for writes that
    /// are on their way.
    fn unwritten(&self) -> QuotaUse {
        least(self.kept(), plus(self.largest, self.largest))
    }

    fn kept(&self) -> QuotaUse {
        minus(self.granted, self.returned)
    }
}
