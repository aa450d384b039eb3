//! A backup taken over: all of it in one change, or nothing.

use std::collections::{HashMap, HashSet};

use accountd_protocol::agent::Operation;
use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use accountd_protocol::backup::{Backup, FORMAT, GroupRecord, UserRecord, VERSION};
use accountd_protocol::batch::Effect;
use accountd_protocol::import::{AccountChoice, Choices, Import, ImportOutcome, ImportReport, ItemKind};
use accountd_protocol::job::JobResult;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use super::enter::Lists;
use super::judge::{Judged, Sight};
use super::ready;
use super::rename::Names;
use crate::agent::{Agent, now};
use crate::database::{Purpose, View};
use crate::identity::handles::Caller;
use crate::identity::roles::has_way_in;
use crate::ids::Question;
use crate::jobs::{Ending, Progress};

/// Users and groups of this machine whose names the backup has too.
struct Here {
    users: HashMap<String, UserRecord>,
    groups: HashMap<String, GroupRecord>,
}

impl Agent {
    /// Works on an import to its end.
    pub(crate) fn run_import(
        &self,
        (by, caller): (Actor, Caller),
        import: Import,
        progress: &Progress<'_>,
    ) -> Result<Ending, Refusal> {
        let operation = Operation::Import(import);
        self.permit(&*self.database.certain_view()?, caller, &operation)?;
        let Operation::Import(Import { mut backup, choices, effect }) = operation else {
            return Err(Refusal::NotPermitted);
        };
        check(&backup, &choices)?;
        let names = Names::give(&mut backup, &choices);
        let here = self.here(&backup)?;
        let view = self.database.certain_view()?;
        let groups_of = groups_of(&backup);
        let mut judged = self.judge(&view, (&backup, &names, &choices), (&here, &groups_of))?;
        self.check_drop_ins(&mut judged, choices.on_missing)?;
        let report = judged.report(&names);
        if effect == Effect::Tried {
            drop(view);
            return self.try_import(by, judged, (report, &groups_of));
        }
        if report.is_open() {
            return Ok(Ending::Failed(JobResult::Import(report)));
        }
        let purpose = Purpose { actor: by.clone(), action: AuditAction::Import, user: None };
        drop(view);
        let ending = self.make_import(purpose, (judged, report, &groups_of), progress);
        if let Ok(Ending::Done(JobResult::Import(report))) = &ending {
            self.record_import(by, &backup, report);
        }
        ending
    }

    fn judge(
        &self,
        view: &View,
        (backup, names, choices): (&Backup, &Names, &Choices),
        (here, groups_of): (&Here, &HashMap<&str, HashSet<&str>>),
    ) -> Result<Judged, Refusal> {
        let outside = self.ids.outside(&questions(backup, choices))?;
        let homes = homes(choices)?;
        let coming = backup.users.iter().map(|user| user.name.as_str());
        let sight = Sight {
            agent: self,
            view,
            outside: &outside,
            shells: &self.shells(),
            choices,
            homes: &homes,
            users_here: &here.users,
            groups_here: &here.groups,
            coming: &coming.filter(|name| !choices.skip.contains(*name)).collect(),
            groups_of,
        };
        sight.judge(backup, names)
    }

    fn here(&self, backup: &Backup) -> Result<Here, Refusal> {
        let users: HashSet<&str> = backup.users.iter().map(|user| user.name.as_str()).collect();
        let groups: HashSet<&str> = backup.groups.iter().map(|group| group.name.as_str()).collect();
        let (unread, groups) = self.of_one_state(|view, sources| {
            let rows = view.users().iter().filter(|row| !row.is_builtin() && users.contains(row.name.as_str()));
            let unread = rows.filter_map(|row| sources.user(view, row)).collect::<Vec<_>>();
            let rows = view.groups().iter().filter(|row| !row.is_builtin() && groups.contains(row.name.as_str()));
            (unread, rows.map(|row| (row.name.clone(), sources.group(view, row))).collect())
        })?;
        let users = self.read_homes(unread).into_iter().map(|record| (record.name.clone(), record)).collect();
        Ok(Here { users, groups })
    }

    fn try_import(
        &self,
        by: Actor,
        judged: Judged,
        (report, groups_of): (ImportReport, &HashMap<&str, HashSet<&str>>),
    ) -> Result<Ending, Refusal> {
        if report.is_open() {
            return Ok(Ending::Done(JobResult::Import(report)));
        }
        let mut lists = Lists::of(&judged);
        lists.following(groups_of, &judged);
        let entries = ready::tried(self, judged, lists);
        let (roles, now) = (self.config().roles.clone(), now());
        let purpose = Purpose { actor: by, action: AuditAction::Import, user: None };
        let (tried, _) = self.database.change(purpose, move |draft| {
            Ok(draft.try_out(|draft| {
                let before = has_way_in(draft, &roles, now);
                entries.enter(draft)?;
                if before && !has_way_in(draft, &roles, now) { Err(Refusal::LastAdministrator) } else { Ok(()) }
            }))
        })?;
        tried.map(|()| Ending::Done(JobResult::Import(report)))
    }

    fn make_import(
        &self,
        purpose: Purpose,
        (judged, mut report, groups_of): (Judged, ImportReport, &HashMap<&str, HashSet<&str>>),
        progress: &Progress<'_>,
    ) -> Result<Ending, Refusal> {
        let mut lists = Lists::of(&judged);
        lists.following(groups_of, &judged);
        let made = self.ready_import((judged, lists), progress);
        if progress.is_cancelled() {
            return Ok(Ending::Cancelled);
        }
        let (ready, entries) = match made? {
            Ok(made) => made,
            Err(refused) => {
                refuse(&mut report, refused);
                return Ok(Ending::Failed(JobResult::Import(report)));
            }
        };
        let ((), generation) = self.change(purpose, move |draft| entries.enter(draft))?;
        let finished = ready.finish();
        self.settle(generation);
        finished.map(|()| Ending::Done(JobResult::Import(report)))
    }

