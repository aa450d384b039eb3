//! The bans that there are now, and what is to be recorded of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use accountd_protocol::ban::BanId;
use accountd_protocol::id::AccountId;
use accountd_protocol::metrics::{BanObject, Numbers, Tally};

use super::source::Source;

/// So many at a time; the one that ends first gives way.
const MOST: usize = 4096;
/// So many wait to be recorded.
const MOST_EVENTS: usize = 4096;

/// What a ban is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    Source(Source),
    Account(AccountId),
    /// A name of no account, by its digest; never shown.
    Nobody(u64),
}

/// One ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: BanId,
    pub object: Object,
    pub since: Instant,
    pub until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanEvent {
    pub kind: EventKind,
    pub ban: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Began,
    Ended,
}

#[derive(Debug, Default)]
pub struct Active {
    bans: HashMap<Object, Standing>,
    events: Vec<BanEvent>,
    last: u64,
    begun: Tally<BanObject>,
}

impl Active {
    /// One that there is goes on as it is.
    pub fn begin(&mut self, object: Object, now: Instant, lifetime: Duration) {
        self.expire(now);
        if self.bans.contains_key(&object) {
            return;
        }
        if self.bans.len() >= MOST {
            let first = self.bans.values().min_by_key(|ban| ban.until).map(|ban| ban.object);
            first.and_then(|object| self.end(object));
        }
        self.last += 1;
        let ban = Standing { id: BanId(self.last), object, since: now, until: now + lifetime };
        self.bans.insert(object, ban);
        self.begun.one(kind(object));
        self.note(EventKind::Began, ban);
    }

    /// Until when a ban of this lasts.
    pub fn until(&self, object: Object, now: Instant) -> Option<Instant> {
        self.bans.get(&object).map(|ban| ban.until).filter(|until| *until > now)
    }

    /// Drops those that are over.
    pub fn expire(&mut self, now: Instant) {
        let over: Vec<Object> = self.bans.values().filter(|ban| ban.until <= now).map(|ban| ban.object).collect();
        for object in over {
            self.end(object);
        }
    }

    /// By id. Names of no account are nobody's to see.
    pub fn list(&self) -> Vec<Standing> {
        let mut bans: Vec<Standing> = self.bans.values().filter(|ban| is_shown(ban.object)).copied().collect();
        bans.sort_by_key(|ban| ban.id);
        bans
    }

    /// Whoever lifts it records that.
    pub fn lift(&mut self, id: BanId) -> Option<Standing> {
        let object = self.list().into_iter().find(|ban| ban.id == id)?.object;
        self.bans.remove(&object)
    }

    /// Those that have begun so far, and those of now.
    pub fn numbers(&self) -> (Numbers<BanObject>, Numbers<BanObject>) {
        let now = Tally::default();
        self.bans.keys().for_each(|object| now.one(kind(*object)));
        (self.begun.numbers(), now.numbers())
    }

    pub fn next_end(&self) -> Option<Instant> {
        self.bans.values().map(|ban| ban.until).min()
    }

    pub fn take_events(&mut self) -> Vec<BanEvent> {
        std::mem::take(&mut self.events)
    }

    fn end(&mut self, object: Object) -> Option<Standing> {
        let ban = self.bans.remove(&object)?;
        self.note(EventKind::Ended, ban);
        Some(ban)
    }

    fn note(&mut self, kind: EventKind, ban: Standing) {
        if is_shown(ban.object) && self.events.len() < MOST_EVENTS {
            self.events.push(BanEvent { kind, ban });
        }
    }
}

fn kind(object: Object) -> BanObject {
    match object {
        Object::Source(_) => BanObject::Source,
        Object::Account(_) => BanObject::Account,
        Object::Nobody(_) => BanObject::UnknownName,
    }
}

fn is_shown(object: Object) -> bool {
    match object {
        Object::Source(_) | Object::Account(_) => true,
        Object::Nobody(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_bans_the_one_that_ends_first_gives_way() {
        let (mut active, now) = (Active::default(), Instant::now());
        let object = |number: usize| Object::Account(AccountId(number as u64));
        for number in 0..=MOST {
            active.begin(object(number), now, Duration::from_secs(600 + number as u64));
        }
        assert_eq!(active.list().len(), MOST);
        assert_eq!(active.until(object(0), now), None);
        assert!((1..=MOST).all(|number| active.until(object(number), now).is_some()));
    }
}
