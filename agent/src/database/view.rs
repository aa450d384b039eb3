//! All accounts in memory: the lines of the files, the rows of the state store, and indexes.
//!
//! There are two copies. The writer works on one, edit by edit, each of which it can undo, and
//! publishes it when the edits are on disk; the one that was public before gets the same edits
//! and is worked on next, so that nothing of the size of the files is copied for a change.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use accountd_protocol::agent::Generation;
use accountd_protocol::id::{AccountId, Gid, Uid};

use super::disk::Fingerprints;
use super::entry::{Entry, group_of, gshadow, ids, number_of, shadow};
use super::file::{FileKind, Line, LineFile, Presence, SlotEdit};
use super::names::NamesByNumber;
use super::numbers::Numbers;
use super::row::{GroupRow, Origin, UserRow};
use super::transfers::TransferRow;
use crate::sudoers::{Grantee, Sudo};

/// One change of the accounts; it can be applied and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// One line, by this program.
    Line {
        kind: FileKind,
        slot: SlotEdit,
    },
    User {
        id: AccountId,
        old: Option<UserRow>,
        new: Option<UserRow>,
    },
    Group {
        id: AccountId,
        old: Option<GroupRow>,
        new: Option<GroupRow>,
    },
    /// Whether somebody may use sudo; it differs from what was so before.
    Sudo {
        grantee: Grantee,
        sudo: Sudo,
    },
    /// The last transfer of an account's home. No view has it.
    Transfer {
        account: AccountId,
        new: Option<Box<TransferRow>>,
    },
}

#[derive(Clone, Debug, Default)]
pub struct View {
    files: [LineFile; FileKind::ALL.len()],
    users: BTreeMap<AccountId, Arc<UserRow>>,
    groups: BTreeMap<AccountId, Arc<GroupRow>>,
    user_ids: HashMap<Arc<str>, AccountId>,
    group_ids: HashMap<Arc<str>, AccountId>,
    /// Names by uid and by gid; from the files, as all that follows.
    by_uid: NamesByNumber,
    by_gid: NamesByNumber,
    /// Only names that have upper case letters; all others are found as they are.
    users_like: HashMap<String, Vec<String>>,
    groups_like: HashMap<String, Vec<String>>,
    /// Groups by member.
    memberships: HashMap<String, Vec<String>>,
    /// Groups by who is named in their gshadow(5) line, as an administrator or as a member.
    shadowed: HashMap<String, Vec<String>>,
    /// How many users have each gid as their primary one.
    primary: HashMap<u32, usize>,
    /// Who has a drop-in of ours.
    grants: HashSet<Grantee>,
    /// uids and gids of deleted accounts: never chosen automatically.
    quarantine: Quarantine,
    /// All numbers that [`View::has_uid`] and [`View::has_gid`] are true of.
    taken_uids: Numbers,
    taken_gids: Numbers,
    pub(super) generation: u64,
    /// The files on disk that these lines are from.
    pub(super) fingerprints: Fingerprints,
    users_in_order: OnceLock<Vec<AccountId>>,
    groups_in_order: OnceLock<Vec<AccountId>>,
}

impl Edit {
    /// The uid that an account gives up with this edit.
    pub(super) fn freed_uid(&self) -> Option<Uid> {
        let Edit::User { old: Some(old), new, .. } = self else { return None };
        (new.as_ref().map(|new| new.uid) != Some(old.uid)).then_some(old.uid)
    }

    pub(super) fn freed_gid(&self) -> Option<Gid> {
        let Edit::Group { old: Some(old), new, .. } = self else { return None };
        (new.as_ref().map(|new| new.gid) != Some(old.gid)).then_some(old.gid)
    }
}

/// Numbers whose files may still lie around, and how many accounts have left each.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    pub uids: HashMap<u32, usize>,
    pub gids: HashMap<u32, usize>,
}

