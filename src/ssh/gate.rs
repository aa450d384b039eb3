//! Counts the connections that have not authenticated, in all and by source.
//!
//! From a third of the limit on, some are turned away by chance, the more the fuller it is: whoever
//! floods the gate loses most, and somebody else still gets in (`MaxStartups` of sshd_config(5)).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use accountd_protocol::metrics::TurnedAway;

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
pub struct Gate {
    most: usize,
    most_per_source: usize,
    counts: Mutex<Counts>,
}

/// One connection that has not authenticated; dropped when it has, or when it ends.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    source: IpAddr,
}

impl Gate {
    pub fn new(most: usize, most_per_source: usize) -> Self {
        Self { most, most_per_source, counts: Mutex::default() }
    }

    /// An error when there are too many already, or by chance when there are many. `chance` is from 0
    /// to 255.
    pub fn enter(self: &Arc<Self>, source: IpAddr, chance: u8) -> Result<Pass, TurnedAway> {
        let source = network(source);
        let mut counts = self.lock();
        let from_source = counts.by_source.get(&source).copied().unwrap_or_default();
        if counts.all >= self.most {
            return Err(TurnedAway::Full);
        }
        if from_source >= self.most_per_source {
            return Err(TurnedAway::SourceFull);
        }
        // Whoever is alone is never the one who floods.
        if from_source > 0 && usize::from(chance) < self.risk(counts.all) {
            return Err(TurnedAway::EarlyDrop);
        }
        counts.all += 1;
        counts.by_source.insert(source, from_source + 1);
        Ok(Pass { gate: self.clone(), source })
    }

    /// How many there are now.
    pub fn unauthenticated(&self) -> usize {
        self.lock().all
    }

    /// Of 256, how many are turned away: none below a third of the limit, all at the limit.
    fn risk(&self, all: usize) -> usize {
        let first = self.most / 3;
        all.saturating_sub(first) * 256 / (self.most - first).max(1)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.lock();
        counts.all = counts.all.saturating_sub(1);
        match counts.by_source.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

/// Whoever has one IPv6 address has a whole /64.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !0 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LUCK: u8 = 255;

    #[test]
    fn the_fuller_it_is_the_more_are_turned_away_but_nobody_who_comes_alone() {
        let gate = Arc::new(Gate::new(30, 30));
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut passes: Vec<_> = (0..10).map(|_| gate.enter(one, 0).unwrap()).collect();
        passes.push(gate.enter(one, 0).unwrap());
        assert!(gate.enter(one, 0).is_err() && gate.enter(one, 100).is_ok());
        passes.extend((0..15).map(|_| gate.enter(one, LUCK).unwrap()));
        assert_eq!(gate.enter(one, 180).unwrap_err(), TurnedAway::EarlyDrop);
        assert!(gate.enter(other, 0).is_ok());
    }

    #[test]
    fn a_source_has_its_limit_and_all_together_have_one() {
        let gate = Arc::new(Gate::new(3, 2));
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = gate.enter(one, LUCK).unwrap();
        let _second = gate.enter(one, LUCK).unwrap();
        assert_eq!(gate.enter(one, LUCK).unwrap_err(), TurnedAway::SourceFull);
        let _third = gate.enter(other, LUCK).unwrap();
        assert_eq!(gate.enter(other, LUCK).unwrap_err(), TurnedAway::Full);
        assert_eq!(gate.unauthenticated(), 3);
        drop(first);
        assert!(gate.enter(one, LUCK).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let gate = Arc::new(Gate::new(10, 1));
        let _pass = gate.enter("2001:db8::1".parse().unwrap(), LUCK).unwrap();
        assert!(gate.enter("2001:db8::ffff:2".parse().unwrap(), LUCK).is_err());
        assert!(gate.enter("2001:db8:0:1::1".parse().unwrap(), LUCK).is_ok());
        let _mapped = gate.enter("::ffff:192.0.2.1".parse().unwrap(), LUCK).unwrap();
        assert!(gate.enter("192.0.2.1".parse().unwrap(), LUCK).is_err());
    }

    #[test]
    fn nothing_is_kept_of_sources_that_have_gone() {
        let gate = Arc::new(Gate::new(10, 5));
        drop([gate.enter("192.0.2.1".parse().unwrap(), LUCK), gate.enter("192.0.2.1".parse().unwrap(), LUCK)]);
        assert!(gate.lock().by_source.is_empty());
    }
}
