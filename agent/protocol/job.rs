//! Work that may take longer than somebody waits for an answer.

use serde::{Deserialize, Serialize};

use crate::audit::Moment;
use crate::batch::ItemOutcome;
use crate::id::AccountId;
use crate::import::ImportReport;
use crate::refusal::Refusal;
use crate::repository::Pulled;
use crate::secret::Secret;

/// Random, so that it says nothing and comes only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

/// A job as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    /// Whose request it is.
    pub account: AccountId,
    pub state: JobState,
    /// How many of `total` items are ready; they are changed all at once after that.
    pub done: u64,
    pub total: u64,
    pub begun: Moment,
    pub ended: Option<Moment>,
    /// From its end on.
    pub result: Option<JobResult>,
    /// Of every item that has got one.
    #[serde(default)]
    pub passwords: Vec<MadePassword>,
}

/// A password that was made for an item of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MadePassword {
    /// Of the item, counted from 0 in the order of the request.
    pub index: usize,
    /// `None` where it is not said: it was asked for without it, was said before, or has waited too long.
    pub password: Option<Secret>,
}

/// What becomes of the passwords of a job that somebody looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passwords {
    #[default]
    Left,
    /// They are said, and forgotten.
    Taken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Batch,
    Import,
    Pull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Waiting,
    Running,
    Done,
    /// Nothing was changed.
    Failed,
    /// Nothing was changed.
    Cancelled,
}

impl JobState {
    pub fn is_over(self) -> bool {
        match self {
            JobState::Waiting | JobState::Running => false,
            JobState::Done | JobState::Failed | JobState::Cancelled => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// In the order of the request.
    Batch(Vec<ItemOutcome>),
    Import(ImportReport),
    Refused(Refusal),
    Pulled(Pulled),
}
