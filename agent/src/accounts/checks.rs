//! Check and repair: what there is to say about all accounts at once, and doing what was chosen
//! of it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::checks::{
    CheckReport, CheckedHomes, CheckedObject, RepairOrder, RepairOutcome, RepairRefused, RepairReport,
};
use accountd_protocol::refusal::Refusal;
use tracing::{info, warn};

use super::suspended::is_locked;
use crate::agent::{Agent, now};
use crate::checks::{
    Area, Belongings, Facts, Fault, Found, HomeOf, Plan, Repair, Sheets, Strangers, Subordinate, check_belongings,
    check_commands, check_drop_ins, check_homes, check_lines, check_subordinate, check_suspended, digest, homes_of,
    overlapping, owners, read_drop_ins,
};
use crate::database::entry::number_of;
use crate::database::{FileKind, Purpose, View};
use crate::homes::{Seen, look_at_homes};
use crate::ids::Question;

/// What a check has found, and what it had to know for that.
struct Checked {
    plan: Plan,
    facts: Arc<Facts>,
}

/// What lies beside the account files, read before the accounts are looked at.
struct Around {
    belongings: Belongings,
    ranges: [(Subordinate, Vec<u8>); 2],
}

impl Agent {
    /// Changes nothing.
    pub(crate) fn check(&self, homes: CheckedHomes) -> Result<CheckReport, Refusal> {
        Ok(self.look_at_all(homes)?.plan.report(homes))
    }

    fn look_at_all(&self, homes: CheckedHomes) -> Result<Checked, Refusal> {
        let around = Around {
            belongings: Belongings::list(self.root()),
            ranges: [Subordinate::Uids, Subordinate::Gids].map(|file| (file, file.read(self.root()))),
        };
        let view = self.database.certain_view()?;
        let (lines, mut others, facts, of_homes) = self.look_at_accounts(&view, &around);
        // A home may be slow; nobody has to wait for the accounts meanwhile.
        drop(view);
        if homes == CheckedHomes::Looked {
            others.extend(self.look_at(&of_homes));
        }
        Ok(Checked { plan: Plan::new(lines, others), facts: Arc::new(facts) })
    }

    /// What is found in lines and drop-ins, what is found elsewhere, and the homes.
    fn look_at_accounts(&self, view: &View, around: &Around) -> (Vec<Found>, Vec<Found>, Facts, Vec<HomeOf>) {
        let sheets = Sheets::of(view);
        std::thread::scope(|scope| {
            let homes = scope.spawn(|| {
                let mut of_homes = homes_of(view, &sheets.users, &self.homes);
                (overlapping(&mut of_homes), of_homes)
            });
            let facts = self.facts((view, &sheets), around);
            let lines = in_files((view, &sheets), &facts, self.root());
            let mut others: Vec<Found> =
                facts.silent.iter().map(|source| no_answer(Area::Nss, source.clone())).collect();
            others.extend(beside(view, &facts, around));
            // That they can not be listed is said with the lines.
            others.extend(check_commands(view, &read_drop_ins(self.root()).unwrap_or_default(), self.root()));
            let (overlaps, of_homes) = homes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            others.extend(overlaps);
            (lines, others, facts, of_homes)
        })
    }

    fn look_at(&self, homes: &[HomeOf]) -> Vec<Found> {
        let paths: Vec<_> = homes.iter().map(|home| home.home.clone()).collect();
        let seen = look_at_homes(self.homes.root(), &paths, &self.looking);
        let view = self.database.known_view();
        let owners: HashSet<u32> = seen.iter().flat_map(Seen::owners).collect();
        let strange = owners.into_iter().filter(|uid| !view.file(FileKind::Passwd).has_number(*uid));
        let questions: Vec<Question> = strange.map(Question::Uid).collect();
        // Where a source is silent, every strange uid may be somebody's.
        let elsewhere = self.ids.elsewhere_of(&questions).unwrap_or_else(|_| questions.iter().collect());
        let elsewhere: HashSet<&Question> = elsewhere.into_iter().collect();
        check_homes(homes, &seen, |uid| {
            let here = view.names_of_uid(uid).first().map(|name| (*name).to_owned());
            here.or_else(|| elsewhere.contains(&Question::Uid(uid)).then(|| format!("uid {uid} of another source")))
        })
    }

