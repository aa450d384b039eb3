//! All accounts in memory: the lines of the files, the rows of the state store, and indexes.
//!
//! There are two copies. The writer works on one, edit by edit, each of which it can undo, and
//! publishes it when the edits are on disk; the one that was public before gets the same edits
//! and is worked on next, so that nothing of the size of the files is copied for a change.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use accountd_config::Passwords;
use accountd_protocol::agent::Generation;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::limits::Limits;
use accountd_protocol::sudo::SudoGrant;
use smallvec::SmallVec;

use super::api_keys::{ApiKeyRow, ApiKeys};
use super::disk::Fingerprints;
use super::entry::{self, Entry, group_of, ids, number_of, shadow};
use super::file::{FileKind, LineFile, Presence, SlotEdit};
use super::key_files::KeyFileRow;
use super::named_in::NamedIn;
use super::numbers::Numbers;
use super::row::{GroupRow, UserRow};
use super::rows::Rows;
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
        old: Option<Arc<UserRow>>,
        new: Option<Arc<UserRow>>,
    },
    Group {
        id: AccountId,
        old: Option<Arc<GroupRow>>,
        new: Option<Arc<GroupRow>>,
    },
    /// What somebody may do by sudo.
    Sudo {
        grantee: Grantee,
        old: Sudo,
        new: Sudo,
    },
    /// The last passwords of an account, the latest first. No view has them.
    PasswordHistory {
        account: AccountId,
        hashes: Vec<String>,
    },
    /// The rules for passwords that are set over REST.
    PasswordRules {
        old: Passwords,
        new: Passwords,
    },
    /// A key that is made or revoked.
    ApiKey {
        old: Option<Arc<ApiKeyRow>>,
        new: Option<Arc<ApiKeyRow>>,
    },
    /// The last transfer of an account's home. No view has it.
    Transfer {
        account: AccountId,
        new: Option<Box<TransferRow>>,
    },
    /// A key file that is to get its place behind the commit. No view has it.
    KeyFile(Box<KeyFileRow>),
}

/// By whom they are for.
pub type Grants = HashMap<Grantee, Arc<SudoGrant>>;

#[derive(Clone, Debug, Default)]
pub struct View {
    files: Files,
    users: Rows<UserRow>,
    groups: Rows<GroupRow>,
    /// Only names that have upper case letters; all others are found as they are.
    users_like: HashMap<String, Vec<String>>,
    groups_like: HashMap<String, Vec<String>>,
    /// Who is in which group, by group(5).
    members: NamedIn,
    /// Who is named in which gshadow(5) line, as an administrator or as a member.
    shadowed: NamedIn,
    /// How many users have each gid as their primary one.
    primary: HashMap<u32, u32>,
    /// Who has a drop-in of ours, and what for.
    grants: Grants,
    /// uids and gids of deleted accounts: never chosen automatically.
    quarantine: Quarantine,
    /// All numbers that [`View::has_uid`] and [`View::has_gid`] are true of.
    taken_uids: Numbers,
    taken_gids: Numbers,
    pub(super) generation: u64,
    /// Those that were set over REST.
    pub(super) password_rules: Passwords,
    pub(super) api_keys: ApiKeys,
    /// The files on disk that these lines are from.
    pub(super) fingerprints: Fingerprints,
}

/// By kind.
#[derive(Clone, Debug)]
struct Files([LineFile; FileKind::ALL.len()]);

impl Default for Files {
    fn default() -> Self {
        Self(FileKind::ALL.map(LineFile::absent))
    }
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
    pub uids: HashMap<u32, u32>,
    pub gids: HashMap<u32, u32>,
}

/// Of a line that has no numbers.
const NONE: [Option<u32>; 2] = [None, None];

impl View {
    pub(super) fn new(users: Vec<UserRow>, groups: Vec<GroupRow>, quarantine: Quarantine) -> Self {
        let mut view = View { quarantine, ..View::default() };
        let buried: Vec<u32> = view.quarantine.uids.keys().chain(view.quarantine.gids.keys()).copied().collect();
        buried.into_iter().for_each(|number| view.renumber(number));
        for row in users {
            view.users.put(row.id, Some(Arc::new(row)));
        }
        for row in groups {
            view.groups.put(row.id, Some(Arc::new(row)));
        }
        view
    }

    pub fn file(&self, kind: FileKind) -> &LineFile {
        &self.files.0[kind as usize]
    }

