//! What a check has to know beyond the lines: what other sources of NSS have, which programs
//! there are, what day it is. Got before the lines are looked at, so that nothing is waited for
//! while the accounts are locked.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::sheet::{Row, Sheet, decimal};
use super::sheets::Sheets;
use crate::database::entry::{group, gshadow, passwd};
use crate::database::{FileKind, View};

/// Days since 1970, names, numbers and programs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub today: u64,
    /// Users of other sources, as far as something here names them.
    pub users: HashSet<String>,
    pub uids: HashSet<u32>,
    pub gids: HashSet<u32>,
    /// Whether there is a source that gave no answer: nobody is surely unknown then.
    pub silent: Option<String>,
    /// Login shells that exist.
    pub programs: HashSet<Vec<u8>>,
    /// Names in lines of passwd(5) that only some programs take for entries.
    pub doubtful: HashSet<Vec<u8>>,
    /// The same of group(5).
    pub doubtful_groups: HashSet<Vec<u8>>,
}

/// What the accounts name that they do not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    pub users: BTreeSet<String>,
    pub gids: BTreeSet<u32>,
}

impl Facts {
    /// Whether there is such a user, in whichever source.
    pub fn has_user(&self, view: &View, name: &str) -> bool {
        view.line(FileKind::Passwd, name).is_some() || self.users.contains(name)
    }

    #[cfg(test)]
    pub fn doubtful_of(self, kind: FileKind) -> HashSet<Vec<u8>> {
        if kind == FileKind::Passwd { self.doubtful } else { self.doubtful_groups }
    }

    pub fn has_gid(&self, gid: u32) -> bool {
        self.gids.contains(&gid)
    }

    pub fn has_uid(&self, view: &View, uid: u32) -> bool {
        view.file(FileKind::Passwd).has_number(uid) || self.uids.contains(&uid)
    }

    /// Whether a name that nobody has is certainly nobody's.
    pub fn is_certain(&self, name: &str) -> bool {
        self.silent.is_none() && !self.doubtful.contains(name.as_bytes())
    }

    /// What can be known without asking anybody.
    pub fn of_files(sheets: &Sheets<'_>, root: &Path, today: u64) -> Self {
        let (doubtful, doubtful_groups) = (doubtful(&sheets.users), doubtful(&sheets.groups));
        Self { today, programs: programs(&sheets.users, root), doubtful, doubtful_groups, ..Self::default() }
    }
}

impl Strangers {
    pub fn of(sheets: &Sheets<'_>) -> Self {
        let mut strangers = Self::default();
        let mut note = |name: &str| {
            if sheets.users.first(name).is_none() {
                strangers.users.insert(name.to_owned());
            }
        };
        for sheet in [&sheets.shadows, &sheets.samba] {
            sheet.entries().for_each(|(name, _)| note(name));
        }
        sheets.username_map.entries().for_each(|(name, _)| note(name.trim_start_matches('!')));
        let lists = [
            (&sheets.groups, group::MEMBERS),
            (&sheets.group_shadows, gshadow::ADMINISTRATORS),
            (&sheets.group_shadows, gshadow::MEMBERS),
        ];
        for (sheet, field) in lists {
            for (_, row) in sheet.entries() {
                let names = row.names(field).filter_map(|name| std::str::from_utf8(name).ok());
                names.filter(|name| !name.is_empty()).for_each(&mut note);
            }
        }
        strangers.gids = unknown_gids(sheets);
        strangers
    }
}

fn unknown_gids(sheets: &Sheets<'_>) -> BTreeSet<u32> {
    let numbers = |sheet: &Sheet<'_>, field| {
        let rows = sheet.entries().map(move |(_, row)| decimal(row.field(field)));
        rows.flatten().collect::<hashbrown::HashSet<u32>>()
    };
    let known = numbers(&sheets.groups, group::GID);
    numbers(&sheets.users, passwd::GID).into_iter().filter(|gid| !known.contains(gid)).collect()
}

/// Each shell is looked at once, however many have it.
fn programs(users: &Sheet<'_>, root: &Path) -> HashSet<Vec<u8>> {
    let shells: HashSet<&[u8]> = users.entries().map(|(_, row)| row.field(passwd::SHELL)).collect();
    let exists = |shell: &&[u8]| {
        let path = OsStr::from_bytes(shell.strip_prefix(b"/").unwrap_or(shell));
        shell.starts_with(b"/") && !shell.contains(&0) && root.join(path).exists()
    };
    shells.into_iter().filter(exists).map(<[u8]>::to_vec).collect()
}

fn doubtful(sheet: &Sheet<'_>) -> HashSet<Vec<u8>> {
    let name = |row: &Row<'_>| {
        let line = row.line.trim_ascii_start();
        line.split(|byte| *byte == b':').next().unwrap_or_default().to_vec()
    };
    let odd = sheet.rows.iter().filter(|row| row.name.is_none());
    odd.map(name).filter(|name| !name.is_empty()).collect()
}
