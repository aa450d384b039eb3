//! Logins and refusals that wait to be stored. Those that are alike are counted: whoever tries
//! passwords, or makes up names, must not make the disk write for each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, Moment, Outcome, Repeated, Target, Word};

/// Refusals are stored together, at most this often.
pub const WINDOW: Duration = Duration::from_secs(30);
/// So many kinds of refusals are told apart in one window, by accounts that exist.
const MOST_KNOWN: usize = 192;
/// The same for names that somebody may have made up.
const MOST_MADE_UP: usize = 64;
/// So many logins wait; more are counted like refusals.
const MOST_GRANTED: usize = 4096;
const MOST_METHODS: usize = 8;

/// One attempt at something that is not a change.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub actor: Actor,
    pub action: AuditAction,
    pub target: Option<Target>,
    pub outcome: Outcome,
    pub method: Option<Word>,
}

/// What is counted as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    actor: Actor,
    action: AuditAction,
    target: Option<Target>,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
struct Tally {
    times: Repeated,
    methods: Vec<Word>,
}

/// Whether a name is one that its sender can have made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Known,
    MadeUp,
}

#[derive(Debug, Default)]
pub struct Pending {
    granted: Vec<AuditEvent>,
    refused: HashMap<Kind, Tally>,
    /// How many kinds of each there are.
    known: usize,
    made_up: usize,
    /// When refusals may be stored again.
    due: Option<Instant>,
}

/// What may be stored now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Refusals only when their window is over.
    Due,
    All,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty() && self.refused.is_empty()
    }

    pub fn granted(&mut self, attempt: Attempt, now: Moment) {
        if self.granted.len() >= MOST_GRANTED {
            return self.count(attempt, Name::Known, now);
        }
        let Attempt { actor, action, target, outcome, method } = attempt;
        let methods = method.into_iter().collect();
        self.granted.push(AuditEvent { actor, action, target, outcome, changes: Vec::new(), methods, repeated: None });
    }

    /// Something that the agent itself has done.
    pub fn done(&mut self, event: AuditEvent) {
        match self.granted.len() < MOST_GRANTED {
            true => self.granted.push(event),
            false => tracing::error!(action = ?event.action, "too much waits to be recorded; this is not"),
        }
    }

    pub fn count(&mut self, attempt: Attempt, name: Name, now: Moment) {
        let Attempt { actor, action, target, outcome, method } = attempt;
        let mut kind = Kind { actor, action, target, outcome };
        if !self.refused.contains_key(&kind) {
            let (count, most) = match name {
                Name::Known => (&mut self.known, MOST_KNOWN),
                Name::MadeUp => (&mut self.made_up, MOST_MADE_UP),
            };
            if *count < most {
                *count += 1;
            } else {
                let Kind { action, outcome, .. } = kind;
                kind = Kind { actor: Actor::Many, action, target: None, outcome: without_reason(outcome) };
            }
        }
        let tally = self.refused.entry(kind);
        let tally = tally.or_insert(Tally { times: Repeated { count: 0, first: now, last: now }, methods: Vec::new() });
        tally.times = Repeated { count: tally.times.count + 1, last: now, ..tally.times };
        if let Some(method) = method.filter(|method| !tally.methods.contains(method))
            && tally.methods.len() < MOST_METHODS
        {
            tally.methods.push(method);
        }
    }

    /// What is to be stored, in the order in which it began.
    pub fn take(&mut self, take: Take, now: Instant) -> Vec<AuditEvent> {
        let mut events = std::mem::take(&mut self.granted);
        let is_due = self.due.is_none_or(|due| due <= now) || take == Take::All;
        if is_due && !self.refused.is_empty() {
            self.due = Some(now + WINDOW);
            (self.known, self.made_up) = (0, 0);
            let mut refused: Vec<(Kind, Tally)> = self.refused.drain().collect();
            refused.sort_by_key(|(_, tally)| tally.times.first);
            events.extend(refused.into_iter().map(|(kind, tally)| tally.event(kind)));
        }
        events
    }

    /// Events that could not be stored, as far as there is room.
    pub fn give_back(&mut self, events: Vec<AuditEvent>) {
        let room = MOST_GRANTED.saturating_sub(self.granted.len());
        let dropped = events.len().saturating_sub(room);
        if dropped > 0 {
            tracing::error!(dropped, "logins and refusals can not be recorded, and are too many to be kept");
        }
        self.granted.splice(0..0, events.into_iter().take(room));
    }
}

