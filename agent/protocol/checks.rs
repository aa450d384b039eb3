//! What a check of all accounts finds, and which of it is to be repaired.

use serde::{Deserialize, Serialize};

/// Whether a check looks at the homes too: each of them costs a look at its file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckedHomes {
    Looked,
    #[default]
    Skipped,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody can't log in, or can do what they should not; or programs read it differently.
    Error,
    Warning,
    /// It can stay as it is.
    Note,
}

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedObject {
    /// An absolute path.
    pub file: String,
    /// Counted from 1.
    pub line: Option<usize>,
    /// Of an account or of a group.
    pub name: Option<String>,
    /// uid or gid.
    pub number: Option<u32>,
}

/// One thing that is wrong, or worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The place in its report, counted from 0.
    pub number: usize,
    /// What it is, for programs: `shadow.missing`. It stays the same over versions.
    pub code: String,
    pub severity: Severity,
    pub object: CheckedObject,
    /// In words.
    pub message: String,
    /// What [`RepairOrder`] would do; `None` where that is for an administrator to decide.
    pub repair: Option<String>,
}

/// Everything that a check has found. With what can be repaired, it is the plan of a repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub homes: CheckedHomes,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// How many more there are than are shown.
    pub omitted: usize,
    /// Stands for exactly these findings and what would be done about each.
    pub digest: String,
}

/// Has findings repaired that a report has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairOrder {
    /// As in the check that gave the report.
    pub homes: CheckedHomes,
    /// That of the report.
    pub digest: String,
    pub chosen: Chosen,
}

/// What is to be repaired of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// Everything that can be.
    All,
    /// All findings with one of these codes.
    Codes(Vec<String>),
    /// The findings with these numbers.
    Findings(Vec<usize>),
}

/// What came of a repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairReport {
    /// What became of each finding that was chosen.
    Performed(Vec<RepairedFinding>),
    /// Nothing has changed.
    Refused(RepairRefused),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairedFinding {
    pub finding: Finding,
    pub outcome: RepairOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    Done,
    /// Why not.
    NotDone(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairRefused {
    #[error("the accounts have changed since the check; check again, and repair what that shows")]
    Changed,
    #[error("the check has found nothing with the code {0}")]
    NoSuchCode(String),
    #[error("the check has no finding with the number {0}")]
    NoSuchFinding(usize),
}
