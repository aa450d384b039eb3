//! What a change may do to the accounts while the writer holds the lock.

use std::ops::Deref;
use std::sync::Arc;

use accountd_config::{Deletion, Passwords};
use accountd_protocol::audit::{AuditEvent, FieldChange};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;

use super::api_keys::ApiKeyRow;
use super::changed::{self, Purpose, Remark, Said};
use super::edit::Edit;
use super::extras::Extras;
use super::file::{FileKind, Line};
use super::journal::Action;
use super::key_files::KeyFileRow;
use super::password_stamps::PasswordStamp;
use super::row::{GroupRow, Origin, UserRow, kept};
use super::second_factors::FactorRow;
use super::transfers::TransferRow;
use super::view::View;
use crate::audit::{self, Body};
use crate::sudoers::{Grant, Grantee, Sudo};

/// The accounts as this batch of changes has made them so far. Reads go through [`View`].
#[derive(Debug)]
pub struct Draft<'a> {
    view: &'a mut View,
    batch: Batch,
    fault: Option<&'static str>,
    /// Of the change that is being made.
    remarks: Vec<Remark>,
    mentioned: Vec<AccountId>,
    /// The change before it, if it was accepted.
    accepted: Option<Accepted>,
}

impl Deref for Draft<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        self.view
    }
}

/// What no Unix file holds of a new user.
#[derive(Debug)]
pub struct Known<'a> {
    pub email: &'a str,
    pub microsoft_account: bool,
    pub extras: Extras,
}

/// A place to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Savepoint {
    edits: usize,
    actions: usize,
    remarks: usize,
    mentioned: usize,
    next_user: u64,
    next_group: u64,
}

/// What the changes of one commit did.
#[derive(Debug)]
pub(super) struct Batch {
    pub edits: Vec<Edit>,
    pub actions: Vec<Action>,
    /// The records of the changes but for `undescribed`.
    pub events: Vec<AuditEvent>,
    /// The last change, where its records take long to make: that is done while the files are written.
    pub undescribed: Option<Accepted>,
    pub next_user: u64,
    pub next_group: u64,
}

/// A change that has no records yet.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Where its edits begin.
    edits: usize,
    purpose: Purpose,
    remarks: Vec<Remark>,
    /// Users in whose records the groups are that they were put into.
    mentioned: Vec<AccountId>,
}

/// The records of a change with more edits are made while its files are written.
const MANY: usize = 1_000;

impl Batch {
    /// The records of all changes. `view` has to be as the last of them has left it.
    pub fn records(&self, view: &View) -> rusqlite::Result<Vec<Body>> {
        let mut bodies = audit::bodies(&self.events)?;
        if let Some(accepted) = &self.undescribed {
            bodies.extend(audit::bodies(&self.events_of(view, accepted))?);
        }
        Ok(bodies)
    }

    fn events_of(&self, view: &View, accepted: &Accepted) -> Vec<AuditEvent> {
        let Accepted { edits, purpose, remarks, mentioned } = accepted;
        let said = Said { purpose, mentioned, remarks };
        changed::own(view, self.edits.get(*edits..).unwrap_or_default(), said)
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(view: &'a mut View, next_user: u64, next_group: u64) -> Self {
        let (edits, actions, events) = Default::default();
        let batch = Batch { edits, actions, events, undescribed: None, next_user, next_group };
        Draft { view, batch, fault: None, remarks: Vec::new(), mentioned: Vec::new(), accepted: None }
    }

    /// Where the next change begins.
    pub(super) fn savepoint(&mut self) -> Savepoint {
        self.describe();
        self.place()
    }

    fn place(&self) -> Savepoint {
        let Batch { edits, actions, next_user, next_group, .. } = &self.batch;
        Savepoint {
            edits: edits.len(),
            actions: actions.len(),
            remarks: self.remarks.len(),
            mentioned: self.mentioned.len(),
            next_user: *next_user,
            next_group: *next_group,
        }
    }

    pub(super) fn roll_back(&mut self, savepoint: Savepoint) {
        for edit in self.batch.edits.drain(savepoint.edits..).rev() {
            self.view.undo(&edit);
        }
        self.batch.actions.truncate(savepoint.actions);
        self.batch.next_user = savepoint.next_user;
        self.batch.next_group = savepoint.next_group;
        self.fault = None;
        self.remarks.truncate(savepoint.remarks);
        self.mentioned.truncate(savepoint.mentioned);
    }

    /// The change since `savepoint` is accepted.
    pub(super) fn accept(&mut self, savepoint: Savepoint, purpose: &Purpose) {
        let (remarks, mentioned) = (std::mem::take(&mut self.remarks), std::mem::take(&mut self.mentioned));
        self.accepted = Some(Accepted { edits: savepoint.edits, purpose: purpose.clone(), remarks, mentioned });
    }

    /// Makes the records of the change that was accepted last, before anything else is changed.
    fn describe(&mut self) {
        if let Some(accepted) = self.accepted.take() {
            let events = self.batch.events_of(self.view, &accepted);
            self.batch.events.extend(events);
        }
    }

    pub(super) fn finish(mut self) -> Batch {
        let edits = self.batch.edits.len();
        self.batch.undescribed = self.accepted.take_if(|accepted| edits - accepted.edits > MANY);
        self.describe();
        self.batch
    }

    /// What no caller should have asked for, if one has.
    pub(super) fn fault(&self) -> Option<Refusal> {
        self.fault.map(|fault| Refusal::Internal(fault.into()))
    }

    /// One part of a change: what is refused is undone by itself.
    pub fn attempt<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let place = self.place();
        let result = part(self);
        let result = self.fault().map_or(result, Err);
        if result.is_err() {
            self.roll_back(place);
        }
        result
    }

