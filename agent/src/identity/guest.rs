//! Whoever shows nothing: a guest, where there is an account for them. It reads that account and does nothing else.

use std::net::IpAddr;
use std::time::Instant;

use accountd_protocol::agent::{Handle, Operation};
use accountd_protocol::id::Uid;
use accountd_protocol::refusal::Refusal;

use super::candidate::PasswordState;
use super::candidate::guest_account;
use super::handles::{Caller, Way};
use crate::agent::{Agent, now};
use crate::error::Error;

impl Agent {
    /// With the account's name.
    pub(crate) fn open_guest_handle(&self, source: IpAddr) -> Result<(Handle, String), Refusal> {
        let config = self.config();
        let alist = &config.alist;
        if !alist.enabled {
            return Err(Refusal::NotPermitted);
        }
        let view = self.database.certain_view()?;
        let guest = guest_account(&view, &alist.guest, now());
        let (account, uid) =
            guest.filter(|(_, uid)| *uid != Uid::ROOT && !self.is_service(&view, *uid)).ok_or(Refusal::NotPermitted)?;
        let password = PasswordState::Current;
        let caller = Caller { account, uid, password, source: Some(source), way: Way::Guest };
        let handle = self.handles.open(caller, Instant::now()).map_err(|_| Error::Handle.into_refusal())?;
        // A change of the account in between found no handle to make void.
        let view = self.database.certain_view()?;
        if guest_account(&view, &alist.guest, now()) == Some((account, uid)) {
            return Ok((handle, alist.guest.clone()));
        }
        self.handles.forget(account);
        Err(Refusal::NotPermitted)
    }
}

/// What a guest may ask for, if it is about its own account.
pub fn is_for_guests(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::GetUser(_)
            | Operation::FindUser(_)
            | Operation::GetHome(_)
            | Operation::GetQuota(_)
            | Operation::GetTwoFactor(_)
            | Operation::ListMemberships(_)
    )
}
