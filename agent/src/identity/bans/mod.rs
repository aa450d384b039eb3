//! Who has shown so many wrong passwords that they wait, or are turned away for a while. In memory
//! alone and bounded; one count for SSH and REST.
//!
//! Failures are counted for each source and for each name. A ban of a name is about passwords and
//! nobody who has logged in from the same source before: so nobody keeps its owner out. Names of no
//! account are counted like others, under a digest, so that nobody can tell which there are.

mod acquaintances;
mod active;
mod failures;
mod source;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::ban::BanId;
use accountd_protocol::id::AccountId;
use accountd_protocol::metrics::{BanObject, Numbers};
use accountd_protocol::refusal::Refusal;

use self::acquaintances::Acquaintances;
use self::active::Active;
pub use self::active::{BanEvent, EventKind, Object, Standing};
pub use self::failures::Weight;
use self::failures::{Count, Failing};
pub use self::source::Source;
use crate::pam::HERE;

const MOST_SOURCES: usize = 8192;
const MOST_NAMES: usize = 8192;

/// Whose name it is that somebody gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    Account(AccountId),
    /// No account's: a digest of it under a key of this process.
    Nobody(u64),
}

/// Somebody who gives a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub source: IpAddr,
    pub whom: Whom,
}

impl Attempt {
    /// On this machine itself. That is no source that could be turned away: all users of the machine would share it.
    fn is_here(&self) -> bool {
        self.source == HERE
    }
}

/// By what somebody shows who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Password,
    /// Nobody guesses one.
    Key,
}

/// Somebody is turned away, whatever they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// For so long from now.
    pub rest: Duration,
}

impl Held {
    /// In whole seconds, so that whoever waits so long is not turned away again.
    pub fn into_refusal(self) -> Refusal {
        Refusal::TooManyFailures { seconds: self.rest.as_secs() + u64::from(self.rest.subsec_nanos() > 0) }
    }
}

#[derive(Debug)]
pub struct Bans {
    config: accountd_config::Bans,
    state: Mutex<State>,
    something: Condvar,
    names: RandomState,
}

#[derive(Debug)]
struct State {
    sources: Failing<Source, Whom>,
    accounts: Failing<AccountId, Source>,
    nobodies: Failing<u64, Source>,
    known: Acquaintances,
    active: Active,
}

impl Bans {
    pub fn new(config: accountd_config::Bans) -> Self {
        let window = Duration::from_secs(config.window_seconds);
        let state = State {
            sources: Failing::new(window, MOST_SOURCES),
            accounts: Failing::new(window, MOST_NAMES),
            nobodies: Failing::new(window, MOST_NAMES),
            known: Acquaintances::default(),
            active: Active::default(),
        };
        Self { config, state: Mutex::new(state), something: Condvar::new(), names: RandomState::new() }
    }

    /// What a name of no account is counted under.
    pub fn nobody(&self, name: &str) -> Whom {
        Whom::Nobody(self.names.hash_one(name))
    }

    /// What a name is counted under that somebody gives on this machine itself: by itself, so that nobody is kept
    /// from the console by what others try from elsewhere.
    pub fn here(&self, name: &str) -> Whom {
        Whom::Nobody(self.names.hash_one((name, HERE)))
    }

    /// Whether somebody is turned away now, before what they show is looked at.
    pub fn check(&self, attempt: Attempt, means: Means, now: Instant) -> Result<(), Held> {
        if self.config.ignores(attempt.source) {
            return Ok(());
        }
        self.lock().check(attempt, means, now)
    }

    /// The same for those whose answer can't be made to wait: not before their last delay is over.
    pub fn check_delay(&self, attempt: Attempt, now: Instant) -> Result<(), Held> {
        self.check(attempt, Means::Password, now)?;
        if self.config.ignores(attempt.source) {
            return Ok(());
        }
        let mut state = self.lock();
        let counts = state.counts(attempt, now);
        let end = |count: Count| Some(count.last? + self.delay(count.failures));
        let rest = counts.into_iter().filter_map(end).map(|end| end.saturating_duration_since(now)).max();
        rest.filter(|rest| !rest.is_zero()).map_or(Ok(()), |rest| Err(Held { rest }))
    }

    /// Counts a failure. How long the answer to it is to take.
    pub fn failed(&self, attempt: Attempt, weight: Weight, now: Instant) -> Duration {
        if self.config.ignores(attempt.source) {
            return Duration::ZERO;
        }
        let mut state = self.lock();
        let mut most = 0;
        for (object, failures) in state.add(attempt, weight, now) {
            // Who is known here is not made to wait for what others do elsewhere.
            if object == Object::Source(Source::of(attempt.source)) || !state.is_known(attempt, now) {
                most = most.max(failures);
            }
            if self.config.begins(failures) {
                state.forget(object);
                state.active.begin(object, now, Duration::from_secs(self.config.ban_seconds));
                self.something.notify_one();
            }
        }
        self.delay(most)
    }

