//! Homes that requests under way are making.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Kept from other requests until the guard of each is dropped.
#[derive(Clone, Debug, Default)]
pub struct Reserved(Arc<Mutex<HashSet<String>>>);

/// A home that no other request makes as long as this lives.
#[derive(Debug)]
pub struct Home {
    reserved: Reserved,
    path: String,
}

impl Reserved {
    /// `None` while another request makes this home.
    pub fn home(&self, path: &str) -> Option<Home> {
        self.lock().insert(path.to_owned()).then(|| Home { reserved: self.clone(), path: path.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.reserved.lock().remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_made_by_one_request_at_a_time() {
        let reserved = Reserved::default();
        let held = reserved.home("/mnt/tank/a").unwrap();
        assert!(reserved.home("/mnt/tank/a").is_none() && reserved.home("/mnt/tank/b").is_some());
        drop(held);
        assert!(reserved.home("/mnt/tank/a").is_some());
    }
}
