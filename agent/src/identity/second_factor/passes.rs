//! Codes that were right beside a password that was too old: whoever has shown one may change that password with
//! it, and nothing else. In memory alone, for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::id::AccountId;
use accountd_protocol::secret::Secret;
use sha2::{Digest as _, Sha256};

/// Longer than a client may take to log in.
const LIFETIME: Duration = Duration::from_secs(600);
/// The most at a time; the oldest gives way.
const MOST: usize = 4096;

/// Who has shown which code, and of which enrolment.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub account: AccountId,
    pub enrolment: u64,
    pub source: IpAddr,
    pub code: &'a Secret,
}

#[derive(Debug, Default)]
pub struct Passes(Mutex<HashMap<[u8; 32], Instant>>);

impl Passes {
    pub fn give(&self, shown: Shown<'_>, now: Instant) {
        let mut all = self.lock();
        all.retain(|_, at| now.saturating_duration_since(*at) < LIFETIME);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| *digest);
            oldest.and_then(|digest| all.remove(&digest));
        }
        all.insert(digest(shown), now);
    }

    pub fn has(&self, shown: Shown<'_>, now: Instant) -> bool {
        self.lock().get(&digest(shown)).is_some_and(|at| now.saturating_duration_since(*at) < LIFETIME)
    }

    /// It has been used for what it is good for.
    pub fn take(&self, shown: Shown<'_>) {
        self.lock().remove(&digest(shown));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only the code has no fixed length, and it is last.
fn digest(Shown { account, enrolment, source, code }: Shown<'_>) -> [u8; 32] {
    let source = match source.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let hash = Sha256::new().chain_update(account.0.to_be_bytes()).chain_update(enrolment.to_be_bytes());
    hash.chain_update(source).chain_update(code.reveal()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_its_account_sources_and_codes_and_is_taken_once() {
        let (passes, now, code) = (Passes::default(), Instant::now(), Secret::new("123456".into()));
        let (account, source) = (AccountId(7), "192.0.2.1".parse().unwrap());
        let shown = Shown { account, enrolment: 1, source, code: &code };
        passes.give(shown, now);
        assert!(passes.has(shown, now) && !passes.has(shown, now + LIFETIME));
        let other = Secret::new("123457".into());
        for wrong in [
            Shown { account: AccountId(8), ..shown },
            Shown { enrolment: 2, ..shown },
            Shown { source: "192.0.2.2".parse().unwrap(), ..shown },
            Shown { code: &other, ..shown },
        ] {
            assert!(!passes.has(wrong, now), "{wrong:?}");
        }
        passes.take(shown);
        assert!(!passes.has(shown, now));
    }

    #[test]
    fn the_oldest_of_too_many_gives_way() {
        let (passes, begun, code) = (Passes::default(), Instant::now(), Secret::new("123456".into()));
        let source = "2001:db8::1".parse().unwrap();
        let shown = |account: usize| Shown { account: AccountId(account as u64), enrolment: 1, source, code: &code };
        (0..=MOST).for_each(|number| passes.give(shown(number), begun + Duration::from_millis(number as u64)));
        let now = begun + Duration::from_secs(10);
        assert!(!passes.has(shown(0), now));
        assert!([1, 2, MOST].iter().all(|number| passes.has(shown(*number), now)));
        let other = Shown { source: "2001:db8::2".parse().unwrap(), ..shown(1) };
        assert!(!passes.has(other, now));
    }
}
