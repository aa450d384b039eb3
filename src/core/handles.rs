//! Which handle stands for which credential, for a short time: a client that sends its password
//! with every request does not pay for a password hash each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::Handle;
use tokio::sync::OnceCell;

use crate::credential::Digest;

/// How long a credential is taken for shown; less than the agent keeps a handle.
const LIFETIME: Duration = Duration::from_secs(60);
/// The most credentials that are remembered; the oldest gives way.
const MOST: usize = 1024;

/// A handle, and the name of whom it stands for: the one that was shown, or that the agent says.
#[derive(Clone, Debug)]
pub struct Opened {
    pub handle: Handle,
    pub name: String,
}

/// A place for one handle. Empty until the agent has given it; requests with the same credential
/// wait for the first of them instead of asking too.
#[derive(Debug)]
pub struct Slot {
    pub opened: OnceCell<Opened>,
    since: Instant,
}

#[derive(Debug, Default)]
pub struct Handles {
    slots: Mutex<HashMap<Digest, Arc<Slot>>>,
}

impl Handles {
    /// The slot of a credential: the one in use, or a fresh one.
    pub fn slot(&self, digest: &Digest, now: Instant) -> Arc<Slot> {
        let mut slots = self.lock();
        slots.retain(|_, slot| now.duration_since(slot.since) < LIFETIME);
        if let Some(slot) = slots.get(digest) {
            return slot.clone();
        }
        if slots.len() >= MOST {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.since).map(|(digest, _)| *digest);
            oldest.and_then(|digest| slots.remove(&digest));
        }
        let slot = Arc::new(Slot { opened: OnceCell::new(), since: now });
        slots.insert(*digest, slot.clone());
        slot
    }

    /// Drops this slot of a credential, and no newer one.
    pub fn forget(&self, digest: &Digest, slot: &Arc<Slot>) {
        let mut slots = self.lock();
        if slots.get(digest).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            slots.remove(digest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_kept_for_its_lifetime_and_then_made_anew() {
        let (handles, now) = (Handles::default(), Instant::now());
        let slot = handles.slot(&[1; 32], now);
        assert!(Arc::ptr_eq(&slot, &handles.slot(&[1; 32], now + LIFETIME - Duration::from_millis(1))));
        assert!(!Arc::ptr_eq(&slot, &handles.slot(&[2; 32], now)));
        assert!(!Arc::ptr_eq(&slot, &handles.slot(&[1; 32], now + LIFETIME)));
    }

    #[test]
    fn an_old_slot_does_not_take_a_newer_one_with_it() {
        let (handles, now) = (Handles::default(), Instant::now());
        let old = handles.slot(&[1; 32], now);
        handles.forget(&[1; 32], &old);
        let new = handles.slot(&[1; 32], now);
        handles.forget(&[1; 32], &old);
        assert!(Arc::ptr_eq(&new, &handles.slot(&[1; 32], now)));
    }

    #[test]
    fn no_more_are_kept_than_so_many() {
        let (handles, now) = (Handles::default(), Instant::now());
        for number in 0..(MOST as u32 + 10) {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            handles.slot(&digest, now + Duration::from_micros(u64::from(number)));
        }
        assert_eq!(handles.lock().len(), MOST);
    }
}
