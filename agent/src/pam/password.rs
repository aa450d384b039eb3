//! What follows a password that another program has written into shadow(5): Samba's hash, the one of AList's clients, the
//! last passwords. The program hands it over in clear; it is believed where crypt(5) says that it is the one there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::audit::Actor;
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::pam_module::PamAnswer;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;

use super::Asked;
use crate::accounts::Followed;
use crate::agent::Agent;
use crate::database::FileKind;
use crate::database::entry::shadow;
use crate::identity::bans::Weight;

/// So long somebody may think about a new password.
const PATIENCE: Duration = Duration::from_secs(600);
const MOST: usize = 1024;

/// The hashes of before, of passwords that are being changed: in shadow(5) they have gone by the time that the new one
/// is handed over.
#[derive(Debug, Default)]
pub struct Begun(Mutex<HashMap<AccountId, (String, Instant)>>);

impl Begun {
    fn note(&self, account: AccountId, hash: String, now: Instant) {
        let mut begun = self.lock();
        begun.retain(|_, (_, at)| now.saturating_duration_since(*at) < PATIENCE);
        if begun.len() < MOST {
            begun.insert(account, (hash, now));
        }
    }

    fn take(&self, account: AccountId, now: Instant) -> Option<String> {
        let (hash, at) = self.lock().remove(&account)?;
        (now.saturating_duration_since(at) < PATIENCE).then_some(hash)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, (String, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    pub(super) fn pam_begin_password(&self, asked: &Asked<'_>) -> PamAnswer {
        let view = self.database.known_view();
        let entry = view.entry(FileKind::Shadow, asked.user());
        if let Some(entry) = entry {
            self.begun_passwords.note(asked.account, entry.text(shadow::PASSWORD), Instant::now());
        }
        PamAnswer::Done
    }

    /// Whoever is not root could try passwords here, and is held up like anywhere else.
    pub(super) fn pam_follow_password(&self, asked: &Asked<'_>, password: &Secret) -> Result<PamAnswer, Refusal> {
        let attempt = self.attempt(asked.user(), asked.source);
        if asked.peer.uid != Uid::ROOT
            && let Err(held) = self.bans.check_delay(attempt, Instant::now())
        {
            return Ok(PamAnswer::TooOften { seconds: held.rest.as_secs() + 1 });
        }
        let before = self.begun_passwords.take(asked.account, Instant::now());
        let (account, name, source) = (asked.account, asked.user().to_owned(), asked.address());
        let by = Actor::Caller { account, name, source, key: None };
        match self.follow_password(&by, asked.account, password, before)? {
            Followed::Yes => Ok(PamAnswer::Done),
            Followed::No => {
                if asked.peer.uid != Uid::ROOT {
                    self.bans.failed(attempt, Weight::Password, Instant::now());
                }
                Ok(PamAnswer::AnotherPassword)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_is_given_once_and_not_for_long() {
        let (begun, now) = (Begun::default(), Instant::now());
        begun.note(AccountId(1), "one".into(), now);
        assert_eq!(begun.take(AccountId(1), now), Some("one".into()));
        assert_eq!(begun.take(AccountId(1), now), None);
        begun.note(AccountId(1), "one".into(), now);
        assert_eq!(begun.take(AccountId(1), now + PATIENCE), None);
        (0..2000).for_each(|id| begun.note(AccountId(id), "x".into(), now));
        assert_eq!(begun.lock().len(), MOST);
        begun.note(AccountId(5000), "x".into(), now + PATIENCE);
        assert_eq!(begun.lock().len(), 1);
    }
}
