//! Many changes of users in one change of the database.

mod enter;
mod item;
mod ready;
mod refused;

use accountd_protocol::agent::Operation;
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::batch::{Batch, Effect, ItemOutcome, MOST_ITEMS, Together};
use accountd_protocol::id::AccountId;
use accountd_protocol::job::{JobResult, MadePassword};
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use self::enter::{Culprit, Entry, enter_all, enter_each};
use self::item::{Asked, resolved, with_keys};
use self::ready::{Behind, Prepared, Ready};
use super::parallel::in_parallel;
use crate::agent::{Agent, now};
use crate::database::Purpose;
use crate::identity::handles::Caller;
use crate::jobs::{Ending, Progress};

#[cfg(test)]
mod tests;

/// What an item has standing ready, and what has become of it in the files.
type Entered<'a> = (Option<(Ready<'a>, Option<Secret>)>, Result<AccountId, Refusal>);

impl Agent {
    /// Works on a batch to its end.
    pub(crate) fn run_batch(
        &self,
        (by, caller): (Actor, Caller),
        batch: Batch,
        progress: &Progress<'_>,
    ) -> Result<Ending, Refusal> {
        let operation = Operation::Batch(batch);
        let view = self.database.certain_view()?;
        self.permit(&view, caller, &operation)?;
        let Operation::Batch(Batch { items, together, effect }) = operation else { return Err(Refusal::NotPermitted) };
        if items.len() > MOST_ITEMS {
            let too_many = Problem::TooMany { max: MOST_ITEMS, actual: items.len() };
            return Err(Refusal::invalid(Field::Items, too_many));
        }
        let asked: Vec<Asked> = items.iter().map(|item| Asked::of(&view, caller.account, item)).collect();
        let items = resolved(&view, caller.account, items);
        drop(view);
        // Until their key files are in place.
        let _alone = match effect {
            Effect::Made => Some(self.key_writers.alone_with(with_keys(&items))?),
            Effect::Tried => None,
        };
        let prepared = self.prepare_all(items, effect, progress)?;
        if progress.is_cancelled() {
            return Ok(Ending::Cancelled);
        }
        if together == Together::AllOrNone && prepared.iter().any(Result::is_err) {
            return Ok(Ending::Failed(JobResult::Batch(prepared.into_iter().map(not_done).collect())));
        }
        let purpose = Purpose { actor: by, action: AuditAction::Batch, user: None };
        match effect {
            Effect::Tried => self.try_out(purpose, prepared, together),
            Effect::Made => self.make(purpose, (prepared, &asked), together),
        }
    }

    fn try_out(
        &self,
        purpose: Purpose,
        prepared: Vec<Result<Prepared<'_>, Refusal>>,
        together: Together,
    ) -> Result<Ending, Refusal> {
        let entries: Vec<Result<Entry, Refusal>> =
            prepared.into_iter().map(|prepared| prepared.map(|prepared| prepared.entry)).collect();
        let (roles, now) = (self.config().roles.clone(), now());
        let (outcomes, _) = self.database.change(purpose, move |draft| {
            Ok(draft.try_out(|draft| {
                let entered = enter_each(draft, entries, (&roles, now));
                entered.into_iter().map(|entered| entered.map(|_| None)).collect::<Vec<_>>()
            }))
        })?;
        let is_good = outcomes.iter().all(Result::is_ok);
        let outcome = |outcome: Result<Option<AccountId>, Refusal>| match outcome {
            Ok(_) if !is_good && together == Together::AllOrNone => ItemOutcome::NotDone,
            Ok(id) => ItemOutcome::Done(id),
            Err(refusal) => ItemOutcome::Refused(refusal),
        };
        let result = JobResult::Batch(outcomes.into_iter().map(outcome).collect());
        Ok(if is_good || together == Together::EachAlone { Ending::Done(result) } else { Ending::Failed(result) })
    }

