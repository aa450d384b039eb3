//! How much the peers of the agent's socket may have at a time.
//!
//! Each kind of peer has places of its own: a REST front that was taken over keeps neither `accountd-login`
//! nor root's commands out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::identity::permission::PeerRole;

/// The most connections of one kind: the fronts and login keep a few each.
const MOST_CONNECTIONS: usize = 256;
/// The longest request of a front that is read beside any number of others.
const LARGE: usize = 256 * 1024;
/// The most longer ones that are held at a time.
const MOST_LARGE: usize = 4;

#[derive(Debug, Default)]
pub struct Places {
    root: Arc<AtomicUsize>,
    front: Arc<AtomicUsize>,
    large: Large,
}

impl Places {
    /// A place for one more connection, if there is one.
    pub fn take(&self, role: PeerRole) -> Option<Place> {
        let taken = match role {
            PeerRole::Root => &self.root,
            PeerRole::Api => &self.front,
            PeerRole::Stranger => return None,
        };
        let place = Place(taken.clone());
        (taken.fetch_add(1, Ordering::Relaxed) < MOST_CONNECTIONS).then_some(place)
    }

    /// Waits until a request of this length may be read; it is held for as long as the answer of this is.
    pub fn room(&self, role: PeerRole, length: usize) -> Option<Room<'_>> {
        (role == PeerRole::Api && length > LARGE).then(|| self.large.take())
    }
}

/// Of one connection; given back when dropped, after a panic too.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Large {
    held: Mutex<usize>,
    changed: Condvar,
}

impl Large {
    fn take(&self) -> Room<'_> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |held: &mut usize| *held >= MOST_LARGE;
        *self.changed.wait_while(held, is_full).unwrap_or_else(PoisonError::into_inner) += 1;
        Room(self)
    }
}

/// Of one large request.
#[derive(Debug)]
pub struct Room<'a>(&'a Large);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_that_has_taken_all_its_places_has_taken_none_of_roots() {
        let places = Places::default();
        let mut held: Vec<Place> = (0..MOST_CONNECTIONS).filter_map(|_| places.take(PeerRole::Api)).collect();
        assert_eq!(held.len(), MOST_CONNECTIONS);
        assert!(places.take(PeerRole::Api).is_none() && places.take(PeerRole::Stranger).is_none());
        assert!(places.take(PeerRole::Root).is_some());
        held.pop();
        assert!(places.take(PeerRole::Api).is_some());
    }

    #[test]
    fn small_requests_and_those_of_root_need_no_room() {
        let places = Places::default();
        let held: Vec<Room<'_>> = (0..MOST_LARGE).filter_map(|_| places.room(PeerRole::Api, LARGE + 1)).collect();
        assert_eq!(held.len(), MOST_LARGE);
        assert!(places.room(PeerRole::Api, LARGE).is_none() && places.room(PeerRole::Root, LARGE + 1).is_none());
    }
}
