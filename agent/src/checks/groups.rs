//! group(5) and gshadow(5): an entry of both for each group, the same members in both, and only
//! members that there are (grpck(8)).

use std::collections::HashSet;

use super::facts::Facts;
use super::finding::{Area, Fault, Found, named};
use super::repair::Repair;
use super::sheet::{Row, Sheet};
use crate::database::entry::{group, gshadow};
use crate::database::{FileKind, View};

/// The password field of both files.
const PASSWORD: usize = 1;

/// Both files beside each other.
pub fn check(view: &View, (groups, shadows): (&Sheet<'_>, &Sheet<'_>), facts: &Facts) -> Vec<Found> {
    let look = Look { view, facts };
    let mut found: Vec<Found> = groups.entries().flat_map(|entry| look.in_group(groups, entry)).collect();
    if view.has(FileKind::Gshadow) {
        found.extend(groups.entries().flat_map(|entry| beside(groups, shadows, entry)));
        found.extend(shadows.entries().flat_map(|entry| look.in_gshadow(shadows, entry)));
    }
    found
}

struct Look<'a> {
    view: &'a View,
    facts: &'a Facts,
}

impl Look<'_> {
    fn in_group(&self, groups: &Sheet<'_>, (name, row): (&str, &Row<'_>)) -> Option<Found> {
        self.unknown(groups, (name, row), (group::MEMBERS, Fault::UnknownMember))
    }

    fn in_gshadow(&self, shadows: &Sheet<'_>, (name, row): (&str, &Row<'_>)) -> Vec<Found> {
        let stray = self.view.line(FileKind::Group, name).is_none().then(|| {
            let message = format!("gshadow has an entry for '{}', which is no group", name.escape_debug());
            let repair = Repair::RemoveLines { kind: FileKind::Gshadow, name: name.to_owned() };
            let found = Found::new(Area::Gshadow, Fault::NoGroup, shadows.object(row), message);
            found.repaired_if(!self.facts.doubtful_groups.contains(name.as_bytes()), repair)
        });
        let lists = [(gshadow::ADMINISTRATORS, Fault::UnknownAdministrator), (gshadow::MEMBERS, Fault::UnknownMember)];
        let unknown = lists.into_iter().filter_map(|list| self.unknown(shadows, (name, row), list));
        stray.into_iter().chain(unknown).collect()
    }

    /// One finding for all names of a list that nobody has.
    fn unknown(
        &self,
        sheet: &Sheet<'_>,
        (name, row): (&str, &Row<'_>),
        (field, fault): (usize, Fault),
    ) -> Option<Found> {
        let is_unknown = |user: &&[u8]| match std::str::from_utf8(user) {
            Ok(user) => !self.facts.has_user(self.view, user),
            Err(_) => !self.facts.doubtful.contains(*user),
        };
        let mut unknown: Vec<String> =
            row.names(field).filter(is_unknown).map(|user| String::from_utf8_lossy(user).into_owned()).collect();
        if unknown.is_empty() {
            return None;
        }
        unknown.sort_unstable();
        unknown.dedup();
        let whom = if fault == Fault::UnknownMember { "members" } else { "administrators" };
        let message =
            format!("the group '{}' has {whom} that are no accounts: {}", name.escape_debug(), named(&unknown));
        let is_safe = unknown.iter().all(|user| self.facts.is_certain(user));
        let repair = Repair::DropNames { kind: sheet.kind, group: name.to_owned(), field, names: unknown };
        Some(Found::new(Area::of(sheet.kind), fault, sheet.object(row), message).repaired_if(is_safe, repair))
    }
}

/// A group and its entry in gshadow.
fn beside(groups: &Sheet<'_>, shadows: &Sheet<'_>, (name, row): (&str, &Row<'_>)) -> Vec<Found> {
    let shown = name.escape_debug();
    let Some(shadow) = shadows.first(name) else {
        let message = format!("the group '{shown}' has no entry in gshadow");
        let found = Found::new(Area::Gshadow, Fault::Missing, groups.object(row), message);
        return vec![found.repaired_if(row.length() >= 3, Repair::AddGshadow { name: name.to_owned() })];
    };
    let mut found = Vec::new();
    if row.field(PASSWORD) != b"x" {
        let message = format!("the password field of the group '{shown}' is not 'x': only that in gshadow counts");
        let repair = Repair::HideGroupPassword { name: name.to_owned() };
        found.push(Found::new(Area::Group, Fault::PasswordHere, groups.object(row), message).repaired_by(repair));
    }
    if let Some(differing) = differing(row, shadow) {
        let message = format!("only one of group and gshadow has these members of '{shown}': {}", named(&differing));
        let repair = Repair::FollowGroup { name: name.to_owned() };
        let differ = Found::new(Area::Gshadow, Fault::MembersDiffer, groups.object(row), message);
        found.push(differ.repaired_if(shadow.length() == 4, repair));
    }
    found
}

/// The members whom only one of both lines names, sorted.
fn differing(group: &Row<'_>, shadow: &Row<'_>) -> Option<Vec<String>> {
    if group.field(group::MEMBERS) == shadow.field(gshadow::MEMBERS) {
        return None;
    }
    let (ours, theirs): (HashSet<&[u8]>, HashSet<&[u8]>) =
        (group.names(group::MEMBERS).collect(), shadow.names(gshadow::MEMBERS).collect());
    let mut differing: Vec<String> =
        ours.symmetric_difference(&theirs).map(|user| String::from_utf8_lossy(user).into_owned()).collect();
    differing.sort_unstable();
    (!differing.is_empty()).then_some(differing)
}
