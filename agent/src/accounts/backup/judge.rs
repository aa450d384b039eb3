//! A backup held against the accounts as they are: what would be done, and what is in the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use accountd_config::Passwords;
use accountd_protocol::backup::{Backup, BuiltinMembers, GroupRecord, UserRecord};
use accountd_protocol::id::AccountId;
use accountd_protocol::import::{
    AccountChoice, Choices, ImportOutcome, ImportReport, ImportedItem, ItemKind, OnMissing, OnName, Settled, Settlement,
};
use accountd_protocol::policy::PasswordRule;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use super::group::GroupPlan;
use super::numbers::Given;
use super::rename::{Called, Named, Names};
use super::user::{UserPlan, homes_here};
use crate::agent::Agent;
use crate::database::View;
use crate::ids::Outside;

/// What every record is held against.
pub(super) struct Sight<'a> {
    pub agent: &'a Agent,
    pub view: &'a View,
    pub outside: &'a Outside,
    pub shells: &'a [String],
    pub choices: &'a Choices,
    /// [`Choices::homes`], each as the path that it is.
    pub homes: &'a [(FieldPath, FieldPath)],
    /// Accounts of names that the backup has too, as a backup of this machine has them.
    pub users_here: &'a HashMap<String, UserRecord>,
    pub groups_here: &'a HashMap<String, GroupRecord>,
    /// Users of the backup that are not to be skipped.
    pub coming: &'a HashSet<&'a str>,
    /// The groups of each user of the backup, without its primary one.
    pub groups_of: &'a HashMap<&'a str, HashSet<&'a str>>,
}

/// What was found about one record.
#[derive(Default)]
pub(super) struct Notes {
    open: Vec<Invalid>,
    settled: Vec<Settled>,
}

/// What is to be done with one record.
pub(super) enum Step<P> {
    Create(P),
    Overwrite(AccountId, P),
    Same,
    Skip,
    /// Something is open.
    Nothing,
}

pub(super) struct Item<P> {
    pub name: String,
    pub step: Step<P>,
    pub notes: Notes,
}

/// Members of a group that stays otherwise as it is here.
pub(super) type Joining = Vec<String>;

pub(super) struct Judged {
    pub rules: Option<Item<Passwords>>,
    pub groups: Vec<Item<GroupPlan>>,
    pub builtin_groups: Vec<Item<Joining>>,
    pub users: Vec<Item<UserPlan>>,
    pub given: Given,
}

impl Notes {
    pub fn open(&mut self, field: Field, problem: Problem) {
        self.open.push(Invalid { field, problem });
    }

    pub fn settle(&mut self, field: Field, problem: Problem, by: Settlement) {
        self.settled.push(Settled { conflict: Invalid { field, problem }, by });
    }

    /// The value, or what is wrong with it noted.
    pub fn take<T>(&mut self, field: Field, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.open(field, problem)).ok()
    }

    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }
}

impl<P> Item<P> {
    pub fn new(name: &str, step: Step<P>, notes: Notes) -> Self {
        let step = if notes.is_open() { Step::Nothing } else { step };
        Self { name: name.to_owned(), step, notes }
    }

    fn reported(&self, kind: ItemKind) -> ImportedItem {
        let outcome = match &self.step {
            _ if self.notes.is_open() => ImportOutcome::Refused,
            Step::Create(_) => ImportOutcome::Created,
            Step::Overwrite(..) => ImportOutcome::Changed,
            Step::Same => ImportOutcome::Same,
            Step::Skip => ImportOutcome::Skipped,
            Step::Nothing => ImportOutcome::Refused,
        };
        let Notes { open, settled } = &self.notes;
        let (name, open, settled) = (self.name.clone(), open.clone(), settled.clone());
        ImportedItem { kind, index: 0, name, new_name: None, outcome, open, settled }
    }
}

impl Judged {
    pub fn report(&self, names: &Names) -> ImportReport {
        let mut items = Vec::new();
        items.extend(self.rules.iter().map(|item| item.reported(ItemKind::PasswordRules)));
        let called = |item: ImportedItem, Called { was, new, .. }: &Called| ImportedItem {
            name: was.clone(),
            new_name: new.clone(),
            ..item
        };
        let at = |(index, item): (usize, ImportedItem)| ImportedItem { index, ..item };
        let groups = self.groups.iter().map(|item| item.reported(ItemKind::Group));
        items.extend(groups.zip(&names.groups).map(|(item, name)| called(item, name)).enumerate().map(at));
        items.extend(self.builtin_groups.iter().map(|item| item.reported(ItemKind::BuiltinGroup)).enumerate().map(at));
        let users = self.users.iter().map(|item| item.reported(ItemKind::User));
        items.extend(users.zip(&names.users).map(|(item, name)| called(item, name)).enumerate().map(at));
        ImportReport { items }
    }

    /// Each drop-in that is to be, with the notes of its account.
    pub fn drop_ins(&mut self) -> Vec<(&mut Option<String>, &mut Notes)> {
        let groups = self.groups.iter_mut().filter_map(|item| match &mut item.step {
            Step::Create(plan) | Step::Overwrite(_, plan) => Some((&mut plan.sudo, &mut item.notes)),
            Step::Same | Step::Skip | Step::Nothing => None,
        });
        let users = self.users.iter_mut().filter_map(|item| match &mut item.step {
            Step::Create(plan) | Step::Overwrite(_, plan) => Some((&mut plan.sudo, &mut item.notes)),
            Step::Same | Step::Skip | Step::Nothing => None,
        });
        groups.chain(users).collect()
    }
}

