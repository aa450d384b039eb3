//! All accounts in memory: the lines of the files, the rows of the state store, and indexes.
//!
//! There are two of these. The writer works on one, edit by edit, each of which it can undo;
//! the readers' one gets the same edits when they are on disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use accountd_protocol::agent::Generation;
use accountd_protocol::id::{AccountId, Gid, Uid, never_an_id};

use super::entry::{Entry, group_of, ids, shadow};
use super::file::{FileKind, Line, LineFile, SlotEdit};
use super::row::{GroupRow, Origin, UserRow};

/// One change of the accounts; it can be applied and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Line { kind: FileKind, slot: SlotEdit },
    User { id: AccountId, old: Option<UserRow>, new: Option<UserRow> },
    Group { id: AccountId, old: Option<GroupRow>, new: Option<GroupRow> },
}

#[derive(Clone, Debug, Default)]
pub struct View {
    files: [LineFile; 5],
    users: BTreeMap<AccountId, UserRow>,
    groups: BTreeMap<AccountId, GroupRow>,
    user_ids: HashMap<String, AccountId>,
    group_ids: HashMap<String, AccountId>,
    /// Names by uid, by gid, by lower case, and groups by member; from the files.
    by_uid: HashMap<u32, Vec<String>>,
    by_gid: HashMap<u32, Vec<String>>,
    users_like: HashMap<String, Vec<String>>,
    groups_like: HashMap<String, Vec<String>>,
    memberships: HashMap<String, Vec<String>>,
    /// How many users have each gid as their primary one.
    primary: HashMap<u32, usize>,
    /// uids and gids of deleted accounts: never chosen automatically.
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) generation: u64,
}

/// Numbers whose files may still lie around.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    pub uids: HashSet<u32>,
    pub gids: HashSet<u32>,
}

impl View {
    pub(super) fn new(files: [LineFile; 5], users: Vec<UserRow>, groups: Vec<GroupRow>) -> Self {
        let mut view = View { files, ..View::default() };
        for row in users {
            view.put_user(row.id, None, Some(row));
        }
        for row in groups {
            view.put_group(row.id, None, Some(row));
        }
        for kind in [FileKind::Passwd, FileKind::Group] {
            let lines: Vec<Line> = view.file(kind).entries(kind).map(|(_, line)| line.clone()).collect();
            lines.iter().for_each(|line| view.index(kind, line));
        }
        view
    }

    /// The rows without the files.
    pub(super) fn clone_rows(&self) -> Self {
        let (users, groups) = (self.users.clone(), self.groups.clone());
        View { users, groups, user_ids: self.user_ids.clone(), group_ids: self.group_ids.clone(), ..View::default() }
    }

    pub fn file(&self, kind: FileKind) -> &LineFile {
        &self.files[kind as usize]
    }

    /// Counts the changes; it goes up, also over restarts.
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    pub fn line(&self, kind: FileKind, name: &str) -> Option<&Line> {
        self.file(kind).find(name)
    }

    pub fn entry(&self, kind: FileKind, name: &str) -> Option<Entry> {
        self.line(kind, name).map(|line| Entry::parse(line))
    }

    pub fn user(&self, id: AccountId) -> Option<&UserRow> {
        self.users.get(&id)
    }

    pub fn user_named(&self, name: &str) -> Option<&UserRow> {
        self.user(*self.user_ids.get(name)?)
    }

    pub fn users(&self) -> impl Iterator<Item = &UserRow> {
        self.users.values()
    }

    pub fn group(&self, id: AccountId) -> Option<&GroupRow> {
        self.groups.get(&id)
    }

    pub fn group_named(&self, name: &str) -> Option<&GroupRow> {
        self.group(*self.group_ids.get(name)?)
    }

    pub fn groups(&self) -> impl Iterator<Item = &GroupRow> {
        self.groups.values()
    }

