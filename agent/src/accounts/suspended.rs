//! What a lock, or its end, does to what runs for a user without a login.

use accountd_protocol::id::{AccountId, Uid};

use crate::agent::Agent;
use crate::database::entry::shadow;
use crate::database::{Action, Draft, FileKind, View};
use crate::suspension::{Automatic, Suspension, is_suspended};

impl Agent {
    /// Before the lock of the files. What is so already is looked at, too: others may have locked the
    /// account.
    pub(super) fn suspension(&self, id: AccountId, locked: Option<bool>) -> Suspension {
        let view = self.database.view();
        let (Some(locked), Some(row)) = (locked, view.user(id)) else { return Suspension::Unchanged };
        let own_uid = own_uid(&view, row.uid, &row.name);
        match (locked, is_locked(&view, id)) {
            (true, false) => Suspension::Suspended,
            (false, true) => Suspension::Resumed,
            (true, true) if Automatic::of(self.root(), &row.name, own_uid).is_some() => Suspension::Suspended,
            (false, false) if is_suspended(self.root(), &row.name, own_uid) => Suspension::Resumed,
            (true, true) | (false, false) => Suspension::Unchanged,
        }
    }
}

/// Under the lock, behind the renames: what is moved has its new name already.
pub fn enter(draft: &mut Draft<'_>, suspension: Suspension, (name, uid): (&str, Uid)) {
    let (name, uid) = (name.to_owned(), own_uid(draft, uid, name));
    match suspension {
        Suspension::Unchanged => {}
        Suspension::Suspended => draft.after_commit(Action::Suspend { name, uid }),
        Suspension::Resumed => draft.after_commit(Action::Resume { name, uid }),
    }
}

pub fn is_locked(view: &View, id: AccountId) -> bool {
    let entry = view.user(id).and_then(|row| view.entry(FileKind::Shadow, &row.name));
    entry.is_some_and(|entry| entry.text(shadow::PASSWORD).starts_with('!'))
}

/// The uid of an account, where no other one has it.
pub fn own_uid(view: &View, uid: Uid, name: &str) -> Option<Uid> {
    view.names_of_uid(uid.0).into_iter().all(|other| other == name).then_some(uid)
}
