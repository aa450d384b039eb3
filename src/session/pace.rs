//! How fast a transfer may go, where each transfer of an account has a rate for itself.

use std::time::{Duration, Instant};

use crate::transfer::Direction;

/// A pause earns no more than this.
const CREDIT: Duration = Duration::from_millis(100);
/// What goes at a time, where the size of a piece is ours to choose.
const PIECE: Duration = Duration::from_millis(50);
const SMALLEST_PIECE: u64 = 1024;

/// KB/s of one transfer, where 1 KB is 1000 bytes; `None`: as fast as it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub upload: Option<u32>,
    pub download: Option<u32>,
}

/// The pace of one direction of one transfer.
#[derive(Debug)]
pub struct Pace {
    /// At least one.
    bytes_per_second: u64,
    /// When everything that has gone would have gone at the rate.
    even: Instant,
}

impl Rates {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    pub fn pace(self, direction: Direction, now: Instant) -> Option<Pace> {
        let rate = match direction {
            Direction::Read => self.download,
            Direction::Write => self.upload,
        };
        rate.map(|rate| Pace { bytes_per_second: (u64::from(rate) * 1000).max(1), even: now })
    }
}

impl Pace {
    /// How long the next piece has to wait.
    pub fn due(&self, now: Instant) -> Duration {
        self.even.saturating_duration_since(now)
    }

    pub fn spend(&mut self, bytes: u64, now: Instant) {
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        self.even = self.even.max(earliest) + self.time_of(bytes);
    }

    /// How many bytes are a good piece.
    pub fn piece(&self) -> usize {
        let milliseconds = u64::try_from(PIECE.as_millis()).unwrap_or(u64::MAX);
        usize::try_from((self.bytes_per_second / 1000 * milliseconds).max(SMALLEST_PIECE)).unwrap_or(usize::MAX)
    }

    fn time_of(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        // A piece is in memory, so that this is no more than some months.
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX / 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { upload: Some(100), download: None };

    #[test]
    fn what_has_gone_takes_its_time_and_the_other_direction_does_not() {
        let begin = Instant::now();
        assert!(RATES.pace(Direction::Read, begin).is_none());
        let mut pace = RATES.pace(Direction::Write, begin).unwrap();
        let mut now = begin;
        for _ in 0..100 {
            now += pace.due(now);
            pace.spend(10_000, now);
        }
        now += pace.due(now);
        assert_eq!(now - begin, Duration::from_secs(10));
    }

    #[test]
    fn a_pause_earns_a_tenth_of_a_second_and_no_more() {
        let begin = Instant::now();
        let mut pace = RATES.pace(Direction::Write, begin).unwrap();
        let later = begin + Duration::from_secs(60);
        pace.spend(100_000, later);
        assert_eq!(pace.due(later), Duration::from_millis(900));
        let shortly_after = later + Duration::from_millis(950);
        pace.spend(100_000, shortly_after);
        assert_eq!(pace.due(shortly_after), Duration::from_millis(950), "50 ms were waited for nothing");
    }
}