impl Tally {
    fn event(self, Kind { actor, action, target, outcome }: Kind) -> AuditEvent {
        let Tally { times, methods } = self;
        AuditEvent { actor, action, target, outcome, changes: Vec::new(), methods, repeated: Some(times) }
    }
}

/// Reasons differ without end; those of many are left out.
fn without_reason(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused(_) => Outcome::Refused("too many to be told apart".into()),
        Outcome::Done | Outcome::Granted => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const NOW: Moment = Moment { seconds: 100, nanoseconds: 0 };
    const LATER: Moment = Moment { seconds: 107, nanoseconds: 0 };
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn login(name: &str, outcome: Outcome) -> Attempt {
        let actor = Actor::Claimed { name: name.into(), source: HERE };
        Attempt { actor, action: AuditAction::Login, target: None, outcome, method: Some("password".into()) }
    }

    fn refused(name: &str) -> Attempt {
        login(name, Outcome::Refused("wrong".into()))
    }

    #[test]
    fn refusals_that_are_alike_are_one_with_a_count_and_its_times() {
        let mut pending = Pending::default();
        for now in [NOW, NOW, LATER] {
            pending.count(refused("anna"), Name::Known, now);
        }
        pending.count(refused("berta"), Name::Known, LATER);
        let events = pending.take(Take::Due, Instant::now());
        assert_eq!(events[0].repeated, Some(Repeated { count: 3, first: NOW, last: LATER }));
        assert_eq!(events[0].methods, ["password"]);
        assert_eq!((events.len(), events[1].repeated.map(|times| times.count)), (2, Some(1)));
        assert!(pending.is_empty());
    }

    #[test]
    fn the_first_refusals_are_due_at_once_and_the_next_only_after_a_window() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        pending.count(refused("anna"), Name::Known, NOW);
        assert_eq!(pending.take(Take::Due, now).len(), 1);
        pending.count(refused("anna"), Name::Known, NOW);
        pending.granted(login("anna", Outcome::Granted), NOW);
        assert_eq!(pending.take(Take::Due, now + WINDOW / 2)[0].outcome, Outcome::Granted);
        assert_eq!(pending.take(Take::Due, now + WINDOW).len(), 1);
        pending.count(refused("anna"), Name::Known, NOW);
        assert_eq!(pending.take(Take::All, now + WINDOW).len(), 1);
    }

    #[test]
    fn made_up_names_take_no_more_than_their_share_and_nobody_is_lost() {
        let mut pending = Pending::default();
        for number in 0..100_000 {
            pending.count(refused(&format!("x{number}")), Name::MadeUp, NOW);
        }
        pending.count(refused("anna"), Name::Known, NOW);
        let events = pending.take(Take::All, Instant::now());
        assert_eq!(events.len(), MOST_MADE_UP + 2);
        assert_eq!(events.iter().filter_map(|event| event.repeated).map(|times| times.count).sum::<u64>(), 100_001);
        assert!(events.iter().any(|event| event.actor.name() == Some("anna")));
    }

    #[test]
    fn logins_beyond_what_is_kept_are_counted() {
        let mut pending = Pending::default();
        for _ in 0..MOST_GRANTED + 5 {
            pending.granted(login("anna", Outcome::Granted), NOW);
        }
        let events = pending.take(Take::All, Instant::now());
        assert_eq!(events.last().unwrap().repeated.unwrap().count, 5);
        pending.give_back(events);
        assert_eq!(pending.take(Take::All, Instant::now()).len(), MOST_GRANTED);
    }
}
