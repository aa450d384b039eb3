//! What can fail without the lock is made ready, for several items side by side; and put in place when the
//! change is made.

use accountd_protocol::batch::Effect;
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;

use super::enter::Entry;
use super::item::Item;
use crate::accounts::create::{NewEntry, ReadyUser};
use crate::accounts::delete::ReadyDeletion;
use crate::accounts::parallel::in_parallel;
use crate::accounts::plan::Planned;
use crate::accounts::update::{ReadyTransfer, ReadyUpdate, Update};
use crate::agent::Agent;
use crate::jobs::Progress;

/// The same as an item; new accounts are planned together.
enum Planning {
    Create(Box<Planned>),
    Change(Item),
}

/// What an item has standing ready. Dropped before the change is made, it is taken away again.
pub(super) enum Ready<'a> {
    Create(ReadyUser<'a>),
    /// With the uid, where it is locked by this.
    Update(ReadyUpdate<'a>, Option<Uid>),
    Delete(AccountId, ReadyDeletion),
    /// Of one that is only tried.
    Nothing,
}

/// An item that is good as far as can be told without the lock.
pub(super) struct Prepared<'a> {
    pub ready: Ready<'a>,
    pub entry: Entry,
    /// The password that was made for it.
    pub made: Option<Secret>,
}

/// What is left to be done when all of them are in place and no session is left.
pub(super) enum Behind<'a> {
    Nothing,
    Update(ReadyTransfer<'a>, Option<Uid>),
    Delete(ReadyDeletion),
}

impl Agent {
    /// Everything that can fail without the lock, for each item by itself.
    pub(super) fn prepare_all(
        &self,
        items: Vec<Result<Item, Refusal>>,
        effect: Effect,
        progress: &Progress<'_>,
    ) -> Result<Vec<Result<Prepared<'_>, Refusal>>, Refusal> {
        let planned = self.plan_new_ones(items)?;
        let left = self.left_to_many(planned.len());
        let create = |mut planned: Planned| {
            let made = self.make_for_new(&mut planned.0.request)?;
            let (ready, entry) = self.ready_user(planned, left.as_ref())?;
            Ok(Prepared { ready: Ready::Create(ready), entry: Entry::Create(Box::new(entry)), made })
        };
        let prepare = |planning| match (planning, effect) {
            (Planning::Create(planned), Effect::Made) => create(*planned),
            (Planning::Create(planned), Effect::Tried) => Ok(tried(Entry::Create(Box::new(NewEntry::tried(*planned))))),
            (Planning::Change(item), Effect::Made) => self.prepare_change(item),
            (Planning::Change(item), Effect::Tried) => self.try_change(item),
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

    fn prepare_change(&self, item: Item) -> Result<Prepared<'_>, Refusal> {
        match item {
            Item::Update { id, mut change, only_if } => {
                let made = self.make_for(&mut change)?;
                let locked = self.shut_out_by(id, &change);
                let (ready, entry) = self.ready_update(id, Update::new(*change, &only_if))?;
                Ok(Prepared { ready: Ready::Update(ready, locked), entry: Entry::Update(id, Box::new(entry)), made })
            }
            Item::Delete { id, home, only_if } => {
                let (ready, entry) = self.ready_deletion(id, (home, OtherProcesses::Left), only_if)?;
                Ok(Prepared { ready: Ready::Delete(id, ready), entry: Entry::Delete(id, entry), made: None })
            }
            Item::Create(_) => Err(Refusal::Internal("internal error".into())),
        }
    }

    fn try_change(&self, item: Item) -> Result<Prepared<'_>, Refusal> {
        Ok(tried(match item {
            Item::Update { id, change, only_if } => {
                Entry::Update(id, Box::new(self.tried_update(id, *change, &only_if)?))
            }
            Item::Delete { id, home, only_if } => Entry::Delete(id, self.tried_deletion(id, home, only_if)?),
            Item::Create(_) => return Err(Refusal::Internal("internal error".into())),
        }))
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
}

fn tried<'a>(entry: Entry) -> Prepared<'a> {
    Prepared { ready: Ready::Nothing, entry, made: None }
}

impl<'a> Ready<'a> {
    /// To be called when the change is made: what stood ready is in place then.
    pub fn finish(self, agent: &Agent) -> (Result<(), Refusal>, Behind<'a>) {
        match self {
            Ready::Create(ready) => (ready.finish(), Behind::Nothing),
            Ready::Update(ready, locked) => {
                let (finished, transfer) = ready.finish();
                (finished, Behind::Update(transfer, locked))
            }
            Ready::Delete(id, ready) => {
                agent.transfers.cancel(id);
                (Ok(()), Behind::Delete(ready))
            }
            Ready::Nothing => (Ok(()), Behind::Nothing),
        }
    }
}
