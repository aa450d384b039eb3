//! Root on this machine, who has no need to show a credential: the kernel says who is at the other
//! end of the socket (SO_PEERCRED, unix(7)).

use std::time::Instant;

use accountd_protocol::agent::Handle;
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::role::Role;

use super::candidate::PasswordState;
use super::handles::{Caller, Way};
use super::roles::roles_of;
use crate::agent::Agent;
use crate::error::Error;

impl Agent {
    /// A handle of root's own account. To be called for a peer that is root: it may do all of this
    /// anyway, also where the account is locked or has no password.
    pub(crate) fn open_local_handle(&self) -> Result<Handle, Refusal> {
        let account = self.root_account()?;
        let password = PasswordState::Current;
        let caller = Caller { account, uid: Uid::ROOT, password, source: None, way: Way::Local };
        let handle = self.handles.open(caller, Instant::now()).map_err(|_| Error::Handle.into_refusal())?;
        // A change of the account in between found no handle to make void.
        if self.root_account() == Ok(account) {
            return Ok(handle);
        }
        self.handles.forget(account);
        Err(Refusal::StaleHandle)
    }

    /// `root`, or else the first account with uid 0.
    fn root_account(&self) -> Result<AccountId, Refusal> {
        let view = self.database.certain_view()?;
        let names = ["root"].into_iter().chain(view.names_of_uid(Uid::ROOT.0));
        let row = names.filter_map(|name| view.user_named(name)).find(|row| row.uid == Uid::ROOT);
        let row = row.ok_or(Refusal::NotFound)?;
        let roles = roles_of(&view, &self.config().roles, row);
        if roles.contains(&Role::Administrator) { Ok(row.id) } else { Err(Refusal::NotPermitted) }
    }
}
