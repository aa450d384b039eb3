//! Many changes of users in one change of the database.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use accountd_protocol::agent::{NewPassword, NewUser, Operation, RandomPassword, UserChange};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::batch::{Batch, BatchItem, Effect, ItemOutcome, MOST_ITEMS, Together};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::job::JobResult;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::removal::DeletedHome;

use super::create::{NewEntry, ReadyUser};
use super::delete::{DeletionEntry, ReadyDeletion};
use super::find::user_called;
use super::memberships::Joining;
use super::parallel::in_parallel;
use super::plan::Planned;
use super::suspended::is_locked;
use super::update::ReadyUpdate;
use super::update_lines::UpdateEntry;
use crate::agent::{Agent, now};
use crate::database::{Draft, Purpose, View};
use crate::identity::handles::Caller;
use crate::identity::roles::has_way_in;
use crate::jobs::{Ending, Progress};

/// An item whose account is known.
enum Item {
    Create(Box<NewUser>),
    Update { id: AccountId, change: Box<UserChange>, only_if: Precondition },
    Delete { id: AccountId, home: DeletedHome, only_if: Precondition },
}

/// The same for what is done without the lock; new accounts are planned together.
enum Planning {
    Create(Box<Planned>),
    Change(Item),
}

/// What an item has standing ready.
enum Ready<'a> {
    Create(ReadyUser<'a>),
    /// With the uid, where it is locked by this.
    Update(ReadyUpdate<'a>, Option<Uid>),
    Delete(AccountId, ReadyDeletion),
    /// Of one that is only tried.
    Nothing,
}

/// What an item enters under the lock.
enum Entry {
    Create(Box<NewEntry>),
    Update(AccountId, Box<UpdateEntry>),
    Delete(AccountId, DeletionEntry),
}

/// An item that is good as far as can be told without the lock.
type Prepared<'a> = (Ready<'a>, Entry);