    /// Counts the changes; it goes up, also over restarts.
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// The rules for passwords that were set over REST, over those of the configuration.
    pub fn password_rules(&self) -> &Passwords {
        &self.password_rules
    }

    pub fn api_keys(&self) -> &ApiKeys {
        &self.api_keys
    }

    pub fn line(&self, kind: FileKind, name: &str) -> Option<&[u8]> {
        self.file(kind).find(name)
    }

    pub fn entry(&self, kind: FileKind, name: &str) -> Option<Entry> {
        self.line(kind, name).map(Entry::parse)
    }

    /// Whether the file exists. A missing gshadow(5) is not begun.
    pub fn has(&self, kind: FileKind) -> bool {
        self.file(kind).presence() == Presence::Present
    }

    pub fn user(&self, id: AccountId) -> Option<&UserRow> {
        self.users.get(id)
    }

    pub fn user_named(&self, name: &str) -> Option<&UserRow> {
        self.users.named(name)
    }

    /// Built-in users last, then by uid.
    pub fn users(&self) -> &Rows<UserRow> {
        &self.users
    }

    pub fn group(&self, id: AccountId) -> Option<&GroupRow> {
        self.groups.get(id)
    }

    pub fn group_named(&self, name: &str) -> Option<&GroupRow> {
        self.groups.named(name)
    }

    /// Built-in groups last, then by gid.
    pub fn groups(&self) -> &Rows<GroupRow> {
        &self.groups
    }

    /// The group of a gid: the first in the file, where several share it.
    pub fn group_of_gid(&self, gid: u32) -> Option<&GroupRow> {
        self.names_of_gid(gid).into_iter().find_map(|name| self.group_named(name))
    }

    /// In the order of the file.
    pub fn names_of_uid(&self, uid: u32) -> Vec<&str> {
        self.file(FileKind::Passwd).names_of(uid)
    }

    pub fn names_of_gid(&self, gid: u32) -> Vec<&str> {
        self.file(FileKind::Group).names_of(gid)
    }

    /// The groups whose member list names this user.
    pub fn groups_of_member(&self, name: &str) -> &[Arc<str>] {
        self.members.groups(name)
    }

    /// The groups whose gshadow line names this user, as an administrator or as a member.
    pub fn groups_shadowing(&self, name: &str) -> &[Arc<str>] {
        self.shadowed.groups(name)
    }

    /// What the drop-in of an account grants; what else sudoers(5) says is not looked at.
    pub fn sudo(&self, grantee: Grantee) -> Sudo {
        self.grants.get(&grantee).map_or(Sudo::None, |grant| Sudo::Granted(grant.clone()))
    }

    pub(super) fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(super) fn replace_grants(&mut self, grants: Grants) {
        self.grants = grants;
    }

    fn set_sudo(&mut self, grantee: Grantee, sudo: &Sudo) {
        match sudo {
            Sudo::Granted(grant) => self.grants.insert(grantee, grant.clone()),
            Sudo::None => self.grants.remove(&grantee),
        };
    }

    pub fn users_with_primary_gid(&self, gid: u32) -> u32 {
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
        self.file(FileKind::Passwd).has_number(uid) || self.was_uid(uid) || self.has_gid(uid)
    }

    pub(super) fn has_gid(&self, gid: u32) -> bool {
        self.file(FileKind::Group).has_number(gid) || self.primary.contains_key(&gid) || self.was_gid(gid)
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
        let mut groups: Vec<&Arc<str>> = self.groups_of_member(name).iter().collect();
        groups.sort_unstable();
        for group in groups {
            let gid = self.line(FileKind::Group, group).and_then(number_of);
            state.extend_from_slice(format!("{gid:?}").as_bytes());
        }
        state.extend_from_slice(self.security_limits(name).as_bytes());
        Some(state)
    }

    /// Of the limits, those that a session must not outlive; and the hash that only accountd knows.
    fn security_limits(&self, name: &str) -> String {
        let Some(row) = self.user_named(name) else { return String::new() };
        let limits = self.limits_of(row);
        let narrow = limits.iter().map(|limits| (&limits.permissions, &limits.root, &limits.networks));
        format!(
            "{:?}{:?}",
            narrow.filter(|narrow| *narrow != (&None, &None, &Vec::new())).collect::<Vec<_>>(),
            row.extras().own_hash
        )
    }

