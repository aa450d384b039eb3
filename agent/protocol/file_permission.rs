//! What a session of files may do. Some words are made of narrower ones: a set that has `upload` has
//! `write` and `copy` too, and the other way round.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// None of it is more than what the kernel allows the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilePermission {
    /// Names and attributes of files, and what is in directories.
    List,
    Download,
    Upload,
    /// Files and directories.
    Delete,
    Rename,
    CreateDirs,
    CreateSymlinks,
    /// As `list`, but that names which begin with a dot are not there, for no operation.
    ListVisible,
    /// As `upload`, without copies that the server makes (copy-data of SFTP).
    Write,
    /// Those copies.
    Copy,
    /// To another name in the same directory.
    RenameInPlace,
    /// To another directory; under another name only with `rename_in_place`.
    Move,
}

pub type FilePermissions = BTreeSet<FilePermission>;

impl FilePermission {
    pub const ALL: [Self; 12] = [
        Self::List,
        Self::Download,
        Self::Upload,
        Self::Delete,
        Self::Rename,
        Self::CreateDirs,
        Self::CreateSymlinks,
        Self::ListVisible,
        Self::Write,
        Self::Copy,
        Self::RenameInPlace,
        Self::Move,
    ];

    /// Together they are everything, and none is part of another.
    pub const WIDEST: [Self; 7] =
        [Self::List, Self::Download, Self::Upload, Self::Delete, Self::Rename, Self::CreateDirs, Self::CreateSymlinks];

    pub fn name(self) -> &'static str {
        match self {
            FilePermission::List => "list",
            FilePermission::Download => "download",
            FilePermission::Upload => "upload",
            FilePermission::Delete => "delete",
            FilePermission::Rename => "rename",
            FilePermission::CreateDirs => "create_dirs",
            FilePermission::CreateSymlinks => "create_symlinks",
            FilePermission::ListVisible => "list_visible",
            FilePermission::Write => "write",
            FilePermission::Copy => "copy",
            FilePermission::RenameInPlace => "rename_in_place",
            FilePermission::Move => "move",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    /// Whether a set has it: by its own name, by that of what it is part of, or part by part.
    pub fn is_in(self, set: &FilePermissions) -> bool {
        let parts = self.parts();
        set.contains(&self)
            || self.whole().is_some_and(|whole| set.contains(&whole))
            || (!parts.is_empty() && parts.iter().all(|part| set.contains(part)))
    }

    /// What both sets have, in the widest words.
    #[must_use]
    pub fn common(one: &FilePermissions, other: &FilePermissions) -> FilePermissions {
        let both: FilePermissions = Self::ALL.into_iter().filter(|each| each.is_in(one) && each.is_in(other)).collect();
        both.iter().copied().filter(|each| each.whole().is_none_or(|whole| !both.contains(&whole))).collect()
    }

    /// The wider one that this is part of.
    pub fn whole(self) -> Option<Self> {
        match self {
            FilePermission::ListVisible => Some(FilePermission::List),
            FilePermission::Write | FilePermission::Copy => Some(FilePermission::Upload),
            FilePermission::RenameInPlace | FilePermission::Move => Some(FilePermission::Rename),
            FilePermission::List
            | FilePermission::Download
            | FilePermission::Upload
            | FilePermission::Delete
            | FilePermission::Rename
            | FilePermission::CreateDirs
            | FilePermission::CreateSymlinks => None,
        }
    }

    /// Narrower ones that together are this one.
    pub fn parts(self) -> &'static [Self] {
        match self {
            FilePermission::Upload => &[FilePermission::Write, FilePermission::Copy],
            FilePermission::Rename => &[FilePermission::RenameInPlace, FilePermission::Move],
            FilePermission::List
            | FilePermission::Download
            | FilePermission::Delete
            | FilePermission::CreateDirs
            | FilePermission::CreateSymlinks
            | FilePermission::ListVisible
            | FilePermission::Write
            | FilePermission::Copy
            | FilePermission::RenameInPlace
            | FilePermission::Move => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FilePermission::{Copy, Delete, Download, List, ListVisible, Move, Rename, RenameInPlace, Upload, Write};

    fn set<const N: usize>(of: [FilePermission; N]) -> FilePermissions {
        BTreeSet::from(of)
    }

    #[test]
    fn a_wide_word_has_its_parts_and_parts_together_are_the_wide_word() {
        for (part, whole) in
            [(ListVisible, List), (Write, Upload), (Copy, Upload), (RenameInPlace, Rename), (Move, Rename)]
        {
            assert!(part.is_in(&set([whole])) && !whole.is_in(&set([part])), "{part:?}");
        }
        assert!(Upload.is_in(&set([Write, Copy])) && Rename.is_in(&set([Move, RenameInPlace])));
        assert!(!Delete.is_in(&set([Move])));
    }

    #[test]
    fn what_two_sets_have_in_common_is_said_in_the_widest_words() {
        for (one, other, both) in [
            (set([List, Upload]), set([Upload, Delete]), set([Upload])),
            (set([List]), set([ListVisible]), set([ListVisible])),
            (set([Upload, Download]), set([Write, Copy, Download]), set([Upload, Download])),
            (set([Rename]), set([Move]), set([Move])),
            (set([RenameInPlace]), set([Move]), set([])),
            (set([List, ListVisible]), set([List]), set([List])),
        ] {
            assert_eq!(FilePermission::common(&one, &other), both, "{one:?} {other:?}");
            assert_eq!(FilePermission::common(&other, &one), both, "{one:?} {other:?}");
        }
        let all = set(FilePermission::ALL);
        assert_eq!(FilePermission::common(&all, &all), set(FilePermission::WIDEST));
    }
}