/// The item that has kept all of them from being done.
type Culprit = Arc<Mutex<Option<(usize, Refusal)>>>;

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
        let items = resolved(&view, caller.account, items);
        drop(view);
        let prepared = self.prepare_all(items, effect, progress)?;
        if progress.is_cancelled() {
            return Ok(Ending::Cancelled);
        }
        if together == Together::AllOrNone && prepared.iter().any(Result::is_err) {
            let outcome = |prepared: Result<Prepared<'_>, Refusal>| match prepared {
                Ok(_) => ItemOutcome::NotDone,
                Err(refusal) => ItemOutcome::Refused(refusal),
            };
            return Ok(Ending::Failed(JobResult::Batch(prepared.into_iter().map(outcome).collect())));
        }
        let purpose = Purpose { actor: by, action: AuditAction::Batch, user: None };
        match effect {
            Effect::Tried => self.try_out(purpose, prepared, together),
            Effect::Made => self.make(purpose, prepared, together),
        }
    }

    /// Everything that can fail without the lock, for each item by itself.
    fn prepare_all(
        &self,
        items: Vec<Result<Item, Refusal>>,
        effect: Effect,
        progress: &Progress<'_>,
    ) -> Result<Vec<Result<Prepared<'_>, Refusal>>, Refusal> {
        let planned = self.plan_new_ones(items)?;
        let left = self.left_to_many(planned.len());
        let prepare = |planning: Planning| match (planning, effect) {
            (Planning::Create(planned), Effect::Made) => {
                let (ready, entry) = self.ready_user(*planned, left.as_ref())?;
                Ok((Ready::Create(ready), Entry::Create(Box::new(entry))))
            }
            (Planning::Create(planned), Effect::Tried) => {
                Ok((Ready::Nothing, Entry::Create(Box::new(NewEntry::tried(*planned)))))
            }
            (Planning::Change(Item::Update { id, change, only_if }), Effect::Made) => {
                let locked = self.is_locked_by(id, &change);
                let (ready, entry) = self.ready_update(id, (*change, OtherProcesses::Left), (&only_if).into())?;
                Ok((Ready::Update(ready, locked), Entry::Update(id, Box::new(entry))))
            }
            (Planning::Change(Item::Update { id, change, only_if }), Effect::Tried) => {
                let entry = self.tried_update(id, *change, &only_if)?;
                Ok((Ready::Nothing, Entry::Update(id, Box::new(entry))))
            }
            (Planning::Change(Item::Delete { id, home, only_if }), Effect::Made) => {
                let (ready, entry) = self.ready_deletion(id, (home, OtherProcesses::Left), only_if)?;
                Ok((Ready::Delete(id, ready), Entry::Delete(id, entry)))
            }
            (Planning::Change(Item::Delete { id, home, only_if }), Effect::Tried) => {
                Ok((Ready::Nothing, Entry::Delete(id, self.tried_deletion(id, home, only_if)?)))
            }
            (Planning::Change(Item::Create(_)), _) => Err(Refusal::Internal("internal error".into())),
        };
        Ok(in_parallel(planned, |planning: Result<Planning, Refusal>| {
            if progress.is_cancelled() {
                return Err(Refusal::Changed);
            }
            let prepared = planning.and_then(prepare);
            progress.step();
            prepared
        }))
    }

    fn is_locked_by(&self, id: AccountId, change: &UserChange) -> Option<Uid> {
        let view = self.database.view();
        let locks = change.locked == Some(true) && !is_locked(&view, id);
        view.user(id).filter(|_| locks).map(|row| row.uid)
    }

    fn plan_new_ones(&self, items: Vec<Result<Item, Refusal>>) -> Result<Vec<Result<Planning, Refusal>>, Refusal> {
        let mut new = Vec::new();
        // A new one leaves its place open until all are planned.
        let rest: Vec<Option<Result<Item, Refusal>>> = items
            .into_iter()
            .map(|item| match item {
                Ok(Item::Create(request)) => {
                    new.push(*request);
                    None
                }
                item => Some(item),
            })
            .collect();
        let mut planned = self.plan_all(new)?.into_iter();
        let planning = |item: Option<Result<Item, Refusal>>| match item {
            Some(item) => item.map(Planning::Change),
            None => match planned.next() {
                Some(Ok(planned)) => Ok(Planning::Create(Box::new(planned))),
                Some(Err(invalid)) => Err(Refusal::Invalid(invalid)),
                None => Err(Refusal::Internal("internal error".into())),
            },
        };
        Ok(rest.into_iter().map(planning).collect())
    }

    fn try_out(
        &self,
        purpose: Purpose,
        prepared: Vec<Result<Prepared<'_>, Refusal>>,
        together: Together,
    ) -> Result<Ending, Refusal> {
        let entries: Vec<Result<Entry, Refusal>> =
            prepared.into_iter().map(|prepared| prepared.map(|(_, entry)| entry)).collect();
        let (roles, now) = (self.config.roles.clone(), now());
        let (outcomes, _) = self.database.change(purpose, move |draft| {
            let way_in = |view: &View| has_way_in(view, &roles, now);
            Ok(draft.try_out(|draft| {
                let before = way_in(draft);
                let entered = enter_each(draft, entries, |view| !before || way_in(view));
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
        prepared: Vec<Result<Prepared<'_>, Refusal>>,
        together: Together,
    ) -> Result<Ending, Refusal> {
        let (mut ready, mut entries) = (Vec::new(), Vec::new());
        for prepared in prepared {
            let (standing, entry) = prepared.map_or_else(|refusal| (None, Err(refusal)), |(r, e)| (Some(r), Ok(e)));
            ready.push(standing);
            entries.push(entry);
        }
        let culprit = Culprit::default();
        let (found, roles, now) = (culprit.clone(), self.config.roles.clone(), now());
        let count = entries.len();
        let changed = self.change(purpose, move |draft| {
            let before = has_way_in(draft, &roles, now);
            match together {
                Together::AllOrNone => enter_all(draft, entries, &found),
                Together::EachAlone => Ok(enter_each(draft, entries, |view| !before || has_way_in(view, &roles, now))),
            }
        });
        let (entered, generation) = match changed {
            Ok(changed) => changed,
            Err(refusal) => {
                let culprit = culprit.lock().unwrap_or_else(PoisonError::into_inner).take();
                let (index, refusal) = culprit.ok_or(refusal)?;
                return Ok(Ending::Failed(JobResult::Batch(all_but(count, index, refusal))));
            }
        };
        let mut transfers = Vec::new();
        let (mut deleted, mut locked) = (Vec::new(), Vec::new());
        let mut outcomes = Vec::new();
        for (standing, entered) in ready.into_iter().zip(entered) {
            // What stood ready for one that was not entered is taken away when it is dropped.
            let outcome = entered.and_then(|id| {
                let finished = match standing {
                    Some(Ready::Create(ready)) => ready.finish(),
                    Some(Ready::Update(ready, by_this)) => {
                        let (finished, transfer) = ready.finish();
                        transfers.push(transfer);
                        locked.extend(by_this);
                        finished
                    }
                    Some(Ready::Delete(id, ready)) => {
                        self.transfers.cancel(id);
                        deleted.push(ready);
                        Ok(())
                    }
                    Some(Ready::Nothing) | None => Ok(()),
                };
                finished.map(|()| id)
            });
            outcomes.push(outcome.map_or_else(ItemOutcome::Refused, |id| ItemOutcome::Done(Some(id))));
        }
        self.settle(generation);
        transfers.into_iter().for_each(|transfer| _ = transfer.begin());
        // What is not ended is logged; the accounts are locked or gone all the same.
        locked.into_iter().for_each(|uid| _ = self.end_samba(uid));
        deleted.into_iter().for_each(|ready| _ = ready.finish(self));
        Ok(Ending::Done(JobResult::Batch(outcomes)))
    }
}

/// The accounts that the items call, each in one item only.
fn resolved(view: &View, caller: AccountId, items: Vec<BatchItem>) -> Vec<Result<Item, Refusal>> {
    let mut known = HashSet::new();
    let mut find = |who: &AccountRef| {
        let id = user_called(view, who, caller).ok_or(Refusal::NotFound)?.id;
        if known.insert(id) { Ok(id) } else { Err(Refusal::invalid(Field::UserName, Problem::Twice)) }
    };
    let one = |item| match item {
        // What it is would be kept with the job.
        BatchItem::Create(new) if matches!(new.password, NewPassword::Random) => {
            Err(Refusal::invalid(Field::RandomPassword, Problem::Unsupported))
        }
        BatchItem::Create(new) => Ok(Item::Create(new)),
        // Who writes a key file has to be the only one who does, which nobody can be of many.
        BatchItem::Update { change, .. } if change.ssh_keys.is_some() => {
            Err(Refusal::invalid(Field::SshKeys, Problem::Unsupported))
        }
        BatchItem::Update { change, .. } if change.random_password != RandomPassword::No => {
            Err(Refusal::invalid(Field::RandomPassword, Problem::Unsupported))
        }
        BatchItem::Update { who, change, only_if } => Ok(Item::Update { id: find(&who)?, change, only_if }),
        BatchItem::Delete { who, home, only_if } => Ok(Item::Delete { id: find(&who)?, home, only_if }),
    };
    items.into_iter().map(one).collect()
}

/// What is refused first keeps all from being done.
fn enter_all(
    draft: &mut Draft<'_>,
    entries: Vec<Result<Entry, Refusal>>,
    culprit: &Culprit,
) -> Result<Vec<Result<AccountId, Refusal>>, Refusal> {
    let mut joining = Joining::default();
    let entered = entries.into_iter().enumerate().map(|(index, entry)| {
        entry.and_then(|entry| entry.enter(draft, &mut joining)).map(Ok).inspect_err(|refusal| {
            *culprit.lock().unwrap_or_else(PoisonError::into_inner) = Some((index, refusal.clone()));
        })
    });
    let entered = entered.collect::<Result<Vec<_>, _>>()?;
    joining.enter(draft);
    Ok(entered)
}

/// What is refused, or would leave nobody to administer, is undone by itself.
fn enter_each(
    draft: &mut Draft<'_>,
    entries: Vec<Result<Entry, Refusal>>,
    is_open: impl Fn(&View) -> bool,
) -> Vec<Result<AccountId, Refusal>> {
    let mut joining = Joining::default();
    let mut enter = |entry: Entry| {
        let is_new = entry.is_new();
        if !is_new {
            // What is undone with an item must not be another's.
            joining.enter(draft);
        }
        draft.attempt(|draft| {
            let id = entry.enter(draft, &mut joining)?;
            if !is_new && !is_open(draft) { Err(Refusal::LastAdministrator) } else { Ok(id) }
        })
    };
    let entered = entries.into_iter().map(|entry| entry.and_then(&mut enter)).collect();
    joining.enter(draft);
    entered
}

fn all_but(count: usize, index: usize, refusal: Refusal) -> Vec<ItemOutcome> {
    let mut outcomes = vec![ItemOutcome::NotDone; count];
    outcomes.get_mut(index).into_iter().for_each(|outcome| *outcome = ItemOutcome::Refused(refusal.clone()));
    outcomes
}

impl Entry {
    fn enter(self, draft: &mut Draft<'_>, joining: &mut Joining) -> Result<AccountId, Refusal> {
        match self {
            Entry::Create(entry) => entry.enter(draft, joining).map_err(|invalid| Refusal::Invalid(vec![invalid])),
            Entry::Update(id, entry) => {
                joining.enter(draft);
                draft.mention(id);
                entry.enter(draft).map(|()| id)
            }
            Entry::Delete(id, entry) => {
                joining.enter(draft);
                entry.enter(draft).map(|()| id)
            }
        }
    }

    /// A new account takes nobody's way in.
    fn is_new(&self) -> bool {
        match self {
            Entry::Create(_) => true,
            Entry::Update(..) | Entry::Delete(..) => false,
        }
    }
}