    /// What the answer takes to somebody who is turned away: as long as one more failure.
    pub fn longest_delay(&self) -> Duration {
        self.delay(u32::MAX)
    }

    /// Somebody has shown who they are. Refused where a ban has begun meanwhile: so no more are tried
    /// at once than one after the other.
    pub fn succeeded(&self, attempt: Attempt, means: Means, now: Instant) -> Result<(), Held> {
        self.check(attempt, means, now)?;
        let (mut state, source) = (self.lock(), Source::of(attempt.source));
        let account = match attempt.whom {
            Whom::Account(account) => account,
            Whom::Nobody(digest) => {
                state.nobodies.forgive(digest, source);
                return Ok(());
            }
        };
        state.sources.forgive(source, attempt.whom);
        state.accounts.forgive(account, source);
        state.known.meet(account, source, now);
        Ok(())
    }

    /// Those of today, but for names of no account; by id.
    pub fn list(&self, now: Instant) -> Vec<Standing> {
        let mut state = self.lock();
        state.active.expire(now);
        state.active.list()
    }

    /// Those that have begun so far, and those of now.
    pub fn numbers(&self, now: Instant) -> (Numbers<BanObject>, Numbers<BanObject>) {
        let mut state = self.lock();
        state.active.expire(now);
        state.active.numbers()
    }

    /// Ends one. `None`: there is none.
    pub fn lift(&self, id: BanId) -> Option<Standing> {
        self.lock().active.lift(id)
    }

    /// Waits for bans that begin or end.
    pub fn wait(&self) -> Vec<BanEvent> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.active.expire(now);
            let events = state.active.take_events();
            if !events.is_empty() {
                return events;
            }
            state = match state.active.next_end() {
                Some(end) => {
                    let rest = end.saturating_duration_since(now);
                    self.something.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.something.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn delay(&self, failures: u32) -> Duration {
        Duration::from_secs(self.config.delay(failures))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&mut self, attempt: Attempt, means: Means, now: Instant) -> Result<(), Held> {
        let (source, known) = (Source::of(attempt.source), self.is_known(attempt, now));
        let held = |until: Instant| Err(Held { rest: until.saturating_duration_since(now) });
        match (self.active.until(Object::Source(source), now), means) {
            (Some(_), Means::Key) if known => {}
            (Some(until), Means::Key | Means::Password) => return held(until),
            (None, Means::Key | Means::Password) => {}
        }
        match (self.active.until(attempt.whom.into(), now), means) {
            (Some(until), Means::Password) if !known => held(until),
            (Some(_) | None, Means::Password | Means::Key) => Ok(()),
        }
    }

    fn is_known(&self, attempt: Attempt, now: Instant) -> bool {
        match attempt.whom {
            Whom::Account(account) => self.known.knows(account, Source::of(attempt.source), now),
            Whom::Nobody(_) => false,
        }
    }

    /// A failure of a key is the source's alone: it says nothing about the password.
    fn add(&mut self, attempt: Attempt, weight: Weight, now: Instant) -> Vec<(Object, u32)> {
        let source = Source::of(attempt.source);
        let mut counts = Vec::new();
        if !attempt.is_here() {
            counts.push((Object::Source(source), self.sources.add(source, attempt.whom, (weight, now))));
        }
        if weight == Weight::Password {
            let count = match attempt.whom {
                Whom::Account(account) => self.accounts.add(account, source, (weight, now)),
                Whom::Nobody(digest) => self.nobodies.add(digest, source, (weight, now)),
            };
            counts.push((attempt.whom.into(), count));
        }
        counts
    }

    /// What somebody's delay comes from.
    fn counts(&mut self, attempt: Attempt, now: Instant) -> Vec<Count> {
        let mut counts = vec![self.sources.count(Source::of(attempt.source), now)];
        if !self.is_known(attempt, now) {
            counts.push(match attempt.whom {
                Whom::Account(account) => self.accounts.count(account, now),
                Whom::Nobody(digest) => self.nobodies.count(digest, now),
            });
        }
        counts
    }

    fn forget(&mut self, object: Object) {
        match object {
            Object::Source(source) => self.sources.forget(source),
            Object::Account(account) => self.accounts.forget(account),
            Object::Nobody(digest) => self.nobodies.forget(digest),
        }
    }
}

impl From<Whom> for Object {
    fn from(whom: Whom) -> Self {
        match whom {
            Whom::Account(account) => Object::Account(account),
            Whom::Nobody(digest) => Object::Nobody(digest),
        }
    }
}

#[cfg(test)]
mod tests;
