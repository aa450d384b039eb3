//! Passwords that were made for the items of a job: said once, to whoever has begun it and by the same
//! means, and kept for a short time only. Whoever comes too late has others made.

use std::time::{Duration, Instant};

use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::job::MadePassword;

use crate::identity::handles::Caller;

/// From the end of the job on.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub struct KeptPasswords {
    /// By which API key the job was begun; `None`: by something else.
    key: Option<ApiKeyId>,
    made: Vec<MadePassword>,
    since: Option<Instant>,
}

impl KeptPasswords {
    /// Of a job that is begun by `caller`.
    pub fn of(caller: Caller) -> Self {
        Self { key: caller.key(), made: Vec::new(), since: None }
    }

    /// Gives what everybody may see of them.
    pub fn keep(&mut self, made: Vec<MadePassword>, now: Instant) -> Vec<MadePassword> {
        let hidden = made.iter().map(|made| MadePassword { index: made.index, password: None }).collect();
        (self.made, self.since) = (made, Some(now));
        hidden
    }

    /// The account of `caller` is known to be the job's. `None` where there is nothing to be said.
    pub fn take(&mut self, caller: Caller) -> Option<Vec<MadePassword>> {
        if self.key != caller.key() || self.made.is_empty() {
            return None;
        }
        self.since = None;
        Some(std::mem::take(&mut self.made))
    }

    /// Drops them where they have waited too long; gives for how long they may wait still.
    pub fn drop_late(&mut self, now: Instant) -> Option<Duration> {
        let left = LIFETIME.saturating_sub(now.duration_since(self.since?));
        if left.is_zero() {
            *self = Self { key: self.key, made: Vec::new(), since: None };
            return None;
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::{AccountId, Uid};
    use accountd_protocol::secret::Secret;

    use super::*;
    use crate::identity::candidate::PasswordState;
    use crate::identity::handles::Way;

    fn caller(key: Option<u64>) -> Caller {
        let way = key.map_or(Way::Password, |key| Way::ApiKey(ApiKeyId(key)));
        Caller { account: AccountId(7), uid: Uid(3001), password: PasswordState::Current, source: None, way }
    }

    fn kept(key: Option<u64>, now: Instant) -> KeptPasswords {
        let mut kept = KeptPasswords::of(caller(key));
        let made = MadePassword { index: 3, password: Some(Secret::new("pw".into())) };
        let hidden = kept.keep(vec![made], now);
        assert!(hidden.len() == 1 && hidden[0].index == 3 && hidden[0].password.is_none());
        kept
    }

    #[test]
    fn they_are_said_once_and_by_the_same_means_only() {
        let mut kept = kept(Some(1), Instant::now());
        assert!(kept.take(caller(None)).is_none() && kept.take(caller(Some(2))).is_none());
        let said = kept.take(caller(Some(1))).unwrap();
        assert_eq!(said[0].password.as_ref().map(Secret::reveal), Some("pw"));
        assert!(kept.take(caller(Some(1))).is_none());
        assert_eq!(kept.drop_late(Instant::now()), None);
    }

    #[test]
    fn they_do_not_wait_for_ever() {
        let now = Instant::now();
        let mut kept = kept(None, now);
        assert_eq!(kept.drop_late(now + LIFETIME / 2), Some(LIFETIME / 2));
        assert_eq!(kept.drop_late(now + LIFETIME), None);
        assert!(kept.take(caller(None)).is_none());
    }
}
