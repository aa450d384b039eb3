//! The items of a batch under the lock: all of them in one change, or each alone in it.

use std::sync::{Arc, Mutex, PoisonError};

use accountd_config::Roles;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;

use crate::accounts::create::NewEntry;
use crate::accounts::delete::DeletionEntry;
use crate::accounts::memberships::Joining;
use crate::accounts::update_lines::UpdateEntry;
use crate::database::{Draft, View};
use crate::identity::roles::has_way_in;

/// What an item enters.
pub(super) enum Entry {
    Create(Box<NewEntry>),
    Update(AccountId, Box<UpdateEntry>),
    Delete(AccountId, DeletionEntry),
}

/// The item that has kept all of them from being done.
#[derive(Clone, Debug, Default)]
pub(super) struct Culprit(Arc<Mutex<Option<(usize, Refusal)>>>);

impl Culprit {
    fn is(&self, index: usize, refusal: &Refusal) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((index, refusal.clone()));
    }

    pub fn take(&self) -> Option<(usize, Refusal)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is refused first keeps all from being done.
pub(super) fn enter_all(
    draft: &mut Draft<'_>,
    entries: Vec<Result<Entry, Refusal>>,
    culprit: &Culprit,
) -> Result<Vec<Result<AccountId, Refusal>>, Refusal> {
    let mut joining = Joining::default();
    let entered = entries.into_iter().enumerate().map(|(index, entry)| {
        entry
            .and_then(|entry| {
                if entry.looks_at_groups() {
                    joining.enter(draft);
                }
                entry.enter(draft, &mut joining)
            })
            .map(Ok)
            .inspect_err(|refusal| culprit.is(index, refusal))
    });
    let entered = entered.collect::<Result<Vec<_>, _>>()?;
    joining.enter(draft);
    Ok(entered)
}

/// What is refused, or would leave nobody to administer, is undone by itself.
pub(super) fn enter_each(
    draft: &mut Draft<'_>,
    entries: Vec<Result<Entry, Refusal>>,
    (roles, now): (&Roles, u64),
) -> Vec<Result<AccountId, Refusal>> {
    let before = has_way_in(draft, roles, now);
    let is_open = |view: &View| !before || has_way_in(view, roles, now);
    let mut joining = Joining::watching(&roles.administrators);
    let mut enter = |entry: Entry| {
        if entry.looks_at_groups() {
            // What is undone with an item must not be another's.
            joining.enter(draft);
        }
        let (is_new, place) = (entry.is_new(), joining.place());
        let entered = draft.attempt(|draft| {
            let id = entry.enter(draft, &mut joining)?;
            if !is_new && !is_open(draft) { Err(Refusal::LastAdministrator) } else { Ok(id) }
        });
        entered.inspect_err(|_| joining.back_to(place))
    };
    let entered = entries.into_iter().map(|entry| entry.and_then(&mut enter)).collect();
    joining.enter(draft);
    entered
}

impl Entry {
    fn enter(self, draft: &mut Draft<'_>, joining: &mut Joining) -> Result<AccountId, Refusal> {
        match self {
            Entry::Create(entry) => entry.enter(draft, joining).map_err(|invalid| Refusal::Invalid(vec![invalid])),
            Entry::Update(id, entry) => {
                draft.mention(id);
                entry.enter(draft, joining).map(|()| id)
            }
            Entry::Delete(id, entry) => entry.enter(draft).map(|()| id),
        }
    }

    /// Whether those who are on the way into groups, or out of them, have to be there before it.
    fn looks_at_groups(&self) -> bool {
        match self {
            Entry::Create(_) => false,
            Entry::Update(_, entry) => entry.looks_at_groups(),
            Entry::Delete(..) => true,
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