    /// The group of a gid: the first in the file, where several share it.
    pub fn group_of_gid(&self, gid: u32) -> Option<&GroupRow> {
        self.by_gid.get(&gid)?.iter().find_map(|name| self.group_named(name))
    }

    pub fn names_of_uid(&self, uid: u32) -> &[String] {
        self.by_uid.get(&uid).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn names_of_gid(&self, gid: u32) -> &[String] {
        self.by_gid.get(&gid).map(Vec::as_slice).unwrap_or_default()
    }

    /// The groups whose member list names this user.
    pub fn groups_of_member(&self, name: &str) -> &[String] {
        self.memberships.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn users_with_primary_gid(&self, gid: u32) -> usize {
        self.primary.get(&gid).copied().unwrap_or_default()
    }

    /// An existing user name that is the same but for case; the very same one first.
    pub fn user_name_like(&self, name: &str) -> Option<String> {
        like(&self.users_like, name)
    }

    pub fn group_name_like(&self, name: &str) -> Option<String> {
        like(&self.groups_like, name)
    }

    /// The first uid of `range` that nobody has or had, and that no group has as its gid either,
    /// so that a private group can have the same number.
    pub fn free_uid(&self, range: RangeInclusive<u32>, taken: &HashSet<u32>) -> Option<u32> {
        let quarantine = &self.quarantine;
        range.into_iter().find(|id| {
            !never_an_id(*id)
                && !self.by_uid.contains_key(id)
                && !self.by_gid.contains_key(id)
                && !quarantine.uids.contains(id)
                && !taken.contains(id)
        })
    }

    pub fn free_gid(&self, range: RangeInclusive<u32>, taken: &HashSet<u32>) -> Option<u32> {
        let free = |id: &u32| !self.by_gid.contains_key(id) && !self.quarantine.gids.contains(id);
        range.into_iter().find(|id| !never_an_id(*id) && free(id) && !taken.contains(id))
    }

    /// What decides whether sessions and handles of a user stay good: ids, home, password field,
    /// expiry and groups. Equal texts mean that nothing of it has changed.
    pub(super) fn security_state(&self, name: &str) -> Option<Vec<u8>> {
        let passwd = self.entry(FileKind::Passwd, name)?;
        let mut state = Vec::new();
        for field in [0, 2, 3, 5] {
            state.extend_from_slice(passwd.bytes(field));
            state.push(b':');
        }
        if let Some(entry) = self.entry(FileKind::Shadow, name) {
            for field in [shadow::PASSWORD, shadow::INACTIVE, shadow::EXPIRE] {
                state.extend_from_slice(entry.bytes(field));
                state.push(b':');
            }
        }
        let mut groups: Vec<&String> = self.groups_of_member(name).iter().collect();
        groups.sort_unstable();
        for group in groups {
            let gid = self.line(FileKind::Group, group).and_then(|line| group_of(line)).map(|(gid, _)| gid);
            state.extend_from_slice(format!("{gid:?}").as_bytes());
        }
        Some(state)
    }

    pub(super) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::apply, Way::Forward),
            Edit::User { id, old, new } => self.put_user(*id, old.clone(), new.clone()),
            Edit::Group { id, old, new } => self.put_group(*id, old.clone(), new.clone()),
        }
    }

    pub(super) fn undo(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::undo, Way::Back),
            Edit::User { id, old, new } => self.put_user(*id, new.clone(), old.clone()),
            Edit::Group { id, old, new } => self.put_group(*id, new.clone(), old.clone()),
        }
    }

    fn change_file(
        &mut self,
        kind: FileKind,
        slot: &SlotEdit,
        change: fn(&mut LineFile, FileKind, &SlotEdit),
        way: Way,
    ) {
        let (old, new) = match slot {
            SlotEdit::Replace { old, new, .. } => (old.clone(), new.clone()),
            SlotEdit::Insert { line, .. } => (None, Some(line.clone())),
        };
        let (before, after) = match way {
            Way::Forward => (old, new),
            Way::Back => (new, old),
        };
        if let Some(line) = &before {
            self.unindex(kind, line);
        }
        change(&mut self.files[kind as usize], kind, slot);
        if let Some(line) = &after {
            self.index(kind, line);
        }
    }

    fn index(&mut self, kind: FileKind, line: &Line) {
        let Some(name) = kind.key(line).map(str::to_owned) else { return };
        if kind == FileKind::Passwd {
            if let Some((uid, gid)) = ids(line) {
                self.by_uid.entry(uid).or_default().push(name.clone());
                *self.primary.entry(gid).or_default() += 1;
            }
            self.users_like.entry(name.to_lowercase()).or_default().push(name);
        } else if kind == FileKind::Group {
            if let Some((gid, members)) = group_of(line) {
                self.by_gid.entry(gid).or_default().push(name.clone());
                for member in members {
                    self.memberships.entry(member).or_default().push(name.clone());
                }
            }
            self.groups_like.entry(name.to_lowercase()).or_default().push(name);
        }
    }

    fn unindex(&mut self, kind: FileKind, line: &Line) {
        let Some(name) = kind.key(line).map(str::to_owned) else { return };
        if kind == FileKind::Passwd {
            if let Some((uid, gid)) = ids(line) {
                remove(&mut self.by_uid, &uid, &name);
                if let Some(count) = self.primary.get_mut(&gid) {
                    *count = count.saturating_sub(1);
                }
            }
            remove(&mut self.users_like, &name.to_lowercase(), &name);
        } else if kind == FileKind::Group {
            if let Some((gid, members)) = group_of(line) {
                remove(&mut self.by_gid, &gid, &name);
                for member in members {
                    remove(&mut self.memberships, &member, &name);
                }
            }
            remove(&mut self.groups_like, &name.to_lowercase(), &name);
        }
    }

    fn put_user(&mut self, id: AccountId, old: Option<UserRow>, new: Option<UserRow>) {
        if let Some(old) = old {
            self.users.remove(&id);
            self.user_ids.remove(&old.name);
        }
        if let Some(new) = new {
            self.user_ids.insert(new.name.clone(), id);
            self.users.insert(id, new);
        }
    }

    fn put_group(&mut self, id: AccountId, old: Option<GroupRow>, new: Option<GroupRow>) {
        if let Some(old) = old {
            self.groups.remove(&id);
            self.group_ids.remove(&old.name);
        }
        if let Some(new) = new {
            self.group_ids.insert(new.name.clone(), id);
            self.groups.insert(id, new);
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Forward,
    Back,
}

impl UserRow {
    pub fn is_builtin(&self) -> bool {
        self.origin == Origin::Builtin
    }
}

impl GroupRow {
    pub fn is_builtin(&self) -> bool {
        self.origin == Origin::Builtin
    }
}

/// A user as the files have it now: name, uid, gid.
pub(super) fn users_in(view: &LineFile) -> impl Iterator<Item = (&str, Uid)> {
    view.entries(FileKind::Passwd).filter_map(|(name, line)| Some((name, Uid(ids(line)?.0))))
}

pub(super) fn groups_in(view: &LineFile) -> impl Iterator<Item = (&str, Gid)> {
    view.entries(FileKind::Group).filter_map(|(name, line)| Some((name, Gid(Entry::parse(line).number(2)?))))
}

fn like(names: &HashMap<String, Vec<String>>, name: &str) -> Option<String> {
    let similar = names.get(&name.to_lowercase())?;
    similar.iter().find(|existing| *existing == name).or(similar.first()).cloned()
}

fn remove<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Vec<String>>, key: &K, name: &str) {
    if let Some(names) = index.get_mut(key) {
        if let Some(at) = names.iter().position(|known| known == name) {
            names.remove(at);
        }
        if names.is_empty() {
            index.remove(key);
        }
    }
}
