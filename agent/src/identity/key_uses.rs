//! When API keys were used: noted at most once an hour for each, so that requests do not become
//! writes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use accountd_protocol::api_key::ApiKeyId;

/// In seconds.
const HOUR: u64 = 3600;

#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<ApiKeyId, u64>>);

/// Whether a use is to be stored.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    Now,
    /// Less than an hour ago.
    Before,
}

impl KeyUses {
    pub fn new(stored: HashMap<ApiKeyId, u64>) -> Self {
        Self(Mutex::new(stored))
    }

    pub fn note(&self, key: ApiKeyId, now: u64) -> Noted {
        let mut uses = self.lock();
        // A clock that was set back is believed.
        if uses.get(&key).is_some_and(|last| (*last..last.saturating_add(HOUR)).contains(&now)) {
            return Noted::Before;
        }
        uses.insert(key, now);
        Noted::Now
    }

    pub fn last(&self, key: ApiKeyId) -> Option<u64> {
        self.lock().get(&key).copied()
    }

    pub fn forget(&self, key: ApiKeyId) {
        self.lock().remove(&key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApiKeyId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_noted_once_an_hour() {
        let (uses, key, other) = (KeyUses::default(), ApiKeyId(1), ApiKeyId(2));
        assert_eq!(uses.last(key), None);
        let rows = [(1000, Noted::Now), (1001, Noted::Before), (4599, Noted::Before), (4600, Noted::Now)];
        for (now, noted) in rows {
            assert_eq!(uses.note(key, now), noted, "{now}");
        }
        assert_eq!((uses.last(key), uses.note(other, 4601)), (Some(4600), Noted::Now));
        assert_eq!(uses.note(key, 10), Noted::Now, "the clock was set back");
        uses.forget(key);
        assert_eq!(uses.last(key), None);
    }
}
