//! Handles: what a caller who has shown a credential is known by for a short time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::Handle;
use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::secret::Secret;

use super::candidate::PasswordState;
use crate::hexadecimal::hexadecimal;

/// How long a handle is good without its credential being shown again.
const LIFETIME: Duration = Duration::from_secs(120);
/// The most handles at a time; the oldest gives way.
const MOST: usize = 4096;

/// Whom a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: AccountId,
    pub uid: Uid,
    pub password: PasswordState,
    /// Where the credential was shown; `None` on this machine.
    pub source: Option<IpAddr>,
    pub way: Way,
}

/// What a caller has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing: it is root on this machine.
    Local,
    /// A password, of an account without a second factor.
    Password,
    /// A password or its static hash, and a code.
    PasswordAndCode,
    ApiKey(ApiKeyId),
    Token(TokenDigest),
    /// Nothing, from anywhere.
    Guest,
}

/// The SHA-256 of a login token.
pub type TokenDigest = [u8; 32];

impl Caller {
    /// The API key that was shown, if one was.
    pub fn key(&self) -> Option<ApiKeyId> {
        match self.way {
            Way::ApiKey(key) => Some(key),
            Way::Local | Way::Password | Way::PasswordAndCode | Way::Token(_) | Way::Guest => None,
        }
    }
}

#[derive(Debug)]
struct Entry {
    caller: Caller,
    expires: Instant,
}

/// All handles that are good now.
#[derive(Debug, Default)]
pub struct Handles {
    entries: Mutex<HashMap<String, Entry>>,
}

impl Handles {
    pub fn open(&self, caller: Caller, now: Instant) -> Result<Handle, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        let text = hexadecimal(&bytes);
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.expires > now);
        if entries.len() >= MOST {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.expires).map(|(text, _)| text.clone());
            oldest.and_then(|text| entries.remove(&text));
        }
        entries.insert(text.clone(), Entry { caller, expires: now + LIFETIME });
        Ok(Secret::new(text))
    }

    pub fn caller(&self, handle: &Handle, now: Instant) -> Option<Caller> {
        self.lock().get(handle.reveal()).filter(|entry| entry.expires > now).map(|entry| entry.caller)
    }

    /// Makes one handle void.
    pub fn close(&self, handle: &Handle) {
        self.lock().remove(handle.reveal());
    }

    /// Makes every handle of an account void: the account has changed.
    pub fn forget(&self, account: AccountId) {
        self.lock().retain(|_, entry| entry.caller.account != account);
    }

    /// The same for those that an API key has opened: it is revoked.
    pub fn forget_key(&self, key: ApiKeyId) {
        self.lock().retain(|_, entry| entry.caller.way != Way::ApiKey(key));
    }

    /// The same for a login token.
    pub fn forget_token(&self, token: &TokenDigest) {
        self.lock().retain(|_, entry| entry.caller.way != Way::Token(*token));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Caller = Caller {
        account: AccountId(1),
        uid: Uid::ROOT,
        password: PasswordState::Current,
        source: None,
        way: Way::Local,
    };

    #[test]
    fn a_handle_is_good_until_it_expires_or_its_account_changes() {
        let (handles, now) = (Handles::default(), Instant::now());
        let handle = handles.open(ROOT, now).unwrap();
        assert_eq!(handles.caller(&handle, now), Some(ROOT));
        assert_eq!(handles.caller(&Secret::new("guess".into()), now), None);
        assert_eq!(handles.caller(&handle, now + LIFETIME), None);
        handles.forget(AccountId(2));
        assert_eq!(handles.caller(&handle, now), Some(ROOT));
        handles.forget(AccountId(1));
        assert_eq!(handles.caller(&handle, now), None);
    }

    #[test]
    fn one_handle_is_closed_without_the_others_of_its_account() {
        let (handles, now) = (Handles::default(), Instant::now());
        let opened = [(); 2].map(|()| handles.open(ROOT, now).unwrap());
        handles.close(&opened[0]);
        assert_eq!(opened.map(|handle| handles.caller(&handle, now)), [None, Some(ROOT)]);
    }

    #[test]
    fn a_revoked_key_takes_its_own_handles_with_it_and_no_others() {
        let (handles, now) = (Handles::default(), Instant::now());
        let [one, two] = [1, 2].map(|id| Caller { way: Way::ApiKey(ApiKeyId(id)), ..ROOT });
        let opened = [ROOT, one, two].map(|caller| handles.open(caller, now).unwrap());
        handles.forget_key(ApiKeyId(1));
        assert_eq!(opened.map(|handle| handles.caller(&handle, now)), [Some(ROOT), None, Some(two)]);
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let (handles, now) = (Handles::default(), Instant::now());
        for number in 0..MOST + 10 {
            handles.open(ROOT, now + Duration::from_millis(number as u64)).unwrap();
        }
        assert_eq!(handles.lock().len(), MOST);
    }
}
