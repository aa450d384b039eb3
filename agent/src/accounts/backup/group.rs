//! A group of a backup, held against the groups as they are.

use std::collections::{HashMap, HashSet};

use accountd_config::Roles;
use accountd_protocol::backup::GroupRecord;
use accountd_protocol::import::Settlement;
use accountd_protocol::limits::Limits;
use accountd_protocol::name::NewGroupName;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use super::judge::{Item, Notes, Sight, Step};
use super::numbers::{Given, Wanted};
use super::rename::{Called, Named};
use super::secrets::gshadow_field;
use crate::accounts::limits;
use crate::database::GroupRow;
use crate::ids::Question;
use crate::sudoers::{Grantee, Kind, Sudo};

/// gids of groups of a backup, by name.
pub(super) type Gids = HashMap<String, Option<u32>>;

/// A group whose every value is good.
pub(super) struct GroupPlan {
    pub name: String,
    /// The name in the backup, if that is another.
    pub was: Option<String>,
    pub gid: u32,
    /// The field of gshadow(5).
    pub password: Option<Secret>,
    pub administrators: Vec<String>,
    pub members: Vec<String>,
    pub sudo: Option<String>,
    pub limits: Limits,
    /// What is granted now.
    pub before: Sudo,
}

impl Sight<'_> {
    pub fn judge_group(&self, record: &Named<'_, GroupRecord>, given: &mut Given) -> Result<Item<GroupPlan>, Refusal> {
        let (name, mut notes) = (record.name.as_str(), Notes::default());
        if self.is_skipped(&record.called.was) {
            return Ok(Item::new(name, Step::Skip, notes));
        }
        if let Some(clash) = &record.called.clash {
            notes.open(Field::GroupName, clash.clone());
            return Ok(Item::new(name, Step::Nothing, notes));
        }
        self.note_renamed_group(record.called, &mut notes);
        let step = match self.view.group_name_like(name) {
            Some(here) if here == name => self.existing_group(record, &mut notes),
            Some(here) => {
                let step = self.on_name(record.called, (Field::GroupName, Problem::CaseDuplicate(here)), &mut notes);
                step.unwrap_or(Step::Nothing)
            }
            None => self.new_group(record, given, &mut notes)?,
        };
        Ok(Item::new(name, step, notes))
    }

    /// Why it could not have come in under its old name.
    fn note_renamed_group(&self, Called { was, new, .. }: &Called, notes: &mut Notes) {
        if new.is_none() {
            return;
        }
        let problem = match self.view.group_name_like(was) {
            Some(here) if here != *was => Problem::CaseDuplicate(here),
            Some(_) if self.view.group_named(was).is_some_and(GroupRow::is_builtin) => Problem::Builtin,
            Some(here) => Problem::Duplicate(here),
            None => match NewGroupName::new(was.as_str()) {
                Err(error) if !gives_role(&self.agent.config().roles, was) => Problem::Name(error),
                Ok(_) | Err(_) => return,
            },
        };
        notes.settle(Field::GroupName, problem, Settlement::Renamed);
    }

    fn new_group(
        &self,
        record: &Named<'_, GroupRecord>,
        given: &mut Given,
        notes: &mut Notes,
    ) -> Result<Step<GroupPlan>, Refusal> {
        let name = record.name.as_str();
        // Names of groups that give a role are otherwise kept for this program.
        if record.called.new.is_some() || !gives_role(&self.agent.config().roles, name) {
            notes.take(Field::GroupName, NewGroupName::new(name).map_err(Problem::Name));
        }
        notes.take(Field::GroupName, self.outside.lacks(&Question::GroupNamed(name.to_owned())));
        let choice = self.choice(record.called);
        let wanted = Wanted::of(record.gid, choice.gid, &choice, self.choices);
        let gid = given.gid(self, name, &wanted, notes)?;
        let plan = self.group_plan(record, gid.unwrap_or(record.gid), notes);
        Ok(Step::Create(plan))
    }

    fn existing_group(&self, record: &Named<'_, GroupRecord>, notes: &mut Notes) -> Step<GroupPlan> {
        let name = record.name.as_str();
        let Some(row) = self.view.group_named(name) else { return Step::Nothing };
        let taken = Problem::Duplicate(name.to_owned());
        if row.is_builtin() || self.agent.is_service_gid(self.view, row.gid.0) {
            let problem = if record.called.new.is_some() { taken } else { Problem::Builtin };
            return self.on_name(record.called, (Field::GroupName, problem), notes).unwrap_or(Step::Nothing);
        }
        if self.groups_here.get(name).is_some_and(|here| is_same(record, here)) {
            return Step::Same;
        }
        if let Some(step) = self.on_name(record.called, (Field::GroupName, taken), notes) {
            return step;
        }
        self.keep_gid(record, row, notes);
        let before = self.view.sudo(Grantee::Group(row.id));
        Step::Overwrite(row.id, GroupPlan { before, ..self.group_plan(record, row.gid.0, notes) })
    }

    fn keep_gid(&self, record: &GroupRecord, row: &GroupRow, notes: &mut Notes) {
        if record.gid != row.gid.0 {
            notes.settle(Field::Gid, Problem::SetOtherwise(row.gid.0), Settlement::Kept);
        }
    }

    fn group_plan(&self, record: &Named<'_, GroupRecord>, gid: u32, notes: &mut Notes) -> GroupPlan {
        if let Some(password) = &record.password {
            notes.take(Field::PasswordHash, gshadow_field(password));
        }
        note_limits(&record.limits, notes);
        GroupPlan {
            name: record.name.clone(),
            was: record.called.new.as_ref().map(|_| record.called.was.clone()),
            gid,
            password: record.password.clone(),
            administrators: self.known(&record.administrators, notes),
            members: self.known(&record.members, notes),
            sudo: self.sudo((Kind::Group, record.called), record.sudo.as_ref(), notes),
            limits: record.limits.clone(),
            before: Sudo::None,
        }
    }

    /// The gid that each group of the backup has in the end; `None` for one that something is open of.
    pub fn gids_of(&self, groups: &[Item<GroupPlan>]) -> Gids {
        let gid = |item: &Item<GroupPlan>| match &item.step {
            Step::Create(plan) | Step::Overwrite(_, plan) => Some(Some(plan.gid)),
            Step::Same | Step::Skip => self.view.group_named(&item.name).map(|row| Some(row.gid.0)),
            Step::Nothing => Some(None),
        };
        groups.iter().filter_map(|item| Some((item.name.clone(), gid(item)?))).collect()
    }
}

/// What is wrong with limits.
pub(super) fn note_limits(limits: &Limits, notes: &mut Notes) {
    for (field, problem) in limits::problems(limits) {
        notes.open(Field::Limit(field), problem);
    }
}

fn gives_role(roles: &Roles, name: &str) -> bool {
    let Roles { administrators, account_administrators, auditors, privileged_groups: _ } = roles;
    administrators.iter().chain(account_administrators).chain(auditors).any(|group| group == name)
}

/// Whether nothing but the stable id differs. The order of names means nothing.
fn is_same(record: &Named<'_, GroupRecord>, here: &GroupRecord) -> bool {
    let GroupRecord { name, id: _, gid, password, administrators, members, sudo, limits } = record.record;
    let sudo = sudo.as_ref().map(|text| record.called.drop_in(Kind::Group, text));
    let set = |names: &[String]| names.iter().cloned().collect::<HashSet<String>>();
    let text = |password: &Option<Secret>| password.as_ref().map(|password| password.reveal().to_owned());
    *name == here.name
        && *gid == here.gid
        && text(password) == text(&here.password)
        && set(administrators) == set(&here.administrators)
        && set(members) == set(&here.members)
        && sudo == here.sudo.clone().map(Ok)
        && *limits == here.limits
}
