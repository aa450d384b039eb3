//! Bounds how many threads read key files: a home on a file system that hangs must not take them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use accountd_protocol::id::Uid;

const MOST: usize = 64;
const MOST_OF_ONE: usize = 4;

/// Who is being read for, and how often.
#[derive(Debug, Default)]
pub struct KeyReaders(Arc<Mutex<HashMap<Uid, usize>>>);

/// A reader's place, given back when dropped.
#[derive(Debug)]
pub struct Place {
    readers: Arc<Mutex<HashMap<Uid, usize>>>,
    uid: Uid,
}

impl KeyReaders {
    /// `None` when too many are reading already, for this user or in all.
    pub fn enter(&self, uid: Uid) -> Option<Place> {
        let mut readers = lock(&self.0);
        let own = readers.get(&uid).copied().unwrap_or_default();
        if own >= MOST_OF_ONE || readers.values().sum::<usize>() >= MOST {
            return None;
        }
        readers.insert(uid, own + 1);
        Some(Place { readers: self.0.clone(), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut readers = lock(&self.readers);
        match readers.get_mut(&self.uid) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(readers.remove(&self.uid)),
        }
    }
}

fn lock(readers: &Mutex<HashMap<Uid, usize>>) -> MutexGuard<'_, HashMap<Uid, usize>> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_has_few_places_and_there_are_so_many_in_all() {
        let readers = KeyReaders::default();
        let mut own: Vec<_> = (0..MOST_OF_ONE).map(|_| readers.enter(Uid(1)).unwrap()).collect();
        assert!(readers.enter(Uid(1)).is_none());
        let others: Vec<_> = (2..).map_while(|uid| readers.enter(Uid(uid))).take(MOST).collect();
        assert_eq!(others.len(), MOST - MOST_OF_ONE);
        own.pop();
        assert!(readers.enter(Uid(1)).is_some());
    }
}
