//! Homes: what becomes of the content of one, and how far that is.

use serde::{Deserialize, Serialize};

/// What happens to what is in the old home when an account gets another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HomeTransfer {
    /// The new home gets it too; the old one stays as it is.
    #[default]
    Copy,
    /// It is in the new home afterwards, and the old one is gone.
    Move,
    /// Nothing.
    None,
}

/// The home of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeState {
    pub home: String,
    pub exists: bool,
    /// The last transfer, if there was any.
    pub transfer: Option<Transfer>,
}

/// A transfer under way, or what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub kind: TransferKind,
    pub state: TransferState,
    pub files_done: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// Entries that were not touched: those of other owners and other file systems, and those
    /// that the new home has already.
    pub left_alone: u64,
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    Copy,
    Move,
    /// Only the owner changes: the account has another uid or primary group.
    Owner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    Waiting,
    Running,
    Done,
    /// It can be started again by asking for the same home.
    Failed,
}

impl TransferState {
    /// Whether it has still something to do.
    pub fn is_under_way(self) -> bool {
        match self {
            TransferState::Waiting | TransferState::Running => true,
            TransferState::Done | TransferState::Failed => false,
        }
    }
}

impl TransferKind {
    pub fn name(self) -> &'static str {
        match self {
            TransferKind::Copy => "copy",
            TransferKind::Move => "move",
            TransferKind::Owner => "owner",
        }
    }
}

impl TransferState {
    pub fn name(self) -> &'static str {
        match self {
            TransferState::Waiting => "waiting",
            TransferState::Running => "running",
            TransferState::Done => "done",
            TransferState::Failed => "failed",
        }
    }
}
