//! Edits of the accounts, applied and undone; indexes follow the lines.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::View;
use crate::database::edit::Edit;
use crate::database::entry::{self, group_of, ids};
use crate::database::file::{FileKind, LineFile};
use crate::database::slot_edit::SlotEdit;

/// Of a line that has no numbers.
const NONE: [Option<u32>; 2] = [None, None];

impl View {
    pub(in crate::database) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::apply),
            Edit::User { id, new, .. } => self.users.put(*id, new.clone()),
            Edit::Group { id, new, .. } => self.groups.put(*id, new.clone()),
            Edit::Sudo { grantee, new, .. } => self.set_sudo(*grantee, new),
            Edit::PasswordRules { new, .. } => self.password_rules = new.clone(),
            Edit::ApiKey { old, new } => self.api_keys.replace(old.as_ref(), new.as_ref()),
            Edit::SecondFactor { account, new, .. } => self.second_factors.put(*account, new.clone()),
            Edit::PasswordHistory { .. } | Edit::Transfer { .. } | Edit::KeyFile(_) | Edit::PasswordStamp { .. } => {}
        }
        if let Some(uid) = edit.freed_uid() {
            *self.quarantine.uids.entry(uid.0).or_default() += 1;
            self.renumber(uid.0);
        }
        if let Some(gid) = edit.freed_gid() {
            *self.quarantine.gids.entry(gid.0).or_default() += 1;
            self.renumber(gid.0);
        }
    }

    pub(in crate::database) fn undo(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::undo),
            Edit::User { id, old, .. } => self.users.put(*id, old.clone()),
            Edit::Group { id, old, .. } => self.groups.put(*id, old.clone()),
            Edit::Sudo { grantee, old, .. } => self.set_sudo(*grantee, old),
            Edit::PasswordRules { old, .. } => self.password_rules = old.clone(),
            Edit::ApiKey { old, new } => self.api_keys.replace(new.as_ref(), old.as_ref()),
            Edit::SecondFactor { account, old, .. } => self.second_factors.put(*account, old.clone()),
            Edit::PasswordHistory { .. } | Edit::Transfer { .. } | Edit::KeyFile(_) | Edit::PasswordStamp { .. } => {}
        }
        if let Some(uid) = edit.freed_uid() {
            release(&mut self.quarantine.uids, uid.0);
            self.renumber(uid.0);
        }
        if let Some(gid) = edit.freed_gid() {
            release(&mut self.quarantine.gids, gid.0);
            self.renumber(gid.0);
        }
    }

    /// Takes over a file as another program has left it. `names` are those whose lines differ.
    pub(in crate::database) fn replace_file(&mut self, kind: FileKind, file: LineFile, names: &HashSet<String>) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.change_lines(kind, &names, |known| *known = file);
    }

    /// Lets later copies share the lines too that have come since the files were read.
    pub(in crate::database) fn gather(&mut self) -> bool {
        let mut scattered: Vec<&mut LineFile> = self.files.0.iter_mut().filter(|file| file.is_scattered()).collect();
        scattered.iter_mut().for_each(|file| file.gather());
        !scattered.is_empty()
    }

    fn change_file(&mut self, kind: FileKind, slot: &SlotEdit, change: fn(&mut LineFile, &SlotEdit)) {
        let mut names: SmallVec<[&str; 2]> = slot.lines().filter_map(|line| kind.key(line)).collect();
        names.dedup();
        self.change_lines(kind, &names, |file| change(file, slot));
    }

    /// Changes a file in which no other names than these get another line.
    fn change_lines(&mut self, kind: FileKind, names: &[&str], change: impl FnOnce(&mut LineFile)) {
        let mut numbers: SmallVec<[u32; 4]> = SmallVec::new();
        numbers.extend(names.iter().flat_map(|name| self.unindex(kind, name)).flatten());
        change(&mut self.files.0[kind as usize]);
        numbers.extend(names.iter().flat_map(|name| self.index(kind, name)).flatten());
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().for_each(|number| self.renumber(number));
    }

    /// Enters the line that stands for `name` into the indexes. Gives the numbers in it.
    fn index(&mut self, kind: FileKind, name: &str) -> [Option<u32>; 2] {
        let Some(line) = self.files.0[kind as usize].find(name) else { return NONE };
        match kind {
            FileKind::Passwd => {
                self.users_like.add(name);
                let Some((uid, gid)) = ids(line) else { return NONE };
                *self.primary.entry(gid).or_default() += 1;
                [Some(uid), Some(gid)]
            }
            FileKind::Group => {
                self.groups_like.add(name);
                let Some((gid, members)) = group_of(line) else { return NONE };
                self.members.add(name, members);
                [Some(gid), None]
            }
            FileKind::Gshadow => {
                self.shadowed.add(name, shadowing(line));
                NONE
            }
            FileKind::Shadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => NONE,
        }
    }

    fn unindex(&mut self, kind: FileKind, name: &str) -> [Option<u32>; 2] {
        let Some(line) = self.files.0[kind as usize].find(name) else { return NONE };
        match kind {
            FileKind::Passwd => {
                self.users_like.remove(name);
                let Some((uid, gid)) = ids(line) else { return NONE };
                release(&mut self.primary, gid);
                [Some(uid), Some(gid)]
            }
            FileKind::Group => {
                self.groups_like.remove(name);
                let Some((gid, members)) = group_of(line) else { return NONE };
                self.members.remove(name, members);
                [Some(gid), None]
            }
            FileKind::Gshadow => {
                self.shadowed.remove(name, shadowing(line));
                NONE
            }
            FileKind::Shadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => NONE,
        }
    }
}

/// Who is named in a gshadow(5) line, each once.
fn shadowing(line: &[u8]) -> HashSet<String> {
    entry::shadowing(line).collect()
}

fn release(numbers: &mut HashMap<u32, u32>, number: u32) {
    match numbers.get_mut(&number) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => drop(numbers.remove(&number)),
        None => {}
    }
}
