//! The journal record: what a commit does to each file, line by line, and what comes after.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::FileKind;

/// SHA-256 of a whole file, in hexadecimal.
pub type FileDigest = String;

pub fn digest(content: &[u8]) -> FileDigest {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// In the order of their renames.
    pub files: Vec<JournalFile>,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalFile {
    pub kind: FileKind,
    pub before: FileDigest,
    pub after: FileDigest,
    pub edits: Vec<LineEdit>,
}

/// The lines of one name: `old` is replaced by `new`. A new line may have another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineEdit {
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
}

impl LineEdit {
    /// The name under which the line stood before.
    pub fn old_name(&self, kind: FileKind) -> Option<&str> {
        self.old.as_deref().and_then(|line| kind.key(line))
    }

    /// The name under which the line stands afterwards.
    pub fn new_name(&self, kind: FileKind) -> Option<&str> {
        self.new.as_deref().and_then(|line| kind.key(line))
    }
}

/// What is done after the files are in place; each can be done twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Renames a directory that stands ready under a hidden name beside its place. `parent` is a
    /// path below the root directory.
    PublishHome { parent: String, hidden: String, name: String },
}
