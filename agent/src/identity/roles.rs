//! Who has which role: uid 0, and whoever is in a group that the configuration names.

use std::collections::BTreeSet;

use accountd_config::Roles;
use accountd_protocol::id::Uid;
use accountd_protocol::role::Role;

use super::candidate::{PasswordState, password_account};
use crate::database::entry::{group, number_of, passwd};
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::sudoers::Grantee;

/// The roles of an account.
pub fn roles_of(view: &View, config: &Roles, row: &UserRow) -> BTreeSet<Role> {
    if row.uid == Uid::ROOT {
        return BTreeSet::from([Role::Administrator]);
    }
    let has = |role: &Role| config.groups(*role).iter().any(|group| is_in(view, row, group));
    Role::ALL.into_iter().filter(has).collect()
}

/// Whether a user is in a group, also by its primary group's number.
fn is_in(view: &View, row: &UserRow, group: &str) -> bool {
    let Some(gid) = view.line(FileKind::Group, group).and_then(number_of) else { return false };
    let primary = view.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number(passwd::GID));
    primary == Some(gid) || view.groups_of_member(&row.name).iter().any(|name| **name == *group)
}

/// Whether a name is that of a group which gives a role, or root's powers by another way.
pub fn is_privileged_name(config: &Roles, name: &str) -> bool {
    let lists = [&config.administrators, &config.account_administrators, &config.auditors, &config.privileged_groups];
    lists.into_iter().flatten().any(|group| group.eq_ignore_ascii_case(name))
}

/// The same for a gid, by whatever name.
pub fn is_privileged_gid(view: &View, config: &Roles, gid: u32) -> bool {
    gid == 0 || view.names_of_gid(gid).into_iter().any(|name| is_privileged_name(config, name))
}

/// Whether a group gives whoever is in it more than access to files.
pub fn is_privileged(view: &View, config: &Roles, group: &GroupRow) -> bool {
    is_privileged_name(config, &group.name)
        || is_privileged_gid(view, config, group.gid.0)
        || view.sudo(Grantee::Group(group.id)).is_granted()
}

/// Whether a user is in a privileged group.
pub fn is_in_privileged(view: &View, config: &Roles, row: &UserRow) -> bool {
    let primary = view.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number(passwd::GID));
    let by_number = primary.and_then(|gid| view.group_of_gid(gid));
    let by_name = view.groups_of_member(&row.name).iter().filter_map(|name| view.group_named(name));
    primary == Some(0) || by_name.chain(by_number).any(|group| is_privileged(view, config, group))
}

/// Whether some administrator can show a password now.
pub fn has_way_in(view: &View, config: &Roles, now: u64) -> bool {
    let roots = view.names_of_uid(0).into_iter().map(str::to_owned);
    let members = config.administrators.iter().flat_map(|group| members(view, group));
    roots
        .chain(members)
        .any(|name| password_account(view, &name, now).is_some_and(|found| found.state == PasswordState::Current))
}

/// Everybody in a group. Whose primary group it is is looked for only where somebody has it so.
fn members(view: &View, group: &str) -> Vec<String> {
    let Some(entry) = view.entry(FileKind::Group, group) else { return Vec::new() };
    let mut names = entry.names(group::MEMBERS);
    let Some(gid) = entry.number::<u32>(group::GID).filter(|gid| view.users_with_primary_gid(*gid) > 0) else {
        return names;
    };
    let has_it = |row: &&UserRow| {
        view.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number(passwd::GID)) == Some(gid)
    };
    names.extend(view.users().iter().filter(has_it).map(|row| row.name.clone()));
    names
}
