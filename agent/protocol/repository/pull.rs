//! A pull, which `accountd-login` runs as the owner of the repository: the agent has no network.

use serde::{Deserialize, Serialize};

use super::{CloneUri, RepositoryId, RepositoryKind, Scheme};
use crate::decision::Grant;

/// Random; stands for one pull between the agent and login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PullTicket(pub u64);

/// What login runs, and as whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullOrder {
    pub grant: Grant,
    pub kind: RepositoryKind,
    /// The directory that repositories lie below.
    pub root: String,
    pub name: String,
    pub source: PullSource,
    /// After so long it is ended.
    pub seconds: u32,
}

/// What the session reads from its standard input, where nobody else can.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullSource {
    pub uri: CloneUri,
    /// The only ones, also of what the other side leads to.
    pub schemes: Vec<Scheme>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// As far as the program says it: so many of so many objects.
    Running {
        done: u64,
        total: u64,
    },
    Over(PullEnd),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullEnd {
    /// With the end of what the program has said.
    Done(String),
    Failed(String),
    TooLong,
    /// Somebody has ended it: whoever asked for it, or because the account has changed.
    Ended,
    /// It has not begun, and why.
    NotRun(String),
}

/// What a pull has brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    pub repository: RepositoryId,
    pub name: String,
    /// The end of what the program has said, without what is secret.
    pub output: String,
}
