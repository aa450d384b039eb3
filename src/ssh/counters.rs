//! What the front counts: numbers that are added to where something happens, without a lock.

use std::sync::Arc;

use accountd_protocol::metrics::{CutOff, Direction, SshMethod, SshNumbers, SshResult, Tally, TurnedAway};

#[derive(Debug, Default)]
pub struct Counters {
    pub accepted: Tally<()>,
    pub turned_away: Tally<TurnedAway>,
    pub cut_off: Tally<CutOff>,
    open: Tally<()>,
    pub authentications: Tally<(SshMethod, SshResult)>,
    pub bytes: Tally<Direction>,
}

/// A connection that is open; counted as that until it is dropped.
#[derive(Debug)]
pub struct Open(Arc<Counters>);

impl Open {
    pub fn new(counters: Arc<Counters>) -> Self {
        counters.accepted.one(());
        counters.open.one(());
        Self(counters)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.less(());
    }
}

impl Counters {
    /// All numbers of now; how many have not authenticated is known at the gate.
    pub fn numbers(&self, unauthenticated: usize) -> SshNumbers {
        SshNumbers {
            accepted: self.accepted.numbers(),
            turned_away: self.turned_away.numbers(),
            cut_off: self.cut_off.numbers(),
            open: self.open.numbers(),
            unauthenticated: (unauthenticated as u64).into(),
            authentications: self.authentications.numbers(),
            bytes: self.bytes.numbers(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_open_until_it_is_dropped_and_stays_accepted() {
        let counters = Arc::new(Counters::default());
        let open = Open::new(counters.clone());
        drop(Open::new(counters.clone()));
        let numbers = counters.numbers(1);
        assert_eq!((numbers.accepted, numbers.open), (2.into(), 1.into()));
        drop(open);
        assert_eq!(counters.numbers(0).open, 0.into());
    }
}
