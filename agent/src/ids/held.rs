//! Numbers that requests under way have chosen or named and not yet entered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::database::Numbers;

/// uids and gids alike, so that a user and its private group can have the same number.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// By how many requests each is held.
    counts: HashMap<u32, usize>,
    numbers: Numbers,
}

/// A number that no request gets automatically as long as this lives.
#[derive(Debug)]
pub struct Number {
    held: Held,
    pub number: u32,
}

impl Held {
    /// Holds the number that `choose` finds outside of those that are held. Nothing is let go
    /// while it looks.
    pub fn choose(&self, choose: impl FnOnce(&Numbers) -> Option<u32>) -> Option<Number> {
        let mut inner = self.lock();
        let number = choose(&inner.numbers)?;
        inner.hold(number);
        Some(Number { held: self.clone(), number })
    }

    /// Holds a number that a request names; others may name it too.
    pub fn hold(&self, number: u32) -> Number {
        self.lock().hold(number);
        Number { held: self.clone(), number }
    }

    /// Whether more than one request under way has this number.
    pub fn is_contended(&self, number: u32) -> bool {
        self.lock().counts.get(&number).is_some_and(|count| *count > 1)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn hold(&mut self, number: u32) {
        *self.counts.entry(number).or_default() += 1;
        self.numbers.insert(number);
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let mut inner = self.held.lock();
        match inner.counts.get_mut(&self.number) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                inner.counts.remove(&self.number);
                inner.numbers.remove(self.number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::first_outside;

    #[test]
    fn a_held_number_is_passed_over_until_everybody_has_let_go() {
        let held = Held::default();
        let first_free = |held: &Numbers| first_outside(3000..=3999, &[held]);
        let (asked, again) = (held.hold(3000), held.hold(3000));
        let chosen = held.choose(first_free).unwrap();
        assert_eq!(chosen.number, 3001);
        drop(asked);
        assert_eq!(held.choose(first_free).unwrap().number, 3002);
        drop(again);
        assert_eq!(held.choose(first_free).unwrap().number, 3000);
    }
}
