//! The journal record: what a commit does to each file, line by line, and what comes after.

use accountd_config::Deletion;
use accountd_protocol::id::Uid;
use serde::{Deserialize, Serialize};

use super::digest::FileDigest;
use super::file::{FileKind, Line};
use crate::homes::Retirement;
use crate::sudoers::{Grant, Grantee};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// In the order of their renames.
    pub files: Vec<JournalFile>,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalFile {
    pub kind: FileKind,
    /// Of the file with all edits made. A file with another digest gets them line by line,
    /// whether it is still the old one or somebody else's.
    pub after: FileDigest,
    pub edits: Vec<LineEdit>,
}

/// The lines of one name: `old` is replaced by `new`. A new line may have another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineEdit {
    #[serde(with = "line_text")]
    pub old: Option<Line>,
    #[serde(with = "line_text")]
    pub new: Option<Line>,
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
    /// path below the root directory, `account` the user whose home it is.
    PublishHome {
        account: String,
        parent: String,
        hidden: String,
        name: String,
    },
    /// Puts a drop-in in place that stands ready.
    GrantSudo {
        grantee: Grantee,
        grant: Grant,
    },
    RevokeSudo {
        grantee: Grantee,
    },
    /// `uid` where it was nobody else's.
    RemoveBelongings {
        name: String,
        uid: Option<Uid>,
        deletion: Deletion,
    },
    RenameBelongings {
        old: String,
        new: String,
        uid: Uid,
    },
    /// Moves aside what runs for an account without a login; `uid` where it is nobody else's.
    Suspend {
        name: String,
        uid: Option<Uid>,
    },
    /// Moves it back.
    Resume {
        name: String,
        uid: Option<Uid>,
    },
    /// Renames a home that is no account's any more into the trash.
    RetireHome(Retirement),
    /// Renames a home to another place on the same mount. Both are paths below the root directory.
    MoveHome {
        account: String,
        from: String,
        to: String,
    },
}

/// Lines as text where they are UTF-8, else as numbers: a group of 20,000 members has a long one.
mod line_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Line;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        Utf8(String),
        Bytes(Vec<u8>),
    }

    pub fn serialize<S: Serializer>(line: &Option<Line>, serializer: S) -> Result<S::Ok, S::Error> {
        match line.as_deref().map(|line| std::str::from_utf8(line).map_err(|_| line)) {
            None => serializer.serialize_none(),
            Some(Ok(text)) => serializer.serialize_some(text),
            Some(Err(bytes)) => serializer.serialize_some(bytes),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Line>, D::Error> {
        let text: Option<Text> = Option::deserialize(deserializer)?;
        Ok(text.map(|text| match text {
            Text::Utf8(text) => text.into_bytes().into(),
            Text::Bytes(bytes) => bytes.into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_byte_for_byte() {
        let lines: [&[u8]; 4] = [b"", b"anna:x:1:", b"\xff:\"\\\x01", "jörg:\u{fffd}\r".as_bytes()];
        for line in lines {
            let edit = LineEdit { old: None, new: Some(line.into()) };
            let record = serde_json::to_vec(&edit).unwrap();
            assert_eq!(serde_json::from_slice::<LineEdit>(&record).unwrap(), edit);
        }
    }
}
