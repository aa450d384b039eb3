//! What other programs have done, for the audit trail.

use std::collections::BTreeSet;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};

use super::changed::{Accounts, Changed, shown};
use super::copies::Step;
use super::edit::Edit;
use super::file::FileKind;
use super::view::View;
use crate::sudoers::Grantee;

/// Of more accounts at once there is one record with numbers, not one for each.
const MOST: usize = 1_000;
/// So many of their names are in it.
const NAMES: usize = 20;

/// The records of what the files say since they were read last. `edits` are those of the rows, which
/// `after` need not have yet. What lines were before is not known at the first reading.
pub fn events(before: &View, after: &View, steps: &[Step], edits: &[Edit]) -> Vec<AuditEvent> {
    let is_first = !before.has(FileKind::Passwd);
    let lines: usize = if is_first { 0 } else { steps.iter().map(Step::size).sum() };
    if edits.len() > MOST || lines > 4 * MOST {
        return vec![many(edits, lines)];
    }
    let mut accounts = Accounts::of_rows(after, edits);
    if !is_first {
        let mut changed: Vec<Changed<'_>> = steps.iter().flat_map(|step| lines_of(before, after, step)).collect();
        // Lines of users before those of groups.
        changed.sort_by_key(|line| std::cmp::Reverse(line.kind));
        changed.into_iter().for_each(|line| accounts.line(line));
    }
    if accounts.len() > MOST { vec![many(edits, lines)] } else { accounts.finish_outside() }
}

/// Whom other programs have given sudo, or taken it from.
pub fn grants(before: &View, after: &View) -> Vec<AuditEvent> {
    let mut accounts = Accounts::of_rows(after, &[]);
    let all: BTreeSet<Grantee> = before.grants().keys().chain(after.grants().keys()).copied().collect();
    let differ = all.into_iter().filter(|grantee| before.grants().get(grantee) != after.grants().get(grantee));
    differ.take(MOST).for_each(|grantee| accounts.granted(grantee, [&before.sudo(grantee), &after.sudo(grantee)]));
    accounts.finish_outside()
}

fn lines_of<'a>(before: &'a View, after: &'a View, step: &'a Step) -> Vec<Changed<'a>> {
    let Step::File { kind, names, .. } = step else { return Vec::new() };
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_unstable();
    let line = |name: &String| Changed { kind: *kind, old: before.line(*kind, name), new: after.line(*kind, name) };
    names.into_iter().map(line).collect()
}

fn many(edits: &[Edit], lines: usize) -> AuditEvent {
    let (mut come, mut gone, mut names) = (0, 0, Vec::new());
    for edit in edits {
        let (is_old, is_new, name) = match edit {
            Edit::User { old, new, .. } => {
                (old.is_some(), new.is_some(), new.as_ref().or(old.as_ref()).map(|row| &row.name))
            }
            Edit::Group { old, new, .. } => {
                (old.is_some(), new.is_some(), new.as_ref().or(old.as_ref()).map(|row| &row.name))
            }
            Edit::Line { .. } | Edit::Sudo { .. } | Edit::Transfer { .. } => continue,
            Edit::PasswordHistory { .. }
            | Edit::PasswordRules { .. }
            | Edit::ApiKey { .. }
            | Edit::KeyFile(_)
            | Edit::SecondFactor { .. }
            | Edit::PasswordStamp { .. } => {
                continue;
            }
        };
        come += usize::from(!is_old);
        gone += usize::from(!is_new);
        names.extend(name.filter(|_| names.len() < NAMES).map(String::as_str));
    }
    let said = |number: usize| Some(number.to_string().into());
    let changes = vec![
        FieldChange::new("accounts", said(gone), said(come)),
        FieldChange::new("lines", None, said(lines)),
        FieldChange::new("names", None, Some(shown(names.join(",").as_bytes()))),
    ];
    AuditEvent::done(Actor::Outside, AuditAction::ChangeMany, None, changes)
}
