//! Failures of one source, or of one name, and a bounded table of them.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// So many are kept apart; older ones are counted together.
const MOST_APART: usize = 64;

/// How much a failure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Password,
    /// A key that lets nobody in: clients offer all they have, and nobody guesses a key.
    Key,
}

impl Weight {
    fn points(self) -> u32 {
        match self {
            Weight::Password => FAILURE,
            Weight::Key => 1,
        }
    }
}

/// Points that are one failure.
const FAILURE: u32 = 10;

#[derive(Clone, Copy, Debug)]
struct Failure<O> {
    at: Instant,
    /// At the other end: whose name, or from where; `None`: of several.
    other: Option<O>,
    points: u32,
}

/// What counts of one source or one name.
#[derive(Debug)]
pub struct Failures<O>(VecDeque<Failure<O>>);

impl<O> Default for Failures<O> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<O: Copy + Eq> Failures<O> {
    fn add(&mut self, other: O, weight: Weight, now: Instant) {
        self.0.push_back(Failure { at: now, other: Some(other), points: weight.points() });
        if self.0.len() > MOST_APART
            && let (Some(oldest), Some(next)) = (self.0.pop_front(), self.0.front_mut())
        {
            next.points += oldest.points;
            next.other = next.other.filter(|other| Some(*other) == oldest.other);
        }
    }

    /// Drops those with this other end.
    fn forgive(&mut self, other: O) {
        self.0.retain(|failure| failure.other != Some(other));
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|failure| failure.points).sum::<u32>() / FAILURE
    }

    fn expire(&mut self, now: Instant, window: Duration) {
        while self.0.front().is_some_and(|failure| now.saturating_duration_since(failure.at) >= window) {
            self.0.pop_front();
        }
    }

    fn last(&self) -> Option<Instant> {
        self.0.back().map(|failure| failure.at)
    }
}

/// The failures of everybody of one kind.
#[derive(Debug)]
pub struct Failing<K, O> {
    of: HashMap<K, Failures<O>>,
    window: Duration,
    most: usize,
}

/// How often, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub failures: u32,
    pub last: Option<Instant>,
}

impl<K: Copy + Eq + Hash, O: Copy + Eq> Failing<K, O> {
    /// `most`: so many are kept at a time; whoever has not failed for the longest time gives way.
    pub fn new(window: Duration, most: usize) -> Self {
        Self { of: HashMap::new(), window, most: most.max(1) }
    }

    /// Adds a failure and tells how many there are now.
    pub fn add(&mut self, key: K, other: O, (weight, now): (Weight, Instant)) -> u32 {
        if self.of.len() >= self.most && !self.of.contains_key(&key) {
            self.make_room(now);
        }
        let failures = self.of.entry(key).or_default();
        failures.expire(now, self.window);
        failures.add(other, weight, now);
        failures.count()
    }

    pub fn count(&mut self, key: K, now: Instant) -> Count {
        let Some(failures) = self.of.get_mut(&key) else { return Count::default() };
        failures.expire(now, self.window);
        let count = Count { failures: failures.count(), last: failures.last() };
        if count.last.is_none() {
            self.of.remove(&key);
        }
        count
    }

    pub fn forgive(&mut self, key: K, other: O) {
        if let Some(failures) = self.of.get_mut(&key) {
            failures.forgive(other);
        }
    }

    pub fn forget(&mut self, key: K) {
        self.of.remove(&key);
    }

    /// Drops what no longer counts; where that is nothing, the quarter that is the oldest.
    fn make_room(&mut self, now: Instant) {
        let window = self.window;
        self.of.retain(|_, failures| {
            failures.expire(now, window);
            failures.last().is_some()
        });
        if self.of.len() < self.most {
            return;
        }
        let mut times: Vec<Option<Instant>> = self.of.values().map(Failures::last).collect();
        let quarter = times.len() / 4;
        let (_, limit, _) = times.select_nth_unstable(quarter);
        let limit = *limit;
        self.of.retain(|_, failures| failures.last() > limit);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.of.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_failure_counts_until_its_window_is_over_and_keys_count_a_tenth() {
        let (mut failing, now) = (Failing::new(WINDOW, 9), Instant::now());
        assert_eq!(failing.add(1, 'a', (Weight::Password, now)), 1);
        for _ in 0..9 {
            assert_eq!(failing.add(1, 'a', (Weight::Key, now + seconds(1))), 1);
        }
        assert_eq!(failing.add(1, 'a', (Weight::Key, now + seconds(1))), 2);
        let count = failing.count(1, now + WINDOW);
        assert_eq!(count, Count { failures: 1, last: Some(now + seconds(1)) });
        assert_eq!(failing.count(1, now + seconds(601)), Count::default());
        assert_eq!(failing.len(), 0);
    }

    #[test]
    fn what_is_forgiven_is_that_of_one_other_end() {
        let (mut failing, now) = (Failing::new(WINDOW, 9), Instant::now());
        for other in ['a', 'b', 'a'] {
            failing.add(1, other, (Weight::Password, now));
        }
        failing.forgive(1, 'a');
        assert_eq!(failing.count(1, now).failures, 1);
        failing.forgive(2, 'a');
        failing.forgive(1, 'b');
        assert_eq!(failing.count(1, now), Count::default());
    }

    #[test]
    fn many_failures_take_little_room_and_none_is_lost() {
        let (mut failing, now) = (Failing::new(WINDOW, 9), Instant::now());
        for other in 0..1000 {
            failing.add(1, other, (Weight::Password, now));
        }
        assert_eq!(failing.count(1, now).failures, 1000);
        assert_eq!(failing.of[&1].0.len(), MOST_APART);
        // What is counted together is nobody's to be forgiven.
        (0..1000).for_each(|other| failing.forgive(1, other));
        assert_eq!(failing.count(1, now).failures, 1000 - (MOST_APART as u32 - 1));
    }

    #[test]
    fn what_is_over_makes_room_before_anything_that_counts() {
        let (mut failing, now) = (Failing::new(WINDOW, 2), Instant::now());
        failing.add(1, 'a', (Weight::Password, now));
        failing.add(2, 'a', (Weight::Password, now + seconds(300)));
        let later = now + seconds(600);
        failing.add(3, 'a', (Weight::Password, later));
        assert_eq!([1, 2, 3].map(|key| failing.count(key, later).failures), [0, 1, 1]);
    }

    #[test]
    fn the_table_never_grows_beyond_its_bound() {
        let (mut failing, now) = (Failing::new(WINDOW, 100), Instant::now());
        for key in 0..1000_u64 {
            failing.add(key, 'a', (Weight::Password, now + Duration::from_millis(key)));
            assert!(failing.len() <= 100);
        }
        let later = now + seconds(1);
        assert_eq!(failing.count(999, later).failures, 1, "the newest is there");
        assert_eq!(failing.count(0, later).failures, 0);
        // All of the same moment.
        let mut failing = Failing::new(WINDOW, 100);
        for key in 0..1000_u64 {
            failing.add(key, 'a', (Weight::Password, now));
        }
        assert!(failing.len() <= 100);
    }
}
