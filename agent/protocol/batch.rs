//! Many changes of users in one request.

use serde::{Deserialize, Serialize};

use crate::agent::{NewUser, UserChange};
use crate::id::{AccountId, AccountRef};
use crate::precondition::Precondition;
use crate::refusal::{Refusal, Unread};
use crate::removal::DeletedHome;

/// The most items of one request.
pub const MOST_ITEMS: usize = 10_000;

/// Each item is judged against the accounts as they are before all of them; no user may be in two.
#[derive(Debug, Serialize, Deserialize)]
pub struct Batch {
    pub items: Vec<BatchItem>,
    pub together: Together,
    pub effect: Effect,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchItem {
    Create(Box<NewUser>),
    Update {
        who: AccountRef,
        change: Box<UserChange>,
        only_if: Precondition,
    },
    Delete {
        who: AccountRef,
        home: DeletedHome,
        only_if: Precondition,
    },
    /// One that is refused, whatever there is; its result says so beside those of the others.
    Unread(Vec<Unread>),
}

/// What a refused item means for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Together {
    /// None of them is done.
    #[default]
    AllOrNone,
    /// Nothing.
    EachAlone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    #[default]
    Made,
    /// Nothing is changed; the outcomes say what would be.
    Tried,
}

/// What came of one item, or would come of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemOutcome {
    /// The account; `None` where a new one was only tried.
    Done(Option<AccountId>),
    Refused(Refusal),
    /// Good by itself, but for another that is not.
    NotDone,
}