    /// Beside the records of the accounts: whose backup it was.
    fn record_import(&self, by: Actor, backup: &Backup, report: &ImportReport) {
        let count = |outcome| report.items.iter().filter(|item| item.outcome == outcome).count().to_string();
        let said = |field, said: String| FieldChange::new(field, None, Some(said.into()));
        let changes = vec![
            said("machine", crate::audit::shown(&backup.machine, 64)),
            said("backup_created", crate::audit::shown(&backup.created, 64)),
            said("accounts_created", count(ImportOutcome::Created)),
            said("accounts_changed", count(ImportOutcome::Changed)),
        ];
        let event = AuditEvent::done(by, AuditAction::Import, None, changes);
        if let Err(refusal) = self.database.record(vec![event]) {
            tracing::error!(%refusal, "the import is not recorded; its accounts are");
        }
    }
}

/// What is wrong with a backup, or with what is to be done with it, as a whole.
fn check(backup: &Backup, choices: &Choices) -> Result<(), Refusal> {
    if (backup.format.as_str(), backup.version) != (FORMAT, VERSION) {
        return Err(Refusal::invalid(Field::Backup, Problem::Unsupported));
    }
    if !backup.is_whole() {
        return Err(Refusal::invalid(Field::Backup, Problem::Damaged));
    }
    let users: HashSet<&str> = backup.users.iter().map(|user| user.name.as_str()).collect();
    let groups: HashSet<&str> = backup.groups.iter().map(|group| group.name.as_str()).collect();
    let builtin = backup.builtin_groups.iter().map(|group| group.name.as_str());
    let names: HashSet<&str> = users.iter().chain(&groups).copied().chain(builtin).collect();
    let unknown =
        |field| move |name: &String| Invalid { field, problem: Problem::NoSuch(name.escape_debug().to_string()) };
    let is_unknown = |name: &&String| !names.contains(name.as_str());
    let skipped = choices.skip.iter().filter(is_unknown).map(unknown(Field::Skip));
    let chosen = choices.accounts.keys().filter(is_unknown).map(unknown(Field::Accounts));
    let known = choices.accounts.iter().filter(|(name, _)| names.contains(name.as_str()));
    let renamed = known.filter_map(|(name, choice)| nobody_to_rename((name, choice), &users, &groups));
    let invalid: Vec<Invalid> = skipped.chain(chosen).chain(renamed).collect();
    if invalid.is_empty() { Ok(()) } else { Err(Refusal::Invalid(invalid)) }
}

/// A new name that is chosen for nobody.
fn nobody_to_rename(
    (name, choice): (&String, &AccountChoice),
    users: &HashSet<&str>,
    groups: &HashSet<&str>,
) -> Option<Invalid> {
    let (is_user, is_group) = (users.contains(name.as_str()), groups.contains(name.as_str()));
    let what = match choice {
        AccountChoice { rename_user: Some(_), .. } if !is_user => "user",
        AccountChoice { rename_group: Some(_), .. } if !is_group => "group",
        AccountChoice { rename: Some(_), .. } if !is_user && !is_group => "user or group",
        AccountChoice { .. } => return None,
    };
    let nobody = Problem::NoSuch(format!("{what} {}", name.escape_debug()));
    Some(Invalid { field: Field::Accounts, problem: nobody })
}

fn homes(choices: &Choices) -> Result<Vec<(FieldPath, FieldPath)>, Refusal> {
    let path = |text: &String| {
        FieldPath::new(text.as_str()).map_err(|error| Refusal::invalid(Field::Home, Problem::Text(error)))
    };
    choices.homes.iter().map(|(from, to)| Ok((path(from)?, path(to)?))).collect()
}

/// What another source of NSS must not have.
fn questions(backup: &Backup, choices: &Choices) -> Vec<Question> {
    let mut questions = Vec::new();
    for user in &backup.users {
        questions.extend([Question::UserNamed(user.name.clone()), Question::Uid(user.uid)]);
    }
    for group in &backup.groups {
        questions.extend([Question::GroupNamed(group.name.clone()), Question::Gid(group.gid)]);
    }
    for choice in choices.accounts.values() {
        questions.extend(choice.uid.map(Question::Uid).into_iter().chain(choice.gid.map(Question::Gid)));
    }
    questions
}

fn groups_of(backup: &Backup) -> HashMap<&str, HashSet<&str>> {
    let mut groups_of: HashMap<&str, HashSet<&str>> = HashMap::new();
    let groups = backup.groups.iter().map(|group| (group.name.as_str(), &group.members));
    let builtin = backup.builtin_groups.iter().map(|group| (group.name.as_str(), &group.members));
    for (group, members) in groups.chain(builtin) {
        members.iter().for_each(|member| _ = groups_of.entry(member).or_default().insert(group));
    }
    groups_of
}

/// What was found out only when it was to be made.
fn refuse(report: &mut ImportReport, refused: ready::Faulty) {
    for (index, invalid) in refused {
        let item = report.items.iter_mut().find(|item| item.kind == ItemKind::User && item.index == index);
        if let Some(item) = item {
            item.outcome = ImportOutcome::Refused;
            item.open.extend(invalid);
        }
    }
}
