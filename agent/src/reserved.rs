//! What requests that are under way have chosen and not yet entered: numbers and homes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Kept from other requests until the guard of each is dropped.
#[derive(Clone, Debug, Default)]
pub struct Reserved(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// uids and gids, and by how many requests each is held.
    numbers: HashMap<u32, usize>,
    homes: HashSet<String>,
}

/// A number that no request gets automatically as long as this lives.
#[derive(Debug)]
pub struct Number {
    reserved: Reserved,
    pub number: u32,
}

/// A home that no other request makes as long as this lives.
#[derive(Debug)]
pub struct Home {
    reserved: Reserved,
    path: String,
}

impl Reserved {
    /// Holds the number that `choose` finds; it is asked to pass over those that are held.
    pub fn choose(&self, choose: impl FnOnce(&dyn Fn(u32) -> bool) -> Option<u32>) -> Option<Number> {
        let mut inner = self.lock();
        let number = choose(&|number| inner.numbers.contains_key(&number))?;
        inner.numbers.insert(number, 1);
        Some(Number { reserved: self.clone(), number })
    }

    /// Holds a number that a request has asked for; others may ask for it too.
    pub fn hold(&self, number: u32) -> Number {
        *self.lock().numbers.entry(number).or_default() += 1;
        Number { reserved: self.clone(), number }
    }

    /// `None` while another request makes this home.
    pub fn home(&self, path: &str) -> Option<Home> {
        self.lock().homes.insert(path.to_owned()).then(|| Home { reserved: self.clone(), path: path.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let mut inner = self.reserved.lock();
        match inner.numbers.get_mut(&self.number) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(inner.numbers.remove(&self.number)),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.reserved.lock().homes.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_number_is_passed_over_until_everybody_has_let_go() {
        let reserved = Reserved::default();
        let first_free = |held: &dyn Fn(u32) -> bool| (3000..).find(|number| !held(*number));
        let (asked, again) = (reserved.hold(3000), reserved.hold(3000));
        let chosen = reserved.choose(first_free).unwrap();
        assert_eq!(chosen.number, 3001);
        drop(asked);
        assert_eq!(reserved.choose(first_free).unwrap().number, 3002);
        drop(again);
        assert_eq!(reserved.choose(first_free).unwrap().number, 3000);
    }

    #[test]
    fn a_home_is_made_by_one_request_at_a_time() {
        let reserved = Reserved::default();
        let held = reserved.home("/mnt/tank/a").unwrap();
        assert!(reserved.home("/mnt/tank/a").is_none() && reserved.home("/mnt/tank/b").is_some());
        drop(held);
        assert!(reserved.home("/mnt/tank/a").is_some());
    }
}