    /// What would come of it; all of it is undone.
    pub fn try_out<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> T {
        let place = self.place();
        let result = part(self);
        self.roll_back(place);
        result
    }

    /// The record of this user says which groups it was put into.
    pub fn mention(&mut self, user: AccountId) {
        self.mentioned.push(user);
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

    pub fn add_user(&mut self, name: &str, uid: Uid, known: Known<'_>) -> AccountId {
        let id = AccountId(self.batch.next_user);
        self.batch.next_user += 1;
        let Known { email, microsoft_account, extras } = known;
        let row = UserRow {
            id,
            name: name.into(),
            uid,
            origin: Origin::Added,
            email: email.into(),
            microsoft_account,
            kept_hash: None,
            extras: kept(extras),
        };
        self.edit(Edit::User { id, old: None, new: Some(Arc::new(row)) });
        id
    }

    pub fn add_group(&mut self, name: &str, gid: Gid) -> AccountId {
        let id = AccountId(self.batch.next_group);
        self.batch.next_group += 1;
        let row = GroupRow { id, name: name.into(), gid, origin: Origin::Added, limits: None };
        self.edit(Edit::Group { id, old: None, new: Some(Arc::new(row)) });
        id
    }

    /// Stores a user's row anew, or buries it. Its numbers go to quarantine.
    pub fn set_user(&mut self, id: AccountId, new: Option<UserRow>) {
        let (old, new) = (self.view.users().shared(id), new.map(Arc::new));
        if new.is_none() {
            self.view.api_keys().removals(id).into_iter().for_each(|edit| self.edit(edit));
            self.set_second_factor(id, None);
        }
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

    /// Stores that a key file stands ready which gets its place behind the commit, whatever happens.
    pub fn set_key_file(&mut self, row: KeyFileRow) {
        self.edit(Edit::KeyFile(Box::new(row)));
    }

    /// Stores the last passwords of an account, the latest first.
    pub fn set_password_history(&mut self, account: AccountId, hashes: Vec<String>) {
        self.edit(Edit::PasswordHistory { account, hashes });
    }

    /// Stores the rules for passwords that count over those of the configuration.
    pub fn set_password_rules(&mut self, new: Passwords) {
        let old = self.view.password_rules().clone();
        if old != new {
            self.edit(Edit::PasswordRules { old, new });
        }
    }

    pub fn add_api_key(&mut self, row: Arc<ApiKeyRow>) {
        self.edit(Edit::ApiKey { old: None, new: Some(row) });
    }

    pub fn remove_api_key(&mut self, row: Arc<ApiKeyRow>) {
        self.edit(Edit::ApiKey { old: Some(row), new: None });
    }

    /// Stores an enrolment, or that there is none.
    pub fn set_second_factor(&mut self, account: AccountId, new: Option<FactorRow>) {
        let (old, new) = (self.view.second_factors().of(account).cloned(), new.map(Arc::new));
        if old != new {
            self.edit(Edit::SecondFactor { account, old, new });
        }
    }

    /// Stores when a password was set, and its second hash.
    pub fn set_password_stamp(&mut self, account: AccountId, stamp: PasswordStamp) {
        self.edit(Edit::PasswordStamp { account, stamp: Box::new(stamp) });
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