    /// What other sources have of everything that is named and not here.
    fn facts(&self, (view, sheets): (&View, &Sheets<'_>), around: &Around) -> Facts {
        let mut facts = Facts::of_files(sheets, self.root(), now() / 86_400);
        let mut strangers = Strangers::of(sheets);
        let named = around.ranges.iter().flat_map(|(_, content)| owners(content)).chain(around.belongings.names());
        let named = named.filter(|name| view.line(FileKind::Passwd, name).is_none());
        strangers.users.extend(named.map(str::to_owned));
        let uids = around.belongings.uids().collect::<HashSet<u32>>().into_iter();
        let uids = uids.filter(|uid| !view.file(FileKind::Passwd).has_number(*uid)).map(Question::Uid);
        let users = strangers.users.into_iter().map(Question::UserNamed);
        let questions: Vec<Question> = users.chain(strangers.gids.into_iter().map(Question::Gid)).chain(uids).collect();
        match self.ids.elsewhere_of(&questions) {
            Ok(known) => known.into_iter().for_each(|question| match question {
                Question::UserNamed(name) => drop(facts.users.insert(name.clone())),
                Question::Uid(uid) => drop(facts.uids.insert(*uid)),
                Question::Gid(gid) => drop(facts.gids.insert(*gid)),
                Question::GroupNamed(_) => {}
            }),
            Err(error) => {
                warn!(%error, "a check can not tell who is unknown");
                facts.silent =
                    Some(format!("{error}; nobody can be said to be unknown, so nothing of them is repaired"));
            }
        }
        facts
    }

    /// Repairs what was chosen of a check that finds now what it found then.
    pub(crate) fn repair_checks(&self, by: &Actor, order: &RepairOrder) -> Result<RepairReport, Refusal> {
        let Checked { plan, facts } = self.look_at_all(order.homes)?;
        if plan.digest != order.digest {
            return Ok(RepairReport::Refused(RepairRefused::Changed));
        }
        let numbers = match plan.choose(&order.chosen) {
            Ok(numbers) => numbers,
            Err(refused) => return Ok(RepairReport::Refused(refused)),
        };
        let (in_homes, in_files): (Vec<Repair>, Vec<Repair>) =
            plan.repairs(&numbers).into_iter().partition(|repair| matches!(repair, Repair::Home { .. }));
        let Some(mut outcomes) = self.repair_files(by, in_files, plan.lines.clone(), facts)? else {
            return Ok(RepairReport::Refused(RepairRefused::Changed));
        };
        for repair in in_homes {
            let Repair::Home { id } = &repair else { continue };
            let outcome = match self.mend_keys(by, *id) {
                Ok(()) => RepairOutcome::Done,
                Err(refusal) => RepairOutcome::NotDone(in_words(&refusal)),
            };
            outcomes.insert(repair, outcome);
        }
        info!(findings = numbers.len(), repairs = outcomes.len(), "what a check has found was repaired");
        Ok(RepairReport::Performed(plan.outcomes(&numbers, &outcomes)))
    }

    /// All in one change. `None` where lines and drop-ins are not those of the check, whose findings
    /// had the digest `expected`: then nothing has changed.
    fn repair_files(
        &self,
        by: &Actor,
        repairs: Vec<Repair>,
        expected: String,
        facts: Arc<Facts>,
    ) -> Result<Option<HashMap<Repair, RepairOutcome>>, Refusal> {
        if repairs.is_empty() {
            return Ok(Some(HashMap::new()));
        }
        let root = self.root().to_owned();
        let purpose = Purpose { actor: by.clone(), action: AuditAction::RepairChecks, user: None };
        let (outcomes, generation) = self.change(purpose, move |draft| {
            if digest(&in_files((draft, &Sheets::of(draft)), &facts, &root)) != expected {
                return Ok(None);
            }
            let enter = |repair: Repair| {
                let outcome = repair.enter(draft, facts.today);
                (repair, outcome)
            };
            Ok(Some(repairs.into_iter().map(enter).collect()))
        })?;
        self.settle(generation);
        Ok(outcomes)
    }
}

/// What can be looked at again under the lock: the lines, and the drop-ins of sudo.
fn in_files((view, sheets): (&View, &Sheets<'_>), facts: &Facts, root: &Path) -> Vec<Found> {
    let mut found = check_lines(view, sheets, facts);
    match read_drop_ins(root) {
        Ok(drop_ins) => found.extend(check_drop_ins(view, &drop_ins)),
        Err(error) => {
            found.push(no_answer(Area::Sudo, format!("the drop-ins of sudo can not be listed: {error}")));
        }
    }
    found
}

/// What belongs to accounts and is not in their files.
fn beside(view: &View, facts: &Facts, around: &Around) -> Vec<Found> {
    let is_user = |name: &str| facts.has_user(view, name);
    let mut found =
        check_belongings(&around.belongings, is_user, |uid| facts.has_uid(view, uid), facts.silent.is_none());
    let is_open = |name: &str| view.user_named(name).is_some_and(|row| !is_locked(view, row.id));
    found.extend(check_suspended(&around.belongings, is_open));
    let is_owner = |owner: &str| is_user(owner) || owner.parse().is_ok_and(|uid| facts.has_uid(view, uid));
    for (file, content) in &around.ranges {
        let kind = match file {
            Subordinate::Uids => FileKind::Passwd,
            Subordinate::Gids => FileKind::Group,
        };
        let numbers = view.file(kind).entries().filter_map(|(_, line)| number_of(line)).collect();
        found.extend(check_subordinate(*file, content, &numbers, is_owner));
    }
    found
}

fn no_answer(area: Area, message: String) -> Found {
    Found::new(area, Fault::NoAnswer, CheckedObject::default(), message)
}

fn in_words(refusal: &Refusal) -> String {
    let Some(invalid) = refusal.invalid_fields() else { return refusal.to_string() };
    let problems: Vec<String> = invalid.iter().map(|invalid| invalid.problem.to_string()).collect();
    problems.join("; ")
}
