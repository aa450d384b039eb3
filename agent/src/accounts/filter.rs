//! Which accounts a list is about.

use accountd_protocol::list::Filter;

use crate::database::entry::{group, passwd, shadow};
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::identity::hash::is_hash;
use crate::sudoers::Grantee;

pub fn user_passes(view: &View, row: &UserRow, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| user_is_like(view, row, filter))
}

pub fn group_passes(view: &View, row: &GroupRow, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| group_is_like(view, row, filter))
}

fn user_is_like(view: &View, row: &UserRow, filter: &Filter) -> bool {
    match filter {
        Filter::Id(id) => row.id == *id,
        Filter::Number(uid) => row.uid.0 == *uid,
        Filter::PrimaryGid(gid) => primary_gid(view, row) == Some(*gid),
        Filter::Name(name) => row.name == *name,
        Filter::NamePrefix(prefix) => row.name.starts_with(prefix),
        Filter::Email(email) => row.email == *email,
        Filter::Shell(shell) => {
            view.entry(FileKind::Passwd, &row.name).is_some_and(|entry| entry.text(passwd::SHELL) == *shell)
        }
        Filter::Locked(locked) => password_field(view, row).starts_with('!') == *locked,
        Filter::PasswordDisabled(disabled) => is_hash(password_field(view, row).trim_start_matches('!')) != *disabled,
        Filter::Builtin(builtin) => row.is_builtin() == *builtin,
        Filter::Sudo(sudo) => view.sudo(Grantee::User(row.id)).is_granted() == *sudo,
        Filter::Group(name) => is_in(view, row, name),
        Filter::Member(_) => false,
    }
}

fn group_is_like(view: &View, row: &GroupRow, filter: &Filter) -> bool {
    match filter {
        Filter::Id(id) => row.id == *id,
        Filter::Number(gid) => row.gid.0 == *gid,
        Filter::Name(name) => row.name == *name,
        Filter::NamePrefix(prefix) => row.name.starts_with(prefix),
        Filter::Builtin(builtin) => row.is_builtin() == *builtin,
        Filter::Sudo(sudo) => view.sudo(Grantee::Group(row.id)).is_granted() == *sudo,
        Filter::Member(name) => {
            let entry = view.entry(FileKind::Group, &row.name);
            entry.is_some_and(|entry| entry.names(group::MEMBERS).contains(name))
        }
        Filter::PrimaryGid(_)
        | Filter::Email(_)
        | Filter::Shell(_)
        | Filter::Locked(_)
        | Filter::PasswordDisabled(_)
        | Filter::Group(_) => false,
    }
}

fn is_in(view: &View, row: &UserRow, group: &str) -> bool {
    let named = view.groups_of_member(&row.name).iter().any(|name| **name == *group);
    let primary = || view.group_named(group).is_some_and(|group| primary_gid(view, row) == Some(group.gid.0));
    named || primary()
}

fn primary_gid(view: &View, row: &UserRow) -> Option<u32> {
    view.entry(FileKind::Passwd, &row.name)?.number(passwd::GID)
}

fn password_field(view: &View, row: &UserRow) -> String {
    view.entry(FileKind::Shadow, &row.name).map(|entry| entry.text(shadow::PASSWORD)).unwrap_or_default()
}
