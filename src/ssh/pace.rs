//! How fast an account may send and receive, all of its sessions together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use accountd_protocol::id::AccountId;
use accountd_protocol::login::Admitted;
use tokio::time::{Instant, sleep_until};

/// For so long nothing may have been sent, and it still counts for what is sent then.
const BURST: Duration = Duration::from_millis(100);
/// A sleep of fewer than these is not worth its wakeup.
const LEAST_SLEEP: Duration = Duration::from_millis(2);

/// Of every account that is limited and here.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<AccountId, Weak<Both>>>);

/// Both ways of one account; none is limited without a rate.
#[derive(Debug, Default)]
pub struct Both {
    pub upload: Pace,
    pub download: Pace,
}

/// One way: the moment at which everything that has passed would have been sent at its rate.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Option<Rate>>);

#[derive(Debug)]
struct Rate {
    bytes_per_second: u64,
    even: Instant,
}

impl Paces {
    /// What the connections of an account share, with the rates that it has now.
    pub fn of(&self, admitted: &Admitted) -> Arc<Both> {
        if admitted.upload.is_none() && admitted.download.is_none() {
            return Arc::default();
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, known| known.strong_count() > 0);
        let known = all.get(&admitted.account).and_then(Weak::upgrade);
        let both = known.unwrap_or_default();
        both.upload.set(admitted.upload);
        both.download.set(admitted.download);
        all.insert(admitted.account, Arc::downgrade(&both));
        both
    }
}

impl Pace {
    /// In KB/s, where 1 KB is 1000 bytes.
    fn set(&self, rate: Option<u32>) {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let even = present.as_ref().map_or_else(Instant::now, |rate| rate.even);
        *present = rate.map(|rate| Rate { bytes_per_second: u64::from(rate) * 1000, even });
    }

    /// Returns when so many bytes more may have passed.
    pub async fn pass(&self, bytes: usize) {
        if let Some(until) = self.book(bytes, Instant::now()) {
            sleep_until(until).await;
        }
    }

    fn book(&self, bytes: usize, now: Instant) -> Option<Instant> {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = present.as_mut()?;
        let from = rate.even.max(now.checked_sub(BURST).unwrap_or(now));
        rate.even = from + Duration::from_secs_f64(bytes as f64 / rate.bytes_per_second as f64);
        (rate.even > now + LEAST_SLEEP).then_some(rate.even)
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::session_policy::TerminalUse;

    use super::*;

    fn admitted(account: u64, upload: Option<u32>) -> Admitted {
        Admitted { account: AccountId(account), terminal: TerminalUse::Allowed, idle: None, upload, download: None }
    }

    /// Seconds until everything of so many pieces may have passed, each sent when the one before has.
    fn seconds(pieces: &[(&Pace, usize)]) -> f64 {
        let begun = Instant::now();
        let end = pieces.iter().fold(begun, |now, (pace, bytes)| pace.book(*bytes, now).unwrap_or(now));
        (end - begun).as_secs_f64()
    }

    #[test]
    fn two_sessions_of_an_account_have_one_rate_between_them() {
        let paces = Paces::default();
        let (one, two) = (paces.of(&admitted(1, Some(100))), paces.of(&admitted(1, Some(100))));
        let pieces: Vec<(&Pace, usize)> =
            (0..10).flat_map(|_| [(&one.upload, 50_000), (&two.upload, 50_000), (&two.download, 1 << 30)]).collect();
        // A million bytes at 100,000 a second, but for the burst.
        assert!((9.8..=10.05).contains(&seconds(&pieces)), "{}", seconds(&pieces));
        let other = paces.of(&admitted(2, Some(100)));
        assert!(seconds(&[(&other.upload, 1_000)]) < 0.02);
    }

    #[test]
    fn a_pause_earns_no_more_than_a_burst() {
        let pace = Pace::default();
        pace.set(Some(100));
        let begun = Instant::now();
        pace.book(1000, begun);
        let later = begun + Duration::from_secs(60);
        let end = pace.book(100_000, later).unwrap();
        assert_eq!(end - later, Duration::from_secs(1) - BURST);
    }
}
