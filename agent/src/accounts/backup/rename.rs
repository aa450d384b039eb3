//! Accounts of a backup that come in under other names: the document is as if they had always been
//! called so, and each record knows what it is called in the backup.
//!
//! All names change at once, so two accounts can also change names with each other.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use accountd_protocol::backup::{Backup, GroupRecord, UserRecord};
use accountd_protocol::import::{AccountChoice, Choices};
use accountd_protocol::refusal::Problem;

use crate::sudoers::{self, Kind};

/// Names by other names: new ones by those in the backup, or some by their lower case.
type ByName = HashMap<String, String>;

/// What the records of a backup are called, in its order.
pub(super) struct Names {
    pub users: Vec<Called>,
    pub groups: Vec<Called>,
}

pub(super) struct Called {
    /// The name in the backup, by which choices go.
    pub was: String,
    /// The one that it is to have here, if that is another.
    pub new: Option<String>,
    /// Another record has the name too.
    pub clash: Option<Problem>,
}

/// A record under the name that its account is to have here.
pub(super) struct Named<'r, R> {
    pub record: &'r R,
    pub called: &'r Called,
}

impl<R> Deref for Named<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.record
    }
}

impl Names {
    /// Gives everything in the backup its new name. Who is to be left out keeps the old one.
    pub fn give(backup: &mut Backup, choices: &Choices) -> Self {
        let users: Vec<String> = backup.users.iter().map(|user| user.name.clone()).collect();
        let groups: Vec<String> = backup.groups.iter().map(|group| group.name.clone()).collect();
        let new_users = new_names(&users, choices, |choice| choice.rename_user.as_ref());
        let new_groups = new_names(&groups, choices, |choice| choice.rename_group.as_ref());
        let (other_users, other_groups) = others(backup);
        for UserRecord { name, group, .. } in &mut backup.users {
            rename(&new_users, name);
            group.iter_mut().for_each(|group| rename(&new_groups, group));
        }
        for GroupRecord { name, members, administrators, .. } in &mut backup.groups {
            rename(&new_groups, name);
            members.iter_mut().chain(administrators).for_each(|user| rename(&new_users, user));
        }
        let builtin = backup.builtin_groups.iter_mut();
        builtin.flat_map(|group| &mut group.members).for_each(|user| rename(&new_users, user));
        Self {
            users: all(users, (&new_users, &other_users), choices),
            groups: all(groups, (&new_groups, &other_groups), choices),
        }
    }
}

impl Called {
    /// The text of its drop-in under the name that it is to have.
    pub fn drop_in(&self, kind: Kind, text: &str) -> Result<String, Problem> {
        match &self.new {
            None => Ok(text.to_owned()),
            Some(new) => sudoers::renamed(text, kind, (&self.was, new)),
        }
    }

    fn name(&self) -> &str {
        self.new.as_ref().unwrap_or(&self.was)
    }
}

/// Names of users and groups that the backup speaks of and has no record of, by their lower case.
fn others(backup: &Backup) -> (ByName, ByName) {
    let users: HashSet<&str> = backup.users.iter().map(|user| user.name.as_str()).collect();
    let groups: HashSet<&str> = backup.groups.iter().map(|group| group.name.as_str()).collect();
    let listed = backup.groups.iter().flat_map(|group| group.members.iter().chain(&group.administrators));
    let listed = listed.chain(backup.builtin_groups.iter().flat_map(|group| &group.members));
    let primary = backup.users.iter().filter_map(|user| user.group.as_ref());
    let named = primary.chain(backup.builtin_groups.iter().map(|group| &group.name));
    let folded = |name: &String| (name.to_lowercase(), name.clone());
    (
        listed.filter(|name| !users.contains(name.as_str())).map(folded).collect(),
        named.filter(|name| !groups.contains(name.as_str())).map(folded).collect(),
    )
}

fn new_names(names: &[String], choices: &Choices, own: impl Fn(&AccountChoice) -> Option<&String>) -> ByName {
    let new = |name: &String| {
        let choice = choices.accounts.get(name).filter(|_| !choices.skip.contains(name))?;
        own(choice).or(choice.rename.as_ref()).filter(|new| *new != name)
    };
    names.iter().filter_map(|name| Some((name.clone(), new(name)?.clone()))).collect()
}

fn rename(new_names: &ByName, name: &mut String) {
    if let Some(new) = new_names.get(name) {
        name.clone_from(new);
    }
}

