//! Whoever shows a password to the REST front gets a handle for it.

use std::net::IpAddr;
use std::time::Instant;

use accountd_protocol::agent::Handle;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;

use crate::error::Error;
use crate::identity::bans::{Held, Means, Weight};
use crate::identity::decide::{PasswordAccount, password_account};
use crate::identity::handles::{Caller, Way};
use crate::identity::hash::Verdict;

use crate::agent::{Agent, now};

impl Agent {
    /// Everybody has something to ask for, if only about themselves; accountd's own services do not.
    pub(crate) fn open_handle(
        &self,
        user: &str,
        password: &Secret,
        _code: Option<&Secret>,
        source: IpAddr,
    ) -> Result<Handle, Refusal> {
        let attempt = self.attempt(user, source);
        self.bans.check_delay(attempt, Instant::now()).map_err(Held::into_refusal)?;
        let opened = self.open_handle_with(user, password, source);
        match &opened {
            Ok(handle) => {
                if let Err(held) = self.bans.succeeded(attempt, Means::Password, Instant::now()) {
                    self.handles.close(handle);
                    return Err(held.into_refusal());
                }
            }
            Err(Refusal::BadCredentials) => drop(self.bans.failed(attempt, Weight::Password, Instant::now())),
            Err(_) => {}
        }
        opened
    }

    fn open_handle_with(&self, user: &str, password: &Secret, source: IpAddr) -> Result<Handle, Refusal> {
        let known = self.password_account(user)?;
        let hash = known.as_ref().map(|account| account.hash.as_str()).unwrap_or_default();
        match (self.hashes.verify(password, hash), known) {
            (Verdict::Right, Some(account)) => self.open_handle_of(user, account, source),
            (Verdict::Right | Verdict::Wrong, _) => Err(Refusal::BadCredentials),
        }
    }

    fn password_account(&self, user: &str) -> Result<Option<PasswordAccount>, Refusal> {
        let view = self.database.certain_view()?;
        Ok(password_account(&view, user, now()).filter(|account| !self.is_service(&view, account.uid)))
    }

    /// A change of the account while its password was being verified found no handle to make
    /// void: so it is looked at once more when there is one.
    fn open_handle_of(&self, user: &str, account: PasswordAccount, source: IpAddr) -> Result<Handle, Refusal> {
        let PasswordAccount { id, uid, state, .. } = account;
        let caller = Caller { account: id, uid, password: state, source: Some(source), way: Way::Password };
        let handle = self.handles.open(caller, Instant::now()).map_err(|_| Error::Handle.into_refusal())?;
        if self.password_account(user)? == Some(account) {
            return Ok(handle);
        }
        self.handles.forget(caller.account);
        Err(Refusal::BadCredentials)
    }
}
