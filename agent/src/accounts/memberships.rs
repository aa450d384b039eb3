//! Supplementary groups: the member lists of group(5) and gshadow(5), kept alike.

use std::collections::{BTreeMap, HashMap, HashSet};

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

/// Users on their way into groups and out of them: the list of a group that many are about is written
/// once.
#[derive(Debug, Default)]
pub struct Joining {
    steps: Vec<Step>,
    /// Groups whose lists are written at once, because they are looked at between two users.
    watched: HashSet<String>,
}

#[derive(Debug)]
struct Step {
    group: String,
    user: String,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Joining {
    /// The lists of `groups` are always as they are to be.
    pub fn watching(groups: &[String]) -> Self {
        Self { steps: Vec::new(), watched: groups.iter().cloned().collect() }
    }

    /// `user` is in no group yet, and does not come into its primary one, in which it is anyway.
    pub fn add(&mut self, draft: &mut Draft<'_>, user: &str, wanted: &[String]) {
        if wanted.is_empty() {
            return;
        }
        for name in without_primary(draft, user, wanted) {
            self.step(draft, Step { group: name, user: user.to_owned(), way: Way::In });
        }
    }

    /// Makes `user`, who must not be on any way, a member of exactly `wanted`, but not of its primary group,
    /// in which it is anyway.
    pub fn replace(&mut self, draft: &mut Draft<'_>, user: &str, wanted: &[String]) {
        if wanted.is_empty() && draft.groups_of_member(user).is_empty() {
            return;
        }
        let wanted = without_primary(draft, user, wanted);
        let now: Vec<String> = draft.groups_of_member(user).iter().map(|name| name.to_string()).collect();
        let (gone, come) = (only_in(&now, &wanted), only_in(&wanted, &now));
        for (groups, way) in [(gone, Way::Out), (come, Way::In)] {
            for group in groups {
                self.step(draft, Step { group, user: user.to_owned(), way });
            }
        }
    }

    fn step(&mut self, draft: &mut Draft<'_>, step: Step) {
        if self.watched.contains(&step.group) {
            write(draft, &step.group, &[(step.user, step.way)]);
        } else {
            self.steps.push(step);
        }
    }

    /// How many steps wait, to come back to.
    pub fn place(&self) -> usize {
        self.steps.len()
    }

    /// What came after `place` is not to be.
    pub fn back_to(&mut self, place: usize) {
        self.steps.truncate(place);
    }

    /// To be called before anything looks at the groups again that somebody may be on the way into or out of.
    pub fn enter(&mut self, draft: &mut Draft<'_>) {
        let mut moves: BTreeMap<String, Vec<(String, Way)>> = BTreeMap::new();
        for Step { group, user, way } in std::mem::take(&mut self.steps) {
            moves.entry(group).or_default().push((user, way));
        }
        moves.iter().for_each(|(group, moves)| write(draft, group, moves));
    }
}

/// Of a user's steps the last one counts.
fn write(draft: &mut Draft<'_>, group: &str, moves: &[(String, Way)]) {
    let last: HashMap<&str, Way> = moves.iter().map(|(user, way)| (user.as_str(), *way)).collect();
    let come = moves.iter().map(|(user, _)| user).filter(|user| last.get(user.as_str()) == Some(&Way::In));
    edit(draft, group, |members| {
        members.retain(|member| last.get(member.as_str()) != Some(&Way::Out));
        members.extend(come.clone().cloned());
    });
}

fn without_primary(draft: &Draft<'_>, user: &str, wanted: &[String]) -> Vec<String> {
    let primary = draft.entry(FileKind::Passwd, user).and_then(|entry| entry.number(passwd::GID));
    let other = |name: &&String| draft.group_named(name).is_none_or(|group| Some(group.gid.0) != primary);
    wanted.iter().filter(other).cloned().collect()
}

fn only_in(names: &[String], others: &[String]) -> Vec<String> {
    names.iter().filter(|name| !others.contains(name)).cloned().collect()
}

/// The same for one user at once.
pub fn replace(draft: &mut Draft<'_>, user: &str, wanted: &[String]) {
    let mut joining = Joining::default();
    joining.replace(draft, user, wanted);
    joining.enter(draft);
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
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
