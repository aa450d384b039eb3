//! What a check has to know beyond the lines: what other sources of NSS have, which programs
//! there are, what day it is. Got before the lines are looked at, so that nothing is waited for
//! while the accounts are locked.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::sheet::decimal;
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
    pub fn of_files(view: &View, root: &Path, today: u64) -> Self {
        let (doubtful, doubtful_groups) = (doubtful(view, FileKind::Passwd), doubtful(view, FileKind::Group));
        Self { today, programs: programs(view, root), doubtful, doubtful_groups, ..Self::default() }
    }
}

impl Strangers {
    pub fn of(view: &View) -> Self {
        let mut strangers = Self::default();
        let mut note = |name: &str| {
            if view.line(FileKind::Passwd, name).is_none() {
                strangers.users.insert(name.to_owned());
            }
        };
        for kind in [FileKind::Shadow, FileKind::Smbpasswd] {
            view.file(kind).entries().for_each(|(name, _)| note(name));
        }
        view.file(FileKind::UsernameMap).entries().for_each(|(name, _)| note(name.trim_start_matches('!')));
        let lists = [
            (FileKind::Group, group::MEMBERS),
            (FileKind::Gshadow, gshadow::ADMINISTRATORS),
            (FileKind::Gshadow, gshadow::MEMBERS),
        ];
        for (kind, field) in lists {
            for (_, line) in view.file(kind).entries() {
                let list = line.split(|byte| *byte == b':').nth(field).unwrap_or_default();
                let names = list.split(|byte| *byte == b',').filter_map(|name| std::str::from_utf8(name).ok());
                names.filter(|name| !name.is_empty()).for_each(&mut note);
            }
        }
        strangers.gids = unknown_gids(view);
        strangers
    }
}

fn unknown_gids(view: &View) -> BTreeSet<u32> {
    let lines = view.file(FileKind::Passwd).entries().map(|(_, line)| line);
    let gids = lines.filter_map(|line| decimal(line.split(|byte| *byte == b':').nth(passwd::GID)?));
    gids.filter(|gid| !view.file(FileKind::Group).has_number(*gid)).collect()
}

/// Each shell is looked at once, however many have it.
fn programs(view: &View, root: &Path) -> HashSet<Vec<u8>> {
    let lines = view.file(FileKind::Passwd).entries().map(|(_, line)| line);
    let shells: HashSet<&[u8]> = lines.filter_map(|line| line.split(|byte| *byte == b':').nth(passwd::SHELL)).collect();
    let exists = |shell: &&[u8]| {
        let path = OsStr::from_bytes(shell.strip_prefix(b"/").unwrap_or(shell));
        shell.starts_with(b"/") && !shell.contains(&0) && root.join(path).exists()
    };
    shells.into_iter().filter(exists).map(<[u8]>::to_vec).collect()
}

fn doubtful(view: &View, kind: FileKind) -> HashSet<Vec<u8>> {
    let odd = view.file(kind).lines().filter(|line| kind.key(line).is_none());
    let name = |line: &[u8]| {
        let line = line.trim_ascii_start();
        line.split(|byte| *byte == b':').next().unwrap_or_default().to_vec()
    };
    odd.map(name).filter(|name| !name.is_empty()).collect()
}
