//! The account files: which they are, and what their lines say about themselves.

use std::fmt;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};

use super::entry::{ids, number_of};

/// One line without its newline; of aliases(5), with the lines that continue it.
pub type Line = Arc<[u8]>;

/// The files, in the order in which they are renamed into place: a passwd line without a shadow
/// line can't log in, so passwd comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Aliases,
    UsernameMap,
    Smbpasswd,
    Gshadow,
    Group,
    Shadow,
    Passwd,
}

/// As messages call it.
impl fmt::Display for FileKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.place().1)
    }
}

impl FileKind {
    pub const ALL: [FileKind; 7] = [
        FileKind::Aliases,
        FileKind::UsernameMap,
        FileKind::Smbpasswd,
        FileKind::Gshadow,
        FileKind::Group,
        FileKind::Shadow,
        FileKind::Passwd,
    ];

    /// Directory below `etc` (empty for `etc` itself) and file name.
    pub fn place(self) -> (&'static str, &'static str) {
        match self {
            FileKind::Aliases => ("", "aliases"),
            FileKind::UsernameMap => ("samba", "smbusername.map"),
            FileKind::Smbpasswd => ("samba", "smbpasswd"),
            FileKind::Gshadow => ("", "gshadow"),
            FileKind::Group => ("", "group"),
            FileKind::Shadow => ("", "shadow"),
            FileKind::Passwd => ("", "passwd"),
        }
    }

    /// Mode of a file that has to be made anew.
    pub fn mode(self) -> u32 {
        match self {
            FileKind::Passwd | FileKind::Group | FileKind::Aliases | FileKind::UsernameMap => 0o644,
            FileKind::Shadow | FileKind::Gshadow => 0o640,
            FileKind::Smbpasswd => 0o600,
        }
    }

    /// What stands between the fields of a line.
    fn separator(self) -> u8 {
        match self {
            FileKind::UsernameMap => b'=',
            FileKind::Aliases
            | FileKind::Smbpasswd
            | FileKind::Gshadow
            | FileKind::Group
            | FileKind::Shadow
            | FileKind::Passwd => b':',
        }
    }

    /// The fewest fields of a line that glibc, Samba and mailers take for an entry.
    fn fields(self) -> usize {
        match self {
            FileKind::Aliases | FileKind::UsernameMap => 2,
            FileKind::Passwd => 4,
            FileKind::Shadow => 2,
            FileKind::Group => 3,
            FileKind::Gshadow => 4,
            FileKind::Smbpasswd => 4,
        }
    }

    /// The name that a line is the entry of; `None` for comments, blank, malformed and NIS lines.
    pub fn key(self, line: &[u8]) -> Option<&str> {
        if matches!(line.first(), None | Some(b'#' | b'+' | b'-' | b' ' | b'\t')) {
            return None;
        }
        let name = self.name(line);
        // At least two fields: the name's separator is one of them.
        let is_entry = !name.is_empty() && memchr_iter(self.separator(), line).nth(self.fields() - 2).is_some();
        is_entry.then(|| std::str::from_utf8(name).ok())?
    }

    /// What stands where the name of an entry does.
    pub(super) fn name(self, line: &[u8]) -> &[u8] {
        let end = memchr(self.separator(), line).unwrap_or(line.len());
        match self {
            FileKind::Aliases | FileKind::UsernameMap => line[..end].trim_ascii_end(),
            FileKind::Smbpasswd | FileKind::Gshadow | FileKind::Group | FileKind::Shadow | FileKind::Passwd => {
                &line[..end]
            }
        }
    }

    /// The uid or gid that getpwuid(3) or getgrgid(3) finds a line by.
    pub(super) fn number(self, line: &[u8]) -> Option<u32> {
        match self {
            FileKind::Passwd => ids(line).map(|(uid, _)| uid),
            FileKind::Group => number_of(line),
            FileKind::Aliases | FileKind::UsernameMap | FileKind::Smbpasswd | FileKind::Gshadow | FileKind::Shadow => {
                None
            }
        }
    }

    /// Whether a file can hold `line` as the one line that it is.
    pub fn holds(self, line: &[u8]) -> bool {
        let mut parts = line.split(|byte| *byte == b'\n');
        let first = parts.next();
        !line.contains(&0) && parts.all(|part| self.continues(first, part))
    }

    /// Whether `line` goes on with what the line before it began (aliases(5)).
    pub(super) fn continues(self, before: Option<&[u8]>, line: &[u8]) -> bool {
        self == FileKind::Aliases
            && matches!(line.first(), Some(b' ' | b'\t'))
            && before.is_some_and(|before| self.key(before).is_some())
    }
}
