//! What a batch asks for: the accounts that its items call, and what is known of them before anything is
//! done.

use std::collections::HashSet;

use accountd_protocol::agent::{NewUser, RandomPassword, UserChange};
use accountd_protocol::audit::{AuditAction, Target, TargetKind};
use accountd_protocol::batch::BatchItem;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::removal::DeletedHome;

use crate::accounts::find::user_called;
use crate::audit::shown;
use crate::database::View;

/// Of a name that nobody has, in characters.
const LONGEST_NAME: usize = 64;

/// An item whose account is known.
pub(super) enum Item {
    Create(Box<NewUser>),
    Update { id: AccountId, change: Box<UserChange>, only_if: Precondition },
    Delete { id: AccountId, home: DeletedHome, only_if: Precondition },
}

/// What an item is called in the audit trail.
#[derive(Debug)]
pub(super) struct Asked {
    pub action: AuditAction,
    pub target: Target,
}

impl Asked {
    /// By the name that the account has before all items.
    pub fn of(view: &View, caller: AccountId, item: &BatchItem) -> Self {
        let user = |id, name| Target { kind: TargetKind::User, id, name };
        let called = |who: &AccountRef| match (user_called(view, who, caller), who) {
            (Some(row), _) => user(Some(row.id), row.name.clone()),
            (None, AccountRef::Id(id)) => user(Some(*id), String::new()),
            (None, AccountRef::Name(name)) => user(None, shown(name, LONGEST_NAME)),
            (None, AccountRef::Number(number)) => user(None, number.to_string()),
            (None, AccountRef::Caller) => user(Some(caller), String::new()),
        };
        match item {
            BatchItem::Create(new) => {
                let target = user(None, new.name.as_str().to_owned());
                Self { action: AuditAction::CreateUser, target }
            }
            BatchItem::Update { who, .. } => Self { action: AuditAction::UpdateUser, target: called(who) },
            BatchItem::Delete { who, .. } => Self { action: AuditAction::DeleteUser, target: called(who) },
            BatchItem::Unread(_) => Self { action: AuditAction::Batch, target: user(None, String::new()) },
        }
    }
}

/// The accounts that the items call, each in one item only.
pub(super) fn resolved(view: &View, caller: AccountId, items: Vec<BatchItem>) -> Vec<Result<Item, Refusal>> {
    let mut known = HashSet::new();
    let mut find = |who: &AccountRef| {
        let id = user_called(view, who, caller).ok_or(Refusal::NotFound)?.id;
        if known.insert(id) { Ok(id) } else { Err(Refusal::invalid(Field::UserName, Problem::Twice)) }
    };
    let one = |item| match item {
        BatchItem::Create(new) => Ok(Item::Create(new)),
        BatchItem::Update { change, .. }
            if change.random_password == RandomPassword::Made && change.password.is_some() =>
        {
            Err(Refusal::invalid(Field::RandomPassword, Problem::MustBeAbsent))
        }
        BatchItem::Update { who, change, only_if } => Ok(Item::Update { id: find(&who)?, change, only_if }),
        BatchItem::Unread(faults) => Err(Refusal::Unread(faults)),
        BatchItem::Delete { who, home, only_if } => Ok(Item::Delete { id: find(&who)?, home, only_if }),
    };
    items.into_iter().map(one).collect()
}

/// The accounts whose key files are written anew.
pub(super) fn with_keys(items: &[Result<Item, Refusal>]) -> impl Iterator<Item = AccountId> {
    items.iter().flatten().filter_map(|item| match item {
        Item::Update { id, change, .. } => change.ssh_keys.as_ref().map(|_| *id),
        Item::Create(_) | Item::Delete { .. } => None,
    })
}
