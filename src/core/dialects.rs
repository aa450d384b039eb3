//! Which dialects are spoken, remembered for a moment: every request of one wants to know, and an agent that was
//! started again may have another configuration.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::dialects::Dialects;

const LIFETIME: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct KnownDialects(Mutex<Option<(Dialects, Instant)>>);

impl KnownDialects {
    pub fn at(&self, now: Instant) -> Option<Dialects> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = known.as_ref().filter(|(_, since)| now.duration_since(*since) < LIFETIME);
        current.map(|(dialects, _)| dialects.clone())
    }

    pub fn set(&self, dialects: Dialects, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((dialects, now));
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::dialects::RhodecodeWording;

    use super::*;

    #[test]
    fn what_is_known_is_asked_again_after_a_moment() {
        let (known, now) = (KnownDialects::default(), Instant::now());
        assert_eq!(known.at(now), None);
        let dialects = Dialects { alist: None, rhodecode: Some(RhodecodeWording::V1_3) };
        known.set(dialects.clone(), now);
        assert_eq!(known.at(now + Duration::from_secs(4)), Some(dialects));
        assert_eq!(known.at(now + LIFETIME), None);
    }
}
