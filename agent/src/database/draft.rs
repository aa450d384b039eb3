//! What a change may do to the accounts while the writer holds the lock.

use std::ops::Deref;
use std::sync::Arc;

use accountd_config::Deletion;
use accountd_protocol::audit::{AuditEvent, FieldChange};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;

use super::changed::{self, Purpose, Remark};
use super::file::{FileKind, Line};
use super::journal::Action;
use super::row::{GroupRow, Origin, UserRow};
use super::transfers::TransferRow;
use super::view::{Edit, View};
use crate::sudoers::{Grant, Grantee, Sudo};

/// The accounts as this batch of changes has made them so far. Reads go through [`View`].
#[derive(Debug)]
pub struct Draft<'a> {
    view: &'a mut View,
    batch: Batch,
    fault: Option<&'static str>,
    /// Of the change that is being made.
    remarks: Vec<Remark>,
}

impl Deref for Draft<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        self.view
    }
}

/// A place to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Savepoint {
    edits: usize,
    actions: usize,
    next_user: u64,
    next_group: u64,
}

/// What the changes of one commit did.
#[derive(Debug)]
pub(super) struct Batch {
    pub edits: Vec<Edit>,
    pub actions: Vec<Action>,
    /// The records of the changes.
    pub events: Vec<AuditEvent>,
    pub next_user: u64,
    pub next_group: u64,
}

impl<'a> Draft<'a> {
    pub(super) fn new(view: &'a mut View, next_user: u64, next_group: u64) -> Self {
        let batch = Batch { edits: Vec::new(), actions: Vec::new(), events: Vec::new(), next_user, next_group };
        Draft { view, batch, fault: None, remarks: Vec::new() }
    }

    pub(super) fn savepoint(&self) -> Savepoint {
        let Batch { edits, actions, events: _, next_user, next_group } = &self.batch;
        Savepoint { edits: edits.len(), actions: actions.len(), next_user: *next_user, next_group: *next_group }
    }

    pub(super) fn roll_back(&mut self, savepoint: Savepoint) {
        for edit in self.batch.edits.drain(savepoint.edits..).rev() {
            self.view.undo(&edit);
        }
        self.batch.actions.truncate(savepoint.actions);
        self.batch.next_user = savepoint.next_user;
        self.batch.next_group = savepoint.next_group;
        self.fault = None;
        self.remarks.clear();
    }

    /// Makes the records of a change that was accepted: everything since `savepoint`.
    pub(super) fn describe(&mut self, savepoint: Savepoint, purpose: &Purpose) {
        let edits = self.batch.edits.get(savepoint.edits..).unwrap_or_default();
        let remarks = std::mem::take(&mut self.remarks);
        self.batch.events.extend(changed::own(self.view, edits, purpose, remarks));
    }

    pub(super) fn finish(self) -> Batch {
        self.batch
    }

    /// What no caller should have asked for, if one has.
    pub(super) fn fault(&self) -> Option<Refusal> {
        self.fault.map(|fault| Refusal::Internal(fault.into()))
    }

    /// Puts a line in the place of `name`'s; a line of another name renames, and where there was
    /// none it is new. `None` removes it, and every further line of that name: none of them may
    /// become a namesake. Where there is no gshadow(5), none is begun.
    pub fn set_line(&mut self, kind: FileKind, name: &str, line: Option<Line>) {
        if line.as_ref().is_some_and(|line| !kind.holds(line)) {
            self.fault = Some("a line of an account file can not hold a newline");
            return;
        }
        if kind == FileKind::Gshadow && !self.view.has(kind) {
            return;
        }
        let removal = line.is_none();
        while let Some(slot) = self.view.file(kind).edit(name, line.clone()) {
            self.edit(Edit::Line { kind, slot });
            if !removal {
                return;
            }
        }
    }

    /// Removes the lines of a name that say the same as its first one; none of them counts.
    pub fn remove_repeats(&mut self, kind: FileKind, name: &str) {
        let file = self.view.file(kind);
        let Some(first) = file.find(name).map(Line::from) else { return };
        let repeats = file.places(name).into_iter().skip(1).filter(|slot| file.line_at(*slot) == Some(&*first));
        let edits: Vec<Edit> =
            repeats.filter_map(|slot| Some(Edit::Line { kind, slot: file.edit_at(slot, None)? })).collect();
        edits.into_iter().for_each(|edit| self.edit(edit));
    }

    pub fn add_user(&mut self, name: &str, uid: Uid, email: &str, microsoft_account: bool) -> AccountId {
        let id = AccountId(self.batch.next_user);
        self.batch.next_user += 1;
        let row = UserRow {
            id,
            name: name.into(),
            uid,
            origin: Origin::Added,
            email: email.into(),
            microsoft_account,
            kept_hash: None,
        };
        self.edit(Edit::User { id, old: None, new: Some(Arc::new(row)) });
        id
    }

    pub fn add_group(&mut self, name: &str, gid: Gid) -> AccountId {
        let id = AccountId(self.batch.next_group);
        self.batch.next_group += 1;
        let row = GroupRow { id, name: name.into(), gid, origin: Origin::Added };
        self.edit(Edit::Group { id, old: None, new: Some(Arc::new(row)) });
        id
    }

    /// Stores a user's row anew, or buries it. Its numbers go to quarantine.
    pub fn set_user(&mut self, id: AccountId, new: Option<UserRow>) {
        let (old, new) = (self.view.users().shared(id), new.map(Arc::new));
        if old != new {
            self.edit(Edit::User { id, old, new });
        }
    }

    pub fn set_group(&mut self, id: AccountId, new: Option<GroupRow>) {
        let (old, new) = (self.view.groups().shared(id), new.map(Arc::new));
        if old != new {
            self.edit(Edit::Group { id, old, new });
        }
    }

    /// Gives an account the drop-in that stands ready, which says `sudo`.
    pub fn grant_sudo(&mut self, grantee: Grantee, sudo: Sudo, grant: &Grant) {
        self.edit_sudo(grantee, sudo);
        self.after_commit(Action::GrantSudo { grantee, grant: grant.clone() });
    }

    /// Takes the drop-in of an account away, if it has one.
    pub fn revoke_sudo(&mut self, grantee: Grantee) {
        if self.edit_sudo(grantee, Sudo::None).is_granted() {
            self.after_commit(Action::RevokeSudo { grantee });
        }
    }

    /// Gives what was so before.
    fn edit_sudo(&mut self, grantee: Grantee, new: Sudo) -> Sudo {
        let old = self.view.sudo(grantee);
        if old != new {
            self.edit(Edit::Sudo { grantee, old: old.clone(), new });
        }
        old
    }

    /// Removes what an account leaves outside of the files.
    pub fn remove_belongings(&mut self, name: &str, uid: Option<Uid>, deletion: &Deletion) {
        let (name, deletion) = (name.to_owned(), deletion.clone());
        self.after_commit(Action::RemoveBelongings { name, uid, deletion });
    }

    /// Stores the transfer that a home is to have, or that there is none.
    pub fn set_transfer(&mut self, account: AccountId, new: Option<TransferRow>) {
        self.edit(Edit::Transfer { account, new: new.map(Box::new) });
    }

    /// Has something recorded that is in no line and no row.
    pub fn remark(&mut self, of: Grantee, change: FieldChange) {
        self.remarks.push(Remark { of, change });
    }

    /// What is done when the files are in place, also after a crash.
    pub fn after_commit(&mut self, action: Action) {
        self.batch.actions.push(action);
    }

    fn edit(&mut self, edit: Edit) {
        self.view.apply(&edit);
        self.batch.edits.push(edit);
    }
}
