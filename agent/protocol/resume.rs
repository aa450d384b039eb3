//! What login tells an agent that it hears anew: whom it has let in before, so that their sessions
//! need not end with the agent.

use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::octets;
use crate::quota::QuotaUse;
use crate::revocation::Generation;

/// As an account stood when it was let in, as a digest. Where it is the same now, nothing has changed
/// since that its sessions depend on, whoever heard of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Standing(#[serde(with = "octets")] pub Vec<u8>);

/// An account that somebody is logged in to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LetIn {
    pub account: AccountId,
    pub standing: Standing,
}

/// What an open session has leased of its account's quota and not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub account: AccountId,
    pub session: u64,
    pub kept: QuotaUse,
    /// The largest of its leases.
    pub largest: QuotaUse,
}

/// All that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    pub let_in: Vec<LetIn>,
    pub held: Vec<Held>,
}

/// Whoever is not among `changed` goes on as if the decision had been one of `generation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    pub generation: Generation,
    pub changed: Vec<LetIn>,
}
