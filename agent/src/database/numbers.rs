//! A set of uids or gids, kept as runs, so that the first number outside of it is found without
//! passing each number that is in it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Numbers that are taken. Cheap to copy as long as they lie together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The first number of each run and its last; runs neither overlap nor touch.
    runs: BTreeMap<u32, u32>,
}

impl Numbers {
    pub fn insert(&mut self, number: u32) {
        self.insert_all(number..=number);
    }

    pub fn insert_all(&mut self, range: RangeInclusive<u32>) {
        let (mut first, mut last) = range.into_inner();
        if first > last {
            return;
        }
        // Every run that overlaps the new one or touches it becomes part of it.
        let reach = last.saturating_add(1);
        while let Some((&start, &end)) = self.runs.range(..=reach).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.runs.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.runs.insert(first, last);
    }

    pub fn remove(&mut self, number: u32) {
        let Some((&first, &last)) = self.runs.range(..=number).next_back() else { return };
        if last < number {
            return;
        }
        self.runs.remove(&first);
        if first < number {
            self.runs.insert(first, number - 1);
        }
        if number < last {
            self.runs.insert(number + 1, last);
        }
    }

    pub fn has(&self, number: u32) -> bool {
        self.end_of_run(number).is_some()
    }

    /// The last number of the run that `number` is in.
    fn end_of_run(&self, number: u32) -> Option<u32> {
        self.runs.range(..=number).next_back().map(|(_, last)| *last).filter(|last| *last >= number)
    }
}

/// The first number of `range` that is in none of the sets.
pub fn first_outside(range: RangeInclusive<u32>, sets: &[&Numbers]) -> Option<u32> {
    let (mut candidate, last) = range.into_inner();
    while candidate <= last {
        match sets.iter().filter_map(|set| set.end_of_run(candidate)).max() {
            None => return Some(candidate),
            Some(end) => candidate = end.checked_add(1)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scratch::Chance;

    fn set(ranges: &[RangeInclusive<u32>]) -> Numbers {
        let mut numbers = Numbers::default();
        ranges.iter().for_each(|range| numbers.insert_all(range.clone()));
        numbers
    }

    #[test]
    fn a_range_that_ends_before_it_begins_has_no_number() {
        #[expect(clippy::reversed_empty_ranges, reason = "what accountd.toml may say")]
        let numbers = set(&[10..=5]);
        assert_eq!(numbers, Numbers::default());
    }

    #[test]
    fn runs_that_meet_become_one_and_are_split_again() {
        let mut numbers = set(&[10..=12, 14..=16, 20..=20]);
        numbers.insert(13);
        numbers.insert_all(17..=18);
        assert_eq!(numbers, set(&[10..=18, 20..=20]));
        numbers.insert_all(5..=30);
        assert_eq!(numbers, set(&[5..=30]));
        numbers.remove(7);
        numbers.remove(5);
        numbers.remove(40);
        assert_eq!(numbers, set(&[6..=6, 8..=30]));
    }

    #[test]
    fn the_ends_of_all_numbers_are_no_trap() {
        let mut numbers = set(&[0..=0, u32::MAX - 1..=u32::MAX]);
        assert_eq!(first_outside(u32::MAX - 1..=u32::MAX, &[&numbers]), None);
        assert_eq!(first_outside(0..=u32::MAX, &[&numbers]), Some(1));
        numbers.insert_all(0..=u32::MAX);
        assert_eq!(first_outside(0..=u32::MAX, &[&numbers]), None);
        numbers.remove(u32::MAX);
        numbers.remove(0);
        assert!(!numbers.has(0) && numbers.has(1) && !numbers.has(u32::MAX));
    }

    #[test]
    fn a_set_is_what_a_plain_set_of_numbers_is_whatever_happens_to_it() {
        let mut chance = Chance(0x1d5);
        for _ in 0..50 {
            let (mut numbers, mut plain) = (Numbers::default(), BTreeSet::new());
            for _ in 0..200 {
                let (first, length) = (chance.below(100), chance.below(6));
                if chance.below(3) > 0 {
                    numbers.insert_all(first..=first + length);
                    plain.extend(first..=first + length);
                } else {
                    numbers.remove(first);
                    plain.remove(&first);
                }
                assert!((0..110).all(|number| numbers.has(number) == plain.contains(&number)), "{numbers:?}");
                let free = (first..=105).find(|number| !plain.contains(number));
                assert_eq!(first_outside(first..=105, &[&numbers]), free, "{numbers:?}");
            }
        }
    }

    #[test]
    fn what_is_free_is_free_in_every_set() {
        let sets = [set(&[1..=5, 9..=9]), set(&[6..=6]), set(&[7..=8, 10..=10])];
        let sets: Vec<&Numbers> = sets.iter().collect();
        assert_eq!(first_outside(1..=100, &sets), Some(11));
        assert_eq!(first_outside(1..=10, &sets), None);
        assert_eq!(first_outside(0..=10, &sets), Some(0));
    }
}
