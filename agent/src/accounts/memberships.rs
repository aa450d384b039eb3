//! Supplementary groups: the member lists of group(5) and gshadow(5), kept alike.

use accountd_protocol::agent::Membership;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;

use crate::agent::Agent;
use crate::database::entry::{Entry, group, gshadow};
use crate::database::{Draft, FileKind};

impl Agent {
    /// Replaces the supplementary groups by those of these names; unknown names are dropped, and
    /// so are groups of services.
    pub(crate) fn set_memberships(&self, id: AccountId, names: &[String]) -> Result<Vec<Membership>, Refusal> {
        let wanted = {
            let view = self.database.view();
            let known =
                |name: &&String| view.group_named(name).is_some_and(|group| !self.is_service_gid(&view, group.gid.0));
            let ids = names.iter().filter(known).filter_map(|name| Some(view.group_named(name)?.id));
            let ids: Vec<AccountId> = ids.collect();
            self.known_groups(&view, &ids)
                .map_err(|problem| Refusal::invalid(accountd_protocol::refusal::Field::Groups, problem))?
        };
        let ((), generation) = self.database.change(move |draft| {
            let user = draft.user(id).ok_or(Refusal::NotFound)?.name.clone();
            replace(draft, &user, &wanted);
            Ok(())
        })?;
        self.settle(generation);
        self.memberships(id)
    }
}

/// Makes `user` a member of exactly `wanted`.
pub fn replace(draft: &mut Draft<'_>, user: &str, wanted: &[String]) {
    let now = draft.groups_of_member(user).to_vec();
    for name in now.iter().filter(|name| !wanted.contains(name)) {
        edit(draft, name, |members| members.retain(|member| member != user));
    }
    for name in wanted.iter().filter(|name| !now.contains(name)) {
        edit(draft, name, |members| members.push(user.to_owned()));
    }
}

/// Puts `new` wherever `user` is a member or a group administrator, or takes it out.
pub fn rename(draft: &mut Draft<'_>, user: &str, new: Option<&str>) {
    for name in draft.groups_of_member(user).to_vec() {
        edit(draft, &name, |members| substitute(members, user, new));
    }
    let administered: Vec<String> = administered_groups(draft, user);
    for name in administered {
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

/// Groups whose gshadow line still names the user: as administrator, or as a member that
/// group(5) doesn't know.
fn administered_groups(draft: &Draft<'_>, user: &str) -> Vec<String> {
    let named = |line: &[u8]| {
        let entry = Entry::parse(line);
        [gshadow::ADMINISTRATORS, gshadow::MEMBERS]
            .into_iter()
            .any(|field| entry.names(field).iter().any(|n| n == user))
    };
    let mentions = |line: &[u8]| line.windows(user.len()).any(|part| part == user.as_bytes());
    let entries = draft.file(FileKind::Gshadow).entries(FileKind::Gshadow);
    entries.filter(|(_, line)| mentions(line) && named(line)).map(|(name, _)| name.to_owned()).collect()
}

/// Changes the member lists of one group in both files. A field that stays as it is keeps its
/// bytes.
fn edit(draft: &mut Draft<'_>, name: &str, change: impl Fn(&mut Vec<String>)) {
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