impl Sight<'_> {
    pub fn judge(&self, backup: &Backup, names: &Names) -> Result<Judged, Refusal> {
        let mut given = Given::holding(backup, self.choices, self);
        let mut groups = Vec::new();
        for (record, called) in backup.groups.iter().zip(&names.groups) {
            groups.push(self.judge_group(&Named { record, called }, &mut given)?);
        }
        let gids = self.gids_of(&groups);
        let (mut homes, mut users) = (homes_here(self.view), Vec::new());
        for (record, called) in backup.users.iter().zip(&names.users) {
            users.push(self.judge_user(&Named { record, called }, (&gids, &mut homes), &mut given)?);
        }
        let builtin_groups = backup.builtin_groups.iter().map(|record| self.judge_builtin(record)).collect();
        Ok(Judged { rules: self.judge_rules(&backup.password_rules), groups, builtin_groups, users, given })
    }

    /// What is chosen for one account.
    pub fn choice(&self, Called { was, .. }: &Called) -> AccountChoice {
        self.choices.accounts.get(was).cloned().unwrap_or_default()
    }

    pub fn is_skipped(&self, name: &str) -> bool {
        self.choices.skip.contains(name)
    }

    /// What becomes of a record whose account is here and another; `None` where it is to be overwritten. Nobody is
    /// overwritten, nor left out, by a name that was chosen.
    pub fn on_name<P>(
        &self,
        called: &Called,
        (field, problem): (Field, Problem),
        notes: &mut Notes,
    ) -> Option<Step<P>> {
        let is_builtin = matches!(problem, Problem::Builtin | Problem::CaseDuplicate(_));
        match self.choice(called).on_name.unwrap_or(self.choices.on_name) {
            OnName::Skip if called.new.is_none() => {
                notes.settle(field, problem, Settlement::Skipped);
                Some(Step::Skip)
            }
            OnName::Overwrite if called.new.is_none() && !is_builtin => {
                notes.settle(field, problem, Settlement::Overwritten);
                None
            }
            OnName::Fail | OnName::Skip | OnName::Overwrite => {
                notes.open(field, problem);
                Some(Step::Nothing)
            }
        }
    }

    /// Those of these names that are users here or are to be; the others are in the way, or left out.
    pub fn known(&self, names: &[String], notes: &mut Notes) -> Vec<String> {
        let mut known = Vec::new();
        for name in names {
            if self.coming.contains(name.as_str()) || self.view.user_named(name).is_some() {
                known.push(name.clone());
                continue;
            }
            let problem = Problem::NoSuch(name.clone());
            match self.choices.on_missing {
                // Whoever leaves a user out leaves it out of its groups.
                _ if self.is_skipped(name) => notes.settle(Field::Members, problem, Settlement::Dropped),
                OnMissing::Drop => notes.settle(Field::Members, problem, Settlement::Dropped),
                OnMissing::Fail => notes.open(Field::Members, problem),
            }
        }
        known
    }

    fn judge_builtin(&self, BuiltinMembers { name, members }: &BuiltinMembers) -> Item<Joining> {
        let mut notes = Notes::default();
        let Some(row) = self.view.group_named(name) else {
            let problem = Problem::NoSuch(name.clone());
            match self.choices.on_missing {
                OnMissing::Drop => notes.settle(Field::Groups, problem, Settlement::Dropped),
                OnMissing::Fail => notes.open(Field::Groups, problem),
            }
            return Item::new(name, Step::Skip, notes);
        };
        if self.is_skipped(name) {
            return Item::new(name, Step::Skip, notes);
        }
        if self.agent.is_service_gid(self.view, row.gid.0) {
            notes.open(Field::Groups, Problem::ServiceAccount);
        }
        let members = self.known(members, &mut notes);
        let joins = |member: &String| {
            self.coming.contains(member.as_str())
                && !self.view.groups_of_member(member).iter().any(|group| **group == **name)
        };
        let joining: Joining = members.into_iter().filter(joins).collect();
        let step = if joining.is_empty() { Step::Same } else { Step::Overwrite(row.id, joining) };
        Item::new(name, step, notes)
    }

    fn judge_rules(&self, rules: &BTreeMap<PasswordRule, u32>) -> Option<Item<Passwords>> {
        if rules.is_empty() {
            return None;
        }
        let (mut notes, here) = (Notes::default(), self.view.password_rules());
        let new = Passwords::new(rules.clone());
        for (rule, problem) in new.over(&self.agent.config().passwords).problems() {
            notes.open(Field::Rule(rule), problem);
        }
        let others = here.rules().iter().filter(|(rule, value)| rules.get(rule) != Some(value));
        let mut step = if *here == new { Step::Same } else { Step::Overwrite(AccountId(0), new) };
        for (rule, value) in others {
            let (field, problem) = (Field::Rule(*rule), Problem::SetOtherwise(*value));
            match self.choices.on_policy {
                OnName::Fail => notes.open(field, problem),
                OnName::Overwrite => notes.settle(field, problem, Settlement::Overwritten),
                OnName::Skip => {
                    notes.settle(field, problem, Settlement::Skipped);
                    step = Step::Skip;
                }
            }
        }
        Some(Item::new("", step, notes))
    }
}
