//! Whose sessions and handles a change makes void.

use std::collections::HashSet;
use std::sync::Arc;

use accountd_protocol::agent::Revocation;

use super::copies::Step;
use super::edit::Edit;
use super::entry::{group_of, ids};
use super::file::FileKind;
use super::row::GroupRow;
use super::view::View;

/// The users that some steps are about: named by their lines and rows, or put into a group or out of it.
pub fn touched(steps: &[Step], before: &View, after: &View) -> HashSet<String> {
    let (mut names, mut groups) = (HashSet::new(), HashSet::new());
    let mut note = |kind, keys: &mut dyn Iterator<Item = &str>| match kind {
        FileKind::Passwd | FileKind::Shadow => names.extend(keys.map(str::to_owned)),
        FileKind::Group => groups.extend(keys.map(str::to_owned)),
        FileKind::Gshadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => {}
    };
    let mut limited = HashSet::new();
    for step in steps {
        match step {
            Step::Edit(Edit::User { old, new, .. }) => {
                note(FileKind::Passwd, &mut [old, new].into_iter().flatten().map(|row| row.name.as_str()));
            }
            Step::Edit(Edit::Group { old, new, .. }) => {
                let limits = |row: &Option<Arc<GroupRow>>| row.as_ref().and_then(|row| row.limits.clone());
                if limits(old) != limits(new) {
                    let names = [old, new].into_iter().flatten().map(|row| row.name.as_str());
                    limited.extend(names.flat_map(|group| everybody(group, after)));
                }
            }
            // sudo reads its drop-ins anew each time.
            Step::Edit(Edit::Sudo { .. } | Edit::Transfer { .. }) | Step::Grants(_) => {}
            // Of a new password its line tells.
            Step::Edit(
                Edit::PasswordHistory { .. }
                | Edit::PasswordRules { .. }
                | Edit::ApiKey { .. }
                | Edit::KeyFile(_)
                | Edit::PasswordStamp { .. },
            ) => {}
            Step::Edit(Edit::SecondFactor { account, .. }) => {
                note(FileKind::Passwd, &mut after.user(*account).into_iter().map(|row| row.name.as_str()));
            }
            Step::Edit(Edit::Line { kind, slot }) => {
                note(*kind, &mut slot.lines().filter_map(|line| kind.key(line)));
            }
            Step::File { kind, names: changed, .. } => note(*kind, &mut changed.iter().map(String::as_str)),
        }
    }
    names.extend(limited);
    groups.iter().for_each(|group| names.extend(moved(group, before, after)));
    names
}

/// The users that a group's limits are for.
fn everybody(group: &str, view: &View) -> HashSet<String> {
    let Some((gid, members)) = view.line(FileKind::Group, group).and_then(group_of) else { return HashSet::new() };
    let mut all: HashSet<String> = members.into_iter().collect();
    if view.users_with_primary_gid(gid) > 0 {
        let lines = view.file(FileKind::Passwd).entries();
        all.extend(
            lines.filter(|(_, line)| ids(line).is_some_and(|(_, of)| of == gid)).map(|(name, _)| name.to_owned()),
        );
    }
    all
}

/// Whose membership of a group is not what it was: those that came or went, and everybody where
/// the group has another gid. A group may have very many members.
fn moved(group: &str, before: &View, after: &View) -> HashSet<String> {
    let members = |view: &View| view.line(FileKind::Group, group).and_then(group_of);
    let (old_gid, old): (_, HashSet<String>) =
        members(before).map_or_else(Default::default, |(gid, members)| (Some(gid), members.into_iter().collect()));
    let (new_gid, new): (_, HashSet<String>) =
        members(after).map_or_else(Default::default, |(gid, members)| (Some(gid), members.into_iter().collect()));
    if old_gid == new_gid { &old ^ &new } else { &old | &new }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::planted::view_of;

    #[test]
    fn the_limits_of_a_group_are_for_its_members_and_for_those_whose_primary_one_it_is() {
        let passwd = b"root:x:0:0::/:/bin/sh\nanna:x:1000:10::/:/bin/sh\nberta:x:1001:1001::/:/bin/sh\n";
        let group = b"root:x:0:\nwheel:x:10:berta\nnobody:x:99:\n";
        let view = view_of(&[(FileKind::Passwd, passwd), (FileKind::Group, group)]);
        let names = |group| {
            let mut names: Vec<String> = everybody(group, &view).into_iter().collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names("wheel"), ["anna", "berta"]);
        assert!(names("nobody").is_empty() && names("gone").is_empty());
    }
}