    fn make(
        &self,
        purpose: Purpose,
        (prepared, asked): (Vec<Result<Prepared<'_>, Refusal>>, &[Asked]),
        together: Together,
    ) -> Result<Ending, Refusal> {
        let (mut standing, mut entries) = (Vec::new(), Vec::new());
        for prepared in prepared {
            let (one, entry) = match prepared {
                Ok(Prepared { ready, entry, made }) => (Some((ready, made)), Ok(entry)),
                Err(refusal) => (None, Err(refusal)),
            };
            standing.push(one);
            entries.push(entry);
        }
        let (culprit, by, count) = (Culprit::default(), purpose.actor.clone(), entries.len());
        let (found, roles, now) = (culprit.clone(), self.config().roles.clone(), now());
        let changed = self.change(purpose, move |draft| match together {
            Together::AllOrNone => enter_all(draft, entries, &found),
            Together::EachAlone => Ok(enter_each(draft, entries, (&roles, now))),
        });
        let (entered, generation) = match changed {
            Ok(changed) => changed,
            Err(refusal) => {
                let (index, refusal) = culprit.take().ok_or(refusal)?;
                return Ok(Ending::Failed(JobResult::Batch(all_but(count, index, refusal))));
            }
        };
        let refused = entered.iter().zip(asked).enumerate();
        let refused = refused.filter_map(|(index, (entered, asked))| Some((index, asked, entered.as_ref().err()?)));
        self.record_refused_items(&by, &refused.collect::<Vec<_>>());
        let (outcomes, passwords, behind) = self.finish_all(standing.into_iter().zip(entered).collect());
        self.settle(generation);
        behind.into_iter().for_each(|behind| self.finish_behind(behind));
        let result = JobResult::Batch(outcomes);
        Ok(if passwords.is_empty() { Ending::Done(result) } else { Ending::DoneWith(result, passwords) })
    }

    /// What stood ready is put in place, for several side by side: key files are written by a process each.
    fn finish_all<'a>(&'a self, entered: Vec<Entered<'a>>) -> (Vec<ItemOutcome>, Vec<MadePassword>, Vec<Behind<'a>>) {
        let finished = in_parallel(entered, |(standing, entered): Entered<'a>| {
            // What stood ready for one that was not entered is taken away when it is dropped.
            let (id, (ready, made)) = (entered?, standing.ok_or_else(|| Refusal::Internal("internal error".into()))?);
            let (finished, behind) = ready.finish(self);
            Ok((id, finished, made, behind))
        });
        let (mut outcomes, mut passwords, mut all_behind) = (Vec::new(), Vec::new(), Vec::new());
        for (index, finished) in finished.into_iter().enumerate() {
            let outcome = finished.and_then(|(id, finished, made, behind)| {
                all_behind.push(behind);
                finished?;
                passwords.extend(made.map(|password| MadePassword { index, password: Some(password) }));
                Ok(id)
            });
            outcomes.push(outcome.map_or_else(ItemOutcome::Refused, |id| ItemOutcome::Done(Some(id))));
        }
        (outcomes, passwords, all_behind)
    }

    /// What is not ended is logged; the accounts are locked or gone all the same.
    fn finish_behind(&self, behind: Behind<'_>) {
        match behind {
            Behind::Nothing => {}
            Behind::Update(transfer, locked) => {
                let _ = transfer.begin();
                locked.into_iter().for_each(|uid| _ = self.end_samba(uid));
            }
            Behind::Delete(ready) => _ = ready.finish(self),
        }
    }
}

fn not_done(prepared: Result<Prepared<'_>, Refusal>) -> ItemOutcome {
    match prepared {
        Ok(_) => ItemOutcome::NotDone,
        Err(refusal) => ItemOutcome::Refused(refusal),
    }
}

fn all_but(count: usize, index: usize, refusal: Refusal) -> Vec<ItemOutcome> {
    let mut outcomes = vec![ItemOutcome::NotDone; count];
    outcomes.get_mut(index).into_iter().for_each(|outcome| *outcome = ItemOutcome::Refused(refusal.clone()));
    outcomes
}
