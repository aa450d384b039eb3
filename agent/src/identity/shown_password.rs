//! Whoever shows a password to the REST front, or what a client of AList makes of it, gets a handle for it; where
//! the account has a second factor, only together with a code.

use std::net::IpAddr;
use std::time::Instant;

use accountd_protocol::agent::Handle;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;

use crate::error::Error;
use crate::identity::bans::{Held, Means, Weight};
use crate::identity::candidate::{PasswordAccount, password_account};
use crate::identity::handles::{Caller, Way};
use crate::identity::hash::Verdict;
use crate::identity::second_factor::CodeVerdict;

use crate::agent::{Agent, now};

/// What is shown of a password.
#[derive(Clone, Copy, Debug)]
pub enum ShownPassword<'a> {
    Clear(&'a Secret),
    Static(&'a Secret),
}

impl Agent {
    /// Everybody has something to ask for, if only about themselves; accountd's own services do not.
    /// Until everything that is needed was right, no failure is forgiven.
    pub(crate) fn open_handle(
        &self,
        user: &str,
        shown: ShownPassword<'_>,
        code: Option<&Secret>,
        source: IpAddr,
    ) -> Result<Handle, Refusal> {
        let attempt = self.attempt(user, source);
        self.bans.check_delay(attempt, Instant::now()).map_err(Held::into_refusal)?;
        let opened = self.open_handle_with(user, shown, code, source);
        match &opened {
            Ok(handle) => {
                if let Err(held) = self.bans.succeeded(attempt, Means::Password, Instant::now()) {
                    self.handles.close(handle);
                    return Err(held.into_refusal());
                }
            }
            Err(Refusal::BadCredentials | Refusal::WrongCode) => {
                self.bans.failed(attempt, Weight::Password, Instant::now());
            }
            Err(_) => {}
        }
        opened
    }

    fn open_handle_with(
        &self,
        user: &str,
        shown: ShownPassword<'_>,
        code: Option<&Secret>,
        source: IpAddr,
    ) -> Result<Handle, Refusal> {
        let known = self.password_account(user)?;
        match (self.judge_shown(shown, known.as_ref())?, known) {
            (Verdict::Right, Some(account)) => {
                let way = self.judge_code(&account, code)?;
                if let ShownPassword::Clear(password) = shown {
                    self.keep_second_hash(&account, password);
                }
                self.open_handle_of(user, account, (source, way))
            }
            (Verdict::Right | Verdict::Wrong, _) => Err(Refusal::BadCredentials),
        }
    }

    fn judge_shown(&self, shown: ShownPassword<'_>, known: Option<&PasswordAccount>) -> Result<Verdict, Refusal> {
        match shown {
            ShownPassword::Clear(password) => {
                let hash = known.map(|account| account.hash.as_str()).unwrap_or_default();
                Ok(self.hashes.verify(password, hash))
            }
            ShownPassword::Static(_) if !self.config().alist.enabled => Err(Refusal::NotPermitted),
            ShownPassword::Static(digest) => self.judge_static(digest, known),
        }
    }

    /// Behind a right password.
    fn judge_code(&self, account: &PasswordAccount, code: Option<&Secret>) -> Result<Way, Refusal> {
        let Some(factor) = &account.factor else { return Ok(Way::Password) };
        match self.use_code(factor, code.ok_or(Refusal::CodeRequired)?, now()) {
            CodeVerdict::Right => Ok(Way::PasswordAndCode),
            CodeVerdict::Wrong => Err(Refusal::WrongCode),
        }
    }

    fn password_account(&self, user: &str) -> Result<Option<PasswordAccount>, Refusal> {
        let view = self.database.certain_view()?;
        Ok(password_account(&view, user, now()).filter(|account| !self.is_service(&view, account.uid)))
    }

    /// A change of the account while its password was being verified found no handle to make
    /// void: so it is looked at once more when there is one.
    fn open_handle_of(
        &self,
        user: &str,
        account: PasswordAccount,
        (source, way): (IpAddr, Way),
    ) -> Result<Handle, Refusal> {
        let PasswordAccount { id, uid, state, .. } = account;
        let caller = Caller { account: id, uid, password: state, source: Some(source), way };
        let handle = self.handles.open(caller, Instant::now()).map_err(|_| Error::Handle.into_refusal())?;
        if self.password_account(user)? == Some(account) {
            return Ok(handle);
        }
        self.handles.forget(caller.account);
        Err(Refusal::BadCredentials)
    }
}
