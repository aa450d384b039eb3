//! Accounts by what somebody calls them.

use accountd_protocol::agent::{Group, System, User};
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::refusal::Refusal;

use super::show::{show_group, show_user};
use super::state::{group_tag, user_tag};
use crate::agent::Agent;
use crate::database::{GroupRow, UserRow, View};

impl Agent {
    /// Without its key file, so that no home is looked at.
    pub(crate) fn find_user(&self, who: &AccountRef, caller: AccountId) -> Result<User, Refusal> {
        let view = self.database.view();
        let row = user_called(&view, who, caller).ok_or(Refusal::NotFound)?;
        let user = show_user(&view, row).ok_or(Refusal::NotFound)?.user;
        Ok(self.completed(User { tag: user_tag(&view, row), ..user }))
    }

    pub(crate) fn find_group(&self, which: &AccountRef) -> Result<Group, Refusal> {
        let view = self.database.view();
        let row = group_called(&view, which).ok_or(Refusal::NotFound)?;
        Ok(Group { tag: Some(group_tag(&view, row)), ..show_group(&view, row) })
    }

    pub(crate) fn resolve_groups(&self, which: &[AccountRef]) -> Vec<Option<AccountId>> {
        let view = self.database.view();
        which.iter().map(|which| group_called(&view, which).map(|row| row.id)).collect()
    }

    pub(crate) fn system(&self) -> System {
        System {
            version: env!("CARGO_PKG_VERSION").into(),
            shells: self.shells(),
            home_roots: self.config().homes.roots.iter().map(|root| root.as_str().to_owned()).collect(),
            home_mode: self.config().homes.mode.bits(),
        }
    }
}

pub fn user_called<'a>(view: &'a View, who: &AccountRef, caller: AccountId) -> Option<&'a UserRow> {
    match who {
        AccountRef::Id(id) => view.user(*id),
        AccountRef::Name(name) => view.user_named(name),
        AccountRef::Number(uid) => view.user_named(view.names_of_uid(*uid).first()?),
        AccountRef::Caller => view.user(caller),
    }
}

/// No group is the caller.
pub fn group_called<'a>(view: &'a View, which: &AccountRef) -> Option<&'a GroupRow> {
    match which {
        AccountRef::Id(id) => view.group(*id),
        AccountRef::Name(name) => view.group_named(name),
        AccountRef::Number(gid) => view.group_of_gid(*gid),
        AccountRef::Caller => None,
    }
}
