//! The end of a user. Its home stays on disk unless it is asked for to go; nothing in the account
//! files does.

use accountd_config::Deletion;
use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::ended::{Ended, OtherProcesses};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::text::FieldPath;

use super::disable::Ending;
use super::retire::LeavingHome;
use super::state::user_is;
use super::{address, memberships};
use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{Action, Draft, FileKind, Purpose, UserRow, View, unclaimed};
use crate::sudoers::Grantee;

/// The home of a user as it is to be removed.
struct Home {
    path: FieldPath,
    uid: Uid,
}

impl Agent {
    /// Removes a user with its private group, if nobody else is in it. When this returns, no
    /// session of the user is left, and a home that was to go is not in its place any more.
    pub(crate) fn delete_user(
        &self,
        by: &Actor,
        id: AccountId,
        (home, processes): (DeletedHome, OtherProcesses),
        only_if: Precondition,
    ) -> Result<Ended, Refusal> {
        let (ready, entry) = self.ready_deletion(id, (home, processes), only_if)?;
        let purpose = Purpose { actor: by.clone(), action: AuditAction::DeleteUser, user: None };
        let ((), generation) = self.change(purpose, move |draft| entry.enter(draft))?;
        self.transfers.cancel(id);
        self.settle(generation);
        Ok(ready.finish(self))
    }

    /// Everything that can fail without the lock.
    pub(super) fn ready_deletion(
        &self,
        id: AccountId,
        (home, processes): (DeletedHome, OtherProcesses),
        only_if: Precondition,
    ) -> Result<(ReadyDeletion, DeletionEntry), Refusal> {
        user_is(&self.database.view(), id, &only_if)?;
        self.owns_nothing(id)?;
        let ending = self.before_the_end(id, processes)?;
        let leaving = match home {
            DeletedHome::Keep => None,
            DeletedHome::Remove => self.leaving_home(id)?,
        };
        let home = leaving.as_ref().map(|(path, leaving)| (path.clone(), leaving.action()));
        let entry = DeletionEntry { id, home, processes, deletion: self.config().deletion.clone(), only_if };
        Ok((ReadyDeletion { leaving: leaving.map(|(_, leaving)| leaving), ending }, entry))
    }

    /// The same where it is only to be tried.
    pub(super) fn tried_deletion(
        &self,
        id: AccountId,
        home: DeletedHome,
        only_if: Precondition,
    ) -> Result<DeletionEntry, Refusal> {
        let view = self.database.view();
        user_is(&view, id, &only_if)?;
        self.owns_nothing(id)?;
        let row = deletable(&view, id)?;
        if home == DeletedHome::Remove
            && let Some(Home { path, .. }) = home_of(&view, &row)?
        {
            still_removable(&view, id, &path)?;
        }
        let (deletion, processes) = (self.config().deletion.clone(), OtherProcesses::Left);
        Ok(DeletionEntry { id, home: None, processes, deletion, only_if })
    }

    fn leaving_home(&self, id: AccountId) -> Result<Option<(FieldPath, LeavingHome)>, Refusal> {
        let view = self.database.view();
        let row = deletable(&view, id)?;
        let home = home_of(&view, &row)?;
        drop(view);
        let Some(Home { path, uid }) = home else { return Ok(None) };
        let leaving = self.retire_home(&row.name, &path, uid)?;
        Ok(leaving.map(|leaving| (path, leaving)))
    }
}

/// What is entered under the lock.
pub(super) struct DeletionEntry {
    id: AccountId,
    home: Option<(FieldPath, Action)>,
    processes: OtherProcesses,
    deletion: Deletion,
    only_if: Precondition,
}

impl DeletionEntry {
    pub fn enter(self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let Self { id, home, processes, deletion, only_if } = self;
        user_is(draft, id, &only_if)?;
        if let Some((path, action)) = home {
            still_removable(draft, id, &path)?;
            draft.after_commit(action);
            draft.remark(Grantee::User(id), FieldChange::new("home_content", Some("there".into()), None));
        }
        if processes == OtherProcesses::Ended {
            draft.remark(Grantee::User(id), FieldChange::new("processes", None, Some("ended".into())));
        }
        remove(draft, id, &deletion)
    }
}

/// The home that goes with the account, and what runs for it. Dropped before the change is made,
/// both stay.
pub(super) struct ReadyDeletion {
    leaving: Option<LeavingHome>,
    ending: Ending,
}

impl ReadyDeletion {
    /// To be called when the change is made and no session is left.
    pub fn finish(self, agent: &Agent) -> Ended {
        if let Some(leaving) = self.leaving {
            leaving.remove(&agent.emptier);
        }
        agent.end(self.ending)
    }
}

/// `None` for an account without a home.
fn home_of(view: &View, row: &UserRow) -> Result<Option<Home>, Refusal> {
    let entry = view.entry(FileKind::Passwd, &row.name).ok_or(Refusal::NotFound)?;
    if entry.bytes(passwd::HOME).is_empty() {
        return Ok(None);
    }
    let path = FieldPath::new(entry.text(passwd::HOME));
    let path = path.map_err(|error| Refusal::invalid(Field::Home, Problem::Text(error)))?;
    Ok(Some(Home { path, uid: row.uid }))
}

/// Under the lock: what was found out before has to be so still.
fn still_removable(draft: &View, id: AccountId, path: &FieldPath) -> Result<(), Refusal> {
    let row = draft.user(id).ok_or(Refusal::NotFound)?;
    let home = home_of(draft, row)?;
    if home.is_none_or(|home| home.path != *path) {
        return Err(Refusal::Busy);
    }
    unclaimed(draft.file(FileKind::Passwd), path, Some(&row.name))
        .map_err(|reason| Refusal::invalid(Field::Home, Problem::HomeStays(reason)))
}

fn deletable(view: &View, id: AccountId) -> Result<UserRow, Refusal> {
    let row = view.user(id).cloned().ok_or(Refusal::NotFound)?;
    if row.is_builtin() { Err(Refusal::BuiltinDelete) } else { Ok(row) }
}

fn remove(draft: &mut Draft<'_>, id: AccountId, deletion: &Deletion) -> Result<(), Refusal> {
    let row = deletable(draft, id)?;
    let gid = draft.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number(passwd::GID)).map(Gid);
    memberships::rename(draft, &row.name, None);
    for kind in [FileKind::Smbpasswd, FileKind::Shadow, FileKind::Passwd] {
        draft.set_line(kind, &row.name, None);
    }
    address::follow(draft, Some(&row), None);
    draft.revoke_sudo(Grantee::User(id));
    draft.set_user(id, None);
    let uid = Some(row.uid).filter(|uid| draft.names_of_uid(uid.0).is_empty());
    draft.remove_belongings(&row.name, uid, deletion);
    if let Some(gid) = gid {
        remove_private_group(draft, gid);
    }
    Ok(())
}

/// Removes the group of `gid` unless it is built in, has members, or is somebody's primary one.
/// Where several groups have that gid, nobody knows whose it was.
fn remove_private_group(draft: &mut Draft<'_>, gid: Gid) {
    let [name] = &*draft.names_of_gid(gid.0) else { return };
    let Some(group) = draft.group_named(name).cloned() else { return };
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
    draft.revoke_sudo(Grantee::Group(id));
    draft.set_group(id, None);
}