    /// The limits that count for a user: its own, and those of each of its groups.
    pub fn limits_of<'a>(&'a self, row: &'a UserRow) -> Vec<&'a Limits> {
        let primary = self.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number::<u32>(entry::passwd::GID));
        let primary = primary.into_iter().flat_map(|gid| self.names_of_gid(gid));
        let supplementary = self.groups_of_member(&row.name).iter().map(|name| &**name);
        let mut groups: Vec<&GroupRow> =
            primary.chain(supplementary).filter_map(|name| self.group_named(name)).collect();
        groups.sort_unstable_by_key(|group| group.id);
        groups.dedup_by_key(|group| group.id);
        let of_groups = groups.into_iter().map(GroupRow::limits);
        [&row.extras().limits].into_iter().chain(of_groups).filter(|limits| !limits.is_none()).collect()
    }

    /// All of them in one: the strictest of each.
    pub fn effective_limits(&self, row: &UserRow) -> Limits {
        let limits = self.limits_of(row).into_iter();
        limits.fold(Limits::default(), |all, limits| all.and(limits))
    }

    pub(super) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Line { kind, slot } => self.change_file(*kind, slot, LineFile::apply),
            Edit::User { id, new, .. } => self.users.put(*id, new.clone()),
            Edit::Group { id, new, .. } => self.groups.put(*id, new.clone()),
            Edit::Sudo { grantee, new, .. } => self.set_sudo(*grantee, new),
            Edit::PasswordRules { new, .. } => self.password_rules = new.clone(),
            Edit::ApiKey { old, new } => self.api_keys.replace(old.as_ref(), new.as_ref()),
            Edit::PasswordHistory { .. } | Edit::Transfer { .. } | Edit::KeyFile(_) => {}
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
            Edit::User { id, old, .. } => self.users.put(*id, old.clone()),
            Edit::Group { id, old, .. } => self.groups.put(*id, old.clone()),
            Edit::Sudo { grantee, old, .. } => self.set_sudo(*grantee, old),
            Edit::PasswordRules { old, .. } => self.password_rules = old.clone(),
            Edit::ApiKey { old, new } => self.api_keys.replace(new.as_ref(), old.as_ref()),
            Edit::PasswordHistory { .. } | Edit::Transfer { .. } | Edit::KeyFile(_) => {}
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
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.change_lines(kind, &names, |known| *known = file);
    }

    /// Lets later copies share the lines too that have come since the files were read.
    pub(super) fn gather(&mut self) -> bool {
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
                add_like(&mut self.users_like, name);
                let Some((uid, gid)) = ids(line) else { return NONE };
                *self.primary.entry(gid).or_default() += 1;
                [Some(uid), Some(gid)]
            }
            FileKind::Group => {
                add_like(&mut self.groups_like, name);
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
                remove_like(&mut self.users_like, name);
                let Some((uid, gid)) = ids(line) else { return NONE };
                release(&mut self.primary, gid);
                [Some(uid), Some(gid)]
            }
            FileKind::Group => {
                remove_like(&mut self.groups_like, name);
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

/// A user as the files have it now: name, uid, gid.
pub(super) fn users_in(view: &LineFile) -> impl Iterator<Item = (&str, Uid)> {
    view.entries().filter_map(|(name, line)| Some((name, Uid(ids(line)?.0))))
}

pub(super) fn groups_in(view: &LineFile) -> impl Iterator<Item = (&str, Gid)> {
    view.entries().filter_map(|(name, line)| Some((name, Gid(number_of(line)?))))
}

fn like(file: &LineFile, with_upper_case: &HashMap<String, Vec<String>>, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let plain = [name, &lower].into_iter().find(|name| file.find(name).is_some()).map(str::to_owned);
    plain.or_else(|| with_upper_case.get(&lower)?.first().cloned())
}

fn is_plainly_lower_case(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

fn add_like(with_upper_case: &mut HashMap<String, Vec<String>>, name: &str) {
    if is_plainly_lower_case(name) {
        return;
    }
    let lower = name.to_lowercase();
    if lower != name {
        with_upper_case.entry(lower).or_default().push(name.to_owned());
    }
}

fn remove_like(with_upper_case: &mut HashMap<String, Vec<String>>, name: &str) {
    if is_plainly_lower_case(name) {
        return;
    }
    let lower = name.to_lowercase();
    if let Some(names) = with_upper_case.get_mut(&lower) {
        names.retain(|known| known != name);
        if names.is_empty() {
            with_upper_case.remove(&lower);
        }
    }
}

fn release(numbers: &mut HashMap<u32, u32>, number: u32) {
    match numbers.get_mut(&number) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => drop(numbers.remove(&number)),
        None => {}
    }
}
