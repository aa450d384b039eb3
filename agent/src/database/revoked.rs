//! Whose sessions and handles a change makes void.

use std::collections::HashSet;

use accountd_protocol::agent::Revocation;

use super::copies::Step;
use super::entry::group_of;
use super::file::{FileKind, Line};
use super::view::{Edit, View};

/// The users that some steps are about: named by their lines and rows, or members of a group.
pub fn touched(steps: &[Step], before: &View, after: &View) -> HashSet<String> {
    let mut names = HashSet::new();
    for step in steps {
        match step {
            Step::Edit(Edit::User { old, new, .. }) => {
                names.extend([old, new].into_iter().flatten().map(|row| row.name.clone()));
            }
            Step::Edit(Edit::Group { .. }) => {}
            Step::Edit(Edit::Line { kind, slot }) => slot.lines().for_each(|line| named_by(*kind, line, &mut names)),
            Step::File { kind, names: changed, .. } => {
                let lines = changed.iter().flat_map(|name| [before.line(*kind, name), after.line(*kind, name)]);
                lines.flatten().for_each(|line| named_by(*kind, line, &mut names));
            }
        }
    }
    names
}

fn named_by(kind: FileKind, line: &Line, names: &mut HashSet<String>) {
    match kind {
        FileKind::Passwd | FileKind::Shadow => names.extend(kind.key(line).map(str::to_owned)),
        FileKind::Group => names.extend(group_of(line).into_iter().flat_map(|(_, members)| members)),
        FileKind::Gshadow | FileKind::Smbpasswd => {}
    }
}

/// Those of them that were there before and are not the same since. Nobody has a session of an
/// agent that has only just read the files.
pub fn revoked(before: &View, after: &View, names: &HashSet<String>) -> Vec<Revocation> {
    if !before.has(FileKind::Passwd) {
        return Vec::new();
    }
    let generation = after.generation();
    let changed = names.iter().filter_map(|name| before.user_named(name)).filter(|row| {
        let same = after.user(row.id).is_some_and(|now| now.name == row.name && now.uid == row.uid);
        !same || before.security_state(&row.name) != after.security_state(&row.name)
    });
    changed.map(|row| Revocation { account: row.id, uid: row.uid, name: row.name.clone(), generation }).collect()
}