/// Who has a name, in any case: Samba does not tell `Anna` from `anna`.
#[derive(Default)]
struct Holders {
    places: Vec<usize>,
    /// The first that has it in the backup, and is not left out.
    first: Option<usize>,
}

/// Each with what is in the way of its name. Nobody gets one of `others`: what the backup says of that name would
/// be said of somebody else.
fn all(names: Vec<String>, (new_names, others): (&ByName, &ByName), choices: &Choices) -> Vec<Called> {
    let called = |was: String| Called { new: new_names.get(&was).cloned(), was, clash: None };
    let mut all: Vec<Called> = names.into_iter().map(called).collect();
    let mut holders: HashMap<String, Holders> = HashMap::new();
    for (place, called) in all.iter().enumerate() {
        let held = holders.entry(called.name().to_lowercase()).or_default();
        held.places.push(place);
        if called.new.is_none() && !choices.skip.contains(&called.was) {
            held.first.get_or_insert(place);
        }
    }
    let name_at = |place: usize| all.get(place).map(Called::name);
    let clash = |(place, called): (usize, &Called)| {
        let (name, folded) = (called.name(), called.name().to_lowercase());
        let held = holders.get(&folded)?;
        if called.new.is_none() {
            let first = held.first.filter(|first| *first < place).and_then(name_at)?;
            return Some(if first == name { Problem::Twice } else { Problem::CaseDuplicate(first.to_owned()) });
        }
        let other = held.places.iter().find(|other| **other != place).and_then(|place| name_at(*place));
        let other = other.or(others.get(&folded).map(String::as_str))?;
        Some(if other == name { Problem::Duplicate(name.into()) } else { Problem::CaseDuplicate(other.into()) })
    };
    let clashes: Vec<Option<Problem>> = all.iter().enumerate().map(clash).collect();
    all.iter_mut().zip(clashes).for_each(|(called, clash)| called.clash = clash);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(names: &[&str], new: &[(&str, &str)], others: &[&str]) -> Vec<(String, Option<Problem>)> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let new = new.iter().map(|(was, new)| ((*was).to_owned(), (*new).to_owned())).collect();
        let others = others.iter().map(|name| (name.to_lowercase(), (*name).to_owned())).collect();
        let choices = Choices { skip: ["left".to_owned()].into(), ..Choices::default() };
        let all = all(names, (&new, &others), &choices);
        all.into_iter().map(|called| (called.name().to_owned(), called.clash)).collect()
    }

    fn free(name: &str) -> (String, Option<Problem>) {
        (name.into(), None)
    }

    fn taken(name: &str) -> (String, Option<Problem>) {
        (name.into(), Some(Problem::Duplicate(name.into())))
    }

    fn alike(name: &str, other: &str) -> (String, Option<Problem>) {
        (name.into(), Some(Problem::CaseDuplicate(other.into())))
    }

    #[test]
    fn two_can_change_names_and_a_name_that_is_given_up_can_be_taken() {
        assert_eq!(called(&["a", "b"], &[("a", "b"), ("b", "a")], &[]), [free("b"), free("a")]);
        assert_eq!(called(&["a", "b"], &[("a", "b"), ("b", "c")], &[]), [free("b"), free("c")]);
    }

    #[test]
    fn a_new_name_is_nobody_elses_in_any_case() {
        assert_eq!(called(&["a", "b"], &[("a", "b")], &[]), [taken("b"), free("b")]);
        assert_eq!(called(&["a", "b"], &[("a", "B")], &[]), [alike("B", "b"), free("b")]);
        assert_eq!(called(&["a", "b"], &[("a", "c"), ("b", "c")], &[]), [taken("c"), taken("c")]);
        assert_eq!(called(&["a", "left"], &[("a", "left")], &[]), [taken("left"), free("left")]);
        assert_eq!(called(&["a"], &[("a", "ghost")], &["Ghost"]), [alike("ghost", "Ghost")]);
    }

    #[test]
    fn a_name_that_the_backup_has_twice_is_said_of_the_second() {
        let twice = |name: &str| (name.to_owned(), Some(Problem::Twice));
        assert_eq!(called(&["a", "a", "A"], &[], &[]), [free("a"), twice("a"), alike("A", "a")]);
        assert_eq!(called(&["left", "left"], &[], &[]), [free("left"), free("left")]);
        assert_eq!(called(&["a"], &[], &["a"]), [free("a")]);
    }
}
