//! Supplementary groups: the member lists of group(5) and gshadow(5), kept alike.

use std::collections::BTreeMap;

use accountd_protocol::agent::Membership;
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;

use crate::agent::Agent;
use crate::database::entry::{group, gshadow, passwd};
use crate::database::{Draft, FileKind, Purpose};

impl Agent {
    /// Replaces the supplementary groups by those of these names; unknown names are dropped, and
    /// so are groups of services.
    pub(crate) fn set_memberships(
        &self,
        by: &Actor,
        id: AccountId,
        names: &[String],
    ) -> Result<Vec<Membership>, Refusal> {
        let wanted = {
            let view = self.database.view();
            view.user(id).ok_or(Refusal::NotFound)?;
            let primary = view.user(id).and_then(|row| view.entry(FileKind::Passwd, &row.name)?.number(passwd::GID));
            let known = |name: &&String| {
                let group = view.group_named(name);
                group.is_some_and(|group| !self.is_service_gid(&view, group.gid.0) && Some(group.gid.0) != primary)
            };
            let ids = names.iter().filter(known).filter_map(|name| Some(view.group_named(name)?.id));
            let ids: Vec<AccountId> = ids.collect();
            self.known_groups(&view, &ids)
                .map_err(|problem| Refusal::invalid(accountd_protocol::refusal::Field::Groups, problem))?
        };
        let purpose = Purpose { actor: by.clone(), action: AuditAction::SetMemberships, user: Some(id) };
        let ((), generation) = self.change(purpose, move |draft| {
            let user = draft.user(id).ok_or(Refusal::NotFound)?.name.clone();
            replace(draft, &user, &wanted);
            Ok(())
        })?;
        self.settle(generation);
        self.memberships(id)
    }
}

/// Takes away what others have left of an account of this name: it must not become the new one's.
pub fn forget_namesake(draft: &mut Draft<'_>, name: &str) {
    rename(draft, name, None);
    for kind in [FileKind::Shadow, FileKind::Smbpasswd] {
        draft.set_line(kind, name, None);
    }
}

/// New users on their way into groups: the list of a group that many come into is written once.
#[derive(Debug, Default)]
pub struct Joining(BTreeMap<String, Vec<String>>);

impl Joining {
    /// `user` is in no group yet, and does not come into its primary one, in which it is anyway.
    pub fn add(&mut self, draft: &Draft<'_>, user: &str, wanted: &[String]) {
        if wanted.is_empty() {
            return;
        }
        let primary = draft.entry(FileKind::Passwd, user).and_then(|entry| entry.number(passwd::GID));
        let other = |name: &&String| draft.group_named(name).is_none_or(|group| Some(group.gid.0) != primary);
        for name in wanted.iter().filter(other) {
            self.0.entry(name.clone()).or_default().push(user.to_owned());
        }
    }

    /// To be called before anything looks at the groups again.
    pub fn enter(&mut self, draft: &mut Draft<'_>) {
        for (name, users) in std::mem::take(&mut self.0) {
            edit(draft, &name, |members| members.extend(users.iter().cloned()));
        }
    }
}

/// Makes `user` a member of exactly `wanted`, but not of its primary group, in which it is anyway.
pub fn replace(draft: &mut Draft<'_>, user: &str, wanted: &[String]) {
    if wanted.is_empty() && draft.groups_of_member(user).is_empty() {
        return;
    }
    let primary = draft.entry(FileKind::Passwd, user).and_then(|entry| entry.number(passwd::GID));
    let other = |name: &&String| draft.group_named(name).is_none_or(|group| Some(group.gid.0) != primary);
    let wanted: Vec<String> = wanted.iter().filter(other).cloned().collect();
    let now = draft.groups_of_member(user).to_vec();
    for name in now.iter().filter(|name| !wanted.iter().any(|wanted| **wanted == ***name)) {
        edit(draft, name, |members| members.retain(|member| member != user));
    }
    for name in wanted.iter().filter(|name| !now.iter().any(|now| **now == ***name)) {
        edit(draft, name, |members| members.push(user.to_owned()));
    }
}

/// Puts `new` wherever `user` is a member or a group administrator, or takes it out.
pub fn rename(draft: &mut Draft<'_>, user: &str, new: Option<&str>) {
    for name in draft.groups_of_member(user).to_vec() {
        edit(draft, &name, |members| substitute(members, user, new));
    }
    for name in draft.groups_shadowing(user).to_vec() {
        let Some(mut entry) = draft.entry(FileKind::Gshadow, &name) else { continue };
        for field in [gshadow::ADMINISTRATORS, gshadow::MEMBERS] {
            let mut names = entry.names(field);
            substitute(&mut names, user, new);
            entry.set_names(field, &names);
        }
        draft.set_line(FileKind::Gshadow, &name, Some(entry.line()));
    }
}

fn substitute(names: &mut Vec<String>, old: &str, new: Option<&str>) {
    match new {
        Some(new) => names.iter_mut().filter(|name| *name == old).for_each(|name| *name = new.to_owned()),
        None => names.retain(|name| name != old),
    }
}

/// Changes the member lists of one group in both files. A field that stays as it is keeps its
/// bytes.
pub fn edit(draft: &mut Draft<'_>, name: &str, change: impl Fn(&mut Vec<String>)) {
    for (kind, field) in [(FileKind::Group, group::MEMBERS), (FileKind::Gshadow, gshadow::MEMBERS)] {
        let Some(mut entry) = draft.entry(kind, name) else { continue };
        let before = entry.names(field);
        let mut after = before.clone();
        change(&mut after);
        after = unique(after);
        if after != before {
            entry.set_names(field, &after);
            draft.set_line(kind, name, Some(entry.line()));
        }
    }
}

fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
