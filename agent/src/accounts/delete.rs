//! The end of a user. Its home stays on disk; nothing in the account files does.

use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::refusal::Refusal;

use super::memberships;
use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{Draft, FileKind};

impl Agent {
    /// Removes a user with its private group, if nobody else is in it. When this returns, no
    /// session of the user is left.
    pub(crate) fn delete_user(&self, id: AccountId) -> Result<(), Refusal> {
        let ((), generation) = self.database.change(move |draft| remove(draft, id))?;
        self.transfers.cancel(id);
        self.settle(generation);
        Ok(())
    }
}

fn remove(draft: &mut Draft<'_>, id: AccountId) -> Result<(), Refusal> {
    let row = draft.user(id).cloned().ok_or(Refusal::NotFound)?;
    if row.is_builtin() {
        return Err(Refusal::BuiltinDelete);
    }
    let gid = draft.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number(passwd::GID)).map(Gid);
    memberships::rename(draft, &row.name, None);
    for kind in [FileKind::Smbpasswd, FileKind::Shadow, FileKind::Passwd] {
        draft.set_line(kind, &row.name, None);
    }
    draft.set_user(id, None);
    if let Some(gid) = gid {
        remove_private_group(draft, gid);
    }
    Ok(())
}

/// Removes the group of `gid` unless it is built in, has members, or is somebody's primary one.
fn remove_private_group(draft: &mut Draft<'_>, gid: Gid) {
    let Some(group) = draft.group_of_gid(gid.0).cloned() else { return };
    let members = draft.entry(FileKind::Group, &group.name).map(|entry| entry.names(3)).unwrap_or_default();
    if group.is_builtin() || !members.is_empty() || draft.users_with_primary_gid(gid.0) > 0 {
        return;
    }
    remove_group(draft, group.id, &group.name);
}

pub fn remove_group(draft: &mut Draft<'_>, id: AccountId, name: &str) {
    for kind in [FileKind::Gshadow, FileKind::Group] {
        draft.set_line(kind, name, None);
    }
    draft.set_group(id, None);
}
