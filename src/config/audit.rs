//! `[audit]`: how much of the audit trail is kept.

use serde::{Deserialize, Serialize};

/// The most records of one file: a file is read as a whole.
const MOST_RECORDS: u64 = 100_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Audit {
    /// So many records make a file. The state store has twice as many at most, for a while up to four times as many.
    pub file_records: u64,
    /// So many files are kept; older ones are removed, and that is recorded.
    pub keep_files: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    file_records: u64,
    keep_files: usize,
}

impl Default for Audit {
    fn default() -> Self {
        let Raw { file_records, keep_files } = Raw::default();
        Self { file_records, keep_files }
    }
}

impl Default for Raw {
    /// A million records.
    fn default() -> Self {
        Self { file_records: 5_000, keep_files: 200 }
    }
}

impl TryFrom<Raw> for Audit {
    type Error = String;

    fn try_from(Raw { file_records, keep_files }: Raw) -> Result<Self, String> {
        if file_records == 0 || file_records > MOST_RECORDS {
            return Err(format!("file_records can not be {file_records}: from 1 to {MOST_RECORDS}"));
        }
        if keep_files == 0 {
            return Err("keep_files can not be 0".into());
        }
        Ok(Self { file_records, keep_files })
    }
}
