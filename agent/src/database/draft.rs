//! What a change may do to the accounts while the writer holds the lock.

use std::collections::HashSet;
use std::ops::{Deref, RangeInclusive};

use accountd_protocol::id::{AccountId, Gid, Uid};

use super::file::{FileKind, Line};
use super::journal::Action;
use super::row::{GroupRow, Origin, UserRow};
use super::view::{Edit, View};

/// The accounts as this batch of changes has made them so far. Reads go through [`View`].
#[derive(Debug)]
pub struct Draft<'a> {
    view: &'a mut View,
    pub(super) edits: Vec<Edit>,
    pub(super) actions: Vec<Action>,
    pub(super) next_user: u64,
    pub(super) next_group: u64,
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

impl<'a> Draft<'a> {
    pub(super) fn new(view: &'a mut View, next_user: u64, next_group: u64) -> Self {
        Draft { view, edits: Vec::new(), actions: Vec::new(), next_user, next_group }
    }

    pub(super) fn savepoint(&self) -> Savepoint {
        let (edits, actions) = (self.edits.len(), self.actions.len());
        Savepoint { edits, actions, next_user: self.next_user, next_group: self.next_group }
    }

    pub(super) fn roll_back(&mut self, savepoint: Savepoint) {
        for edit in self.edits.drain(savepoint.edits..).rev() {
            self.view.undo(&edit);
        }
        self.actions.truncate(savepoint.actions);
        self.next_user = savepoint.next_user;
        self.next_group = savepoint.next_group;
    }

    /// Puts a line in the place of `name`'s; a line of another name renames, `None` removes, and
    /// where there was none it is new.
    pub fn set_line(&mut self, kind: FileKind, name: &str, line: Option<Line>) {
        if let Some(slot) = self.view.file(kind).edit(name, line) {
            self.edit(Edit::Line { kind, slot });
        }
    }

    pub fn add_user(&mut self, name: &str, uid: Uid, email: &str, microsoft_account: bool) -> AccountId {
        let id = AccountId(self.next_user);
        self.next_user += 1;
        let row = UserRow {
            id,
            name: name.into(),
            uid,
            origin: Origin::Added,
            email: email.into(),
            microsoft_account,
            kept_hash: None,
        };
        self.edit(Edit::User { id, old: None, new: Some(row) });
        id
    }

    pub fn add_group(&mut self, name: &str, gid: Gid) -> AccountId {
        let id = AccountId(self.next_group);
        self.next_group += 1;
        let row = GroupRow { id, name: name.into(), gid, origin: Origin::Added };
        self.edit(Edit::Group { id, old: None, new: Some(row) });
        id
    }

    /// Stores a user's row anew, or buries it. Its numbers go to quarantine.
    pub fn set_user(&mut self, id: AccountId, new: Option<UserRow>) {
        let old = self.view.user(id).cloned();
        if old != new {
            self.edit(Edit::User { id, old, new });
        }
    }

    pub fn set_group(&mut self, id: AccountId, new: Option<GroupRow>) {
        let old = self.view.group(id).cloned();
        if old != new {
            self.edit(Edit::Group { id, old, new });
        }
    }

    /// What is done when the files are in place, also after a crash.
    pub fn after_commit(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub fn first_free_gid(&self, range: RangeInclusive<u32>) -> Option<u32> {
        self.view.free_gid(range, &HashSet::new())
    }

    fn edit(&mut self, edit: Edit) {
        self.view.apply(&edit);
        self.edits.push(edit);
    }
}