impl View {
    pub(super) fn new(users: Vec<UserRow>, groups: Vec<GroupRow>, quarantine: Quarantine) -> Self {
        let mut view = View { quarantine, ..View::default() };
        let buried: Vec<u32> = view.quarantine.uids.keys().chain(view.quarantine.gids.keys()).copied().collect();
        buried.into_iter().for_each(|number| view.renumber(number));
        for row in users {
            view.put_user(row.id, None, Some(row));
        }
        for row in groups {
            view.put_group(row.id, None, Some(row));
        }
        view
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

    /// Whether the file exists. A missing gshadow(5) is not begun.
    pub fn has(&self, kind: FileKind) -> bool {
        self.file(kind).presence() == Presence::Present
    }

    pub fn user(&self, id: AccountId) -> Option<&UserRow> {
        self.users.get(&id).map(Arc::as_ref)
    }

    pub fn user_named(&self, name: &str) -> Option<&UserRow> {
        self.user(*self.user_ids.get(name)?)
    }

    pub fn users(&self) -> impl Iterator<Item = &UserRow> {
        self.users.values().map(Arc::as_ref)
    }

    /// Built-in users last, then by uid.
    pub fn users_in_order(&self) -> impl ExactSizeIterator<Item = &UserRow> {
        let sorted = || {
            let mut rows: Vec<_> = self.users.values().map(|row| (row.origin, row.uid, row.id)).collect();
            rows.sort_unstable();
            rows.into_iter().map(|(.., id)| id).collect()
        };
        self.users_in_order.get_or_init(sorted).iter().map(|id| self.users[id].as_ref())
    }

    pub fn group(&self, id: AccountId) -> Option<&GroupRow> {
        self.groups.get(&id).map(Arc::as_ref)
    }

    pub fn group_named(&self, name: &str) -> Option<&GroupRow> {
        self.group(*self.group_ids.get(name)?)
    }

    pub fn groups(&self) -> impl Iterator<Item = &GroupRow> {
        self.groups.values().map(Arc::as_ref)
    }

    /// Built-in groups last, then by gid.
    pub fn groups_in_order(&self) -> impl ExactSizeIterator<Item = &GroupRow> {
        let sorted = || {
            let mut rows: Vec<_> = self.groups.values().map(|row| (row.origin, row.gid, row.id)).collect();
            rows.sort_unstable();
            rows.into_iter().map(|(.., id)| id).collect()
        };
        self.groups_in_order.get_or_init(sorted).iter().map(|id| self.groups[id].as_ref())
    }

    /// The group of a gid: the first in the file, where several share it.
    pub fn group_of_gid(&self, gid: u32) -> Option<&GroupRow> {
        self.by_gid.get(gid).iter().find_map(|name| self.group_named(name))
    }

    /// In the order of the file.
    pub fn names_of_uid(&self, uid: u32) -> Vec<String> {
        self.by_uid.get(uid)
    }

    pub fn names_of_gid(&self, gid: u32) -> Vec<String> {
        self.by_gid.get(gid)
    }

    /// The groups whose member list names this user.
    pub fn groups_of_member(&self, name: &str) -> &[String] {
        self.memberships.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The groups whose gshadow line names this user, as an administrator or as a member.
    pub fn groups_shadowing(&self, name: &str) -> &[String] {
        self.shadowed.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether an account has a drop-in of ours; what else sudoers(5) says is not looked at.
    pub fn sudo(&self, grantee: Grantee) -> Sudo {
        if self.grants.contains(&grantee) { Sudo::Granted } else { Sudo::None }
    }

    pub(super) fn grants(&self) -> &HashSet<Grantee> {
        &self.grants
    }

    pub(super) fn replace_grants(&mut self, grants: HashSet<Grantee>) {
        self.grants = grants;
    }

    fn set_sudo(&mut self, grantee: Grantee, sudo: Sudo) {
        match sudo {
            Sudo::Granted => self.grants.insert(grantee),
            Sudo::None => self.grants.remove(&grantee),
        };
    }

    pub fn users_with_primary_gid(&self, gid: u32) -> usize {
        self.primary.get(&gid).copied().unwrap_or_default()
    }

    /// An existing user name that is the same but for case; the very same one first.
    pub fn user_name_like(&self, name: &str) -> Option<String> {
        like(self.file(FileKind::Passwd), &self.users_like, name)
    }

    pub fn group_name_like(&self, name: &str) -> Option<String> {
        like(self.file(FileKind::Group), &self.groups_like, name)
    }

    /// The uids that nobody new gets: those that somebody has or had, and that a group has or had
    /// as its gid, so that a private group can have the same number.
    pub fn taken_uids(&self) -> &Numbers {
        &self.taken_uids
    }

    /// The gids that no new group gets: those of groups that are there or were, and those that
    /// users have as their primary one.
    pub fn taken_gids(&self) -> &Numbers {
        &self.taken_gids
    }

    /// Whether an account that is gone had this uid.
    pub fn was_uid(&self, uid: u32) -> bool {
        self.quarantine.uids.contains_key(&uid)
    }

    pub fn was_gid(&self, gid: u32) -> bool {
        self.quarantine.gids.contains_key(&gid)
    }

    pub(super) fn has_uid(&self, uid: u32) -> bool {
        self.by_uid.has(uid) || self.was_uid(uid) || self.has_gid(uid)
    }

    pub(super) fn has_gid(&self, gid: u32) -> bool {
        self.by_gid.has(gid) || self.primary.contains_key(&gid) || self.was_gid(gid)
    }

    /// To be called with every number that an edit has touched.
    fn renumber(&mut self, number: u32) {
        match self.has_uid(number) {
            true => self.taken_uids.insert(number),
            false => self.taken_uids.remove(number),
        }
        match self.has_gid(number) {
            true => self.taken_gids.insert(number),
            false => self.taken_gids.remove(number),
        }
    }

    /// What decides whether sessions and handles of a user stay good: ids, home, password field,
    /// expiry and groups. Equal texts mean that nothing of it has changed.
    pub(super) fn security_state(&self, name: &str) -> Option<Vec<u8>> {
        let passwd = self.entry(FileKind::Passwd, name)?;
        let mut state = Vec::new();
        for field in [0, 1, 2, 3, 5] {
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
            let gid = self.line(FileKind::Group, group).and_then(|line| number_of(line));
            state.extend_from_slice(format!("{gid:?}").as_bytes());
        }
        Some(state)
    }

    pub(super) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::apply),
            Edit::User { id, old, new } => self.put_user(*id, old.as_ref(), new.clone()),
            Edit::Group { id, old, new } => self.put_group(*id, old.as_ref(), new.clone()),
            Edit::Sudo { grantee, sudo } => self.set_sudo(*grantee, *sudo),
            Edit::Transfer { .. } => {}
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

    pub(super) fn undo(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::undo),
            Edit::User { id, old, new } => self.put_user(*id, new.as_ref(), old.clone()),
            Edit::Group { id, old, new } => self.put_group(*id, new.as_ref(), old.clone()),
            Edit::Sudo { grantee, sudo } => self.set_sudo(*grantee, sudo.other()),
            Edit::Transfer { .. } => {}
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
    pub(super) fn replace_file(&mut self, kind: FileKind, file: LineFile, names: &HashSet<String>) {
        names.iter().for_each(|name| self.unindex(kind, name));
        self.files[kind as usize] = file;
        names.iter().for_each(|name| self.index(kind, name));
    }

    fn change_file(&mut self, kind: FileKind, slot: &SlotEdit, change: fn(&mut LineFile, FileKind, &SlotEdit)) {
        let names: HashSet<&str> = slot.lines().filter_map(|line| kind.key(line)).collect();
        names.iter().for_each(|name| self.unindex(kind, name));
        change(&mut self.files[kind as usize], kind, slot);
        names.iter().for_each(|name| self.index(kind, name));
    }

    /// Enters the line that stands for `name` into the indexes.
    fn index(&mut self, kind: FileKind, name: &str) {
        let Some(line) = self.line(kind, name).cloned() else { return };
        let Some(name) = self.file(kind).shared_name(name).cloned() else { return };
        match kind {
            FileKind::Passwd => {
                if let Some((uid, gid)) = ids(&line) {
                    self.by_uid.add(uid, &name, &self.files[kind as usize]);
                    *self.primary.entry(gid).or_default() += 1;
                    self.renumber(uid);
                    self.renumber(gid);
                }
                add_like(&mut self.users_like, &name);
            }
            FileKind::Group => {
                if let Some((gid, members)) = group_of(&line) {
                    self.by_gid.add(gid, &name, &self.files[kind as usize]);
                    self.renumber(gid);
                    for member in members {
                        self.memberships.entry(member).or_default().push(name.to_string());
                    }
                }
                add_like(&mut self.groups_like, &name);
            }
            FileKind::Gshadow => {
                for named in shadowing(&line) {
                    self.shadowed.entry(named).or_default().push(name.to_string());
                }
            }
            FileKind::Shadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => {}
        }
    }

    fn unindex(&mut self, kind: FileKind, name: &str) {
        let Some(line) = self.line(kind, name).cloned() else { return };
        match kind {
            FileKind::Passwd => {
                if let Some((uid, gid)) = ids(&line) {
                    self.by_uid.remove(uid, name);
                    release(&mut self.primary, gid);
                    self.renumber(uid);
                    self.renumber(gid);
                }
                remove(&mut self.users_like, &name.to_lowercase(), name);
            }
            FileKind::Group => {
                if let Some((gid, members)) = group_of(&line) {
                    self.by_gid.remove(gid, name);
                    self.renumber(gid);
                    for member in members {
                        remove(&mut self.memberships, &member, name);
                    }
                }
                remove(&mut self.groups_like, &name.to_lowercase(), name);
            }
            FileKind::Gshadow => {
                for named in shadowing(&line) {
                    remove(&mut self.shadowed, &named, name);
                }
            }
            FileKind::Shadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => {}
        }
    }

    fn put_user(&mut self, id: AccountId, old: Option<&UserRow>, new: Option<UserRow>) {
        self.users_in_order.take();
        if let Some(old) = old {
            self.users.remove(&id);
            // The name may be another account's by now.
            if self.user_ids.get(old.name.as_str()) == Some(&id) {
                self.user_ids.remove(old.name.as_str());
            }
        }
        if let Some(new) = new {
            self.user_ids.insert(new.name.as_str().into(), id);
            self.users.insert(id, Arc::new(new));
        }
    }

    fn put_group(&mut self, id: AccountId, old: Option<&GroupRow>, new: Option<GroupRow>) {
        self.groups_in_order.take();
        if let Some(old) = old {
            self.groups.remove(&id);
            if self.group_ids.get(old.name.as_str()) == Some(&id) {
                self.group_ids.remove(old.name.as_str());
            }
        }
        if let Some(new) = new {
            self.group_ids.insert(new.name.as_str().into(), id);
            self.groups.insert(id, Arc::new(new));
        }
    }
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

/// Who is named in a gshadow(5) line, each once.
fn shadowing(line: &[u8]) -> HashSet<String> {
    let entry = Entry::parse(line);
    let (administrators, members) = (entry.names(gshadow::ADMINISTRATORS), entry.names(gshadow::MEMBERS));
    administrators.into_iter().chain(members).collect()
}

/// A user as the files have it now: name, uid, gid.
pub(super) fn users_in(view: &LineFile) -> impl Iterator<Item = (&str, Uid)> {
    view.entries(FileKind::Passwd).filter_map(|(name, line)| Some((name, Uid(ids(line)?.0))))
}

pub(super) fn groups_in(view: &LineFile) -> impl Iterator<Item = (&str, Gid)> {
    view.entries(FileKind::Group).filter_map(|(name, line)| Some((name, Gid(number_of(line)?))))
}

fn like(file: &LineFile, with_upper_case: &HashMap<String, Vec<String>>, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let plain = [name, &lower].into_iter().find(|name| file.find(name).is_some()).map(str::to_owned);
    plain.or_else(|| with_upper_case.get(&lower)?.first().cloned())
}

fn add_like(with_upper_case: &mut HashMap<String, Vec<String>>, name: &str) {
    let lower = name.to_lowercase();
    if lower != name {
        with_upper_case.entry(lower).or_default().push(name.to_owned());
    }
}

fn release(numbers: &mut HashMap<u32, usize>, number: u32) {
    match numbers.get_mut(&number) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => drop(numbers.remove(&number)),
        None => {}
    }
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
