//! What was ended of an account that was disabled or deleted.

use serde::{Deserialize, Serialize};

/// What becomes of the processes of an account's uid that are no sessions of this program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherProcesses {
    #[default]
    Left,
    /// They are told to end, and killed if they do not.
    Ended,
}

/// What there was, and is no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Over SSH.
    pub sessions: u64,
    /// Processes of smbd(8) that served the account; `None` where there is no Samba to ask.
    pub samba: Option<u64>,
    /// `None` where that was not asked for.
    pub processes: Option<u64>,
    /// Whether there was one that cron(8) would have read.
    pub crontab: bool,
    /// Those that atd(8) would have run.
    pub at_jobs: u64,
    /// Whether services would have been started without a login (loginctl(1)).
    pub linger: bool,
    /// What could not be ended, for people.
    pub left: Vec<String>,
}
