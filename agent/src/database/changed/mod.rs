//! What a change has done to each account, for the audit trail: found in the edits themselves, so
//! that no operation can forget a field, and the same for what other programs have done.

mod accounts;
mod fields;
mod limits;
mod members;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use accountd_protocol::id::AccountId;
use accountd_protocol::policy::PasswordRule;

pub use self::accounts::Accounts;
use self::accounts::action_of;
pub use self::fields::{Changed, shown};
use self::fields::{number, push};
use crate::database::commit::line_edits;
use crate::database::edit::Edit;
use crate::database::file::FileKind;
use crate::database::view::View;
use crate::sudoers::Grantee;

/// The files in which lines of accounts are.
const KINDS: [FileKind; 5] =
    [FileKind::Passwd, FileKind::Shadow, FileKind::Smbpasswd, FileKind::Group, FileKind::Gshadow];

/// In whose name a change is made, and what it is called.
#[derive(Clone, Debug)]
pub struct Purpose {
    pub actor: Actor,
    pub action: AuditAction,
    /// Whose record says which groups a user was put into; others are in the groups' records.
    pub user: Option<AccountId>,
}

/// Something about an account that is in no line and no row: keys, the mode of a home.
#[derive(Clone, Debug)]
pub struct Remark {
    pub of: Grantee,
    pub change: FieldChange,
}

/// What a change says of itself beside its edits.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub purpose: &'a Purpose,
    /// More users like [`Purpose::user`].
    pub mentioned: &'a [AccountId],
    pub remarks: &'a [Remark],
}

/// The records of one change of ours.
pub fn own(view: &View, edits: &[Edit], Said { purpose, mentioned, remarks }: Said<'_>) -> Vec<AuditEvent> {
    let mut accounts = Accounts::of_rows(view, edits);
    for row in purpose.user.iter().chain(mentioned).filter_map(|id| view.user(*id)) {
        accounts.user(&row.name);
    }
    for kind in KINDS {
        for edit in line_edits(kind, edits) {
            accounts.line(Changed { kind, old: edit.old.as_deref(), new: edit.new.as_deref() });
        }
    }
    accounts.grants(edits);
    remarks.iter().for_each(|remark| accounts.remark(remark.clone()));
    let mut events = accounts.finish(|kind, life| {
        // Of many changes each account's record says which it was.
        let is_many = matches!(purpose.action, AuditAction::Batch | AuditAction::Import);
        let action = if is_many { action_of(kind, life) } else { purpose.action };
        (purpose.actor.clone(), action)
    });
    let rules = edits.iter().filter_map(rules);
    events.extend(rules.map(|changes| AuditEvent::done(purpose.actor.clone(), purpose.action, None, changes)));
    events
}

/// What an edit changes in the rules for passwords.
fn rules(edit: &Edit) -> Option<Vec<FieldChange>> {
    let Edit::PasswordRules { old, new } = edit else { return None };
    let mut changes = Vec::new();
    for rule in PasswordRule::ALL {
        push(&mut changes, rule.name(), [old, new].map(|rules| rules.rules().get(&rule).copied().map(number)));
    }
    Some(changes)
}
