//! All accounts in memory: the lines of the files, the rows of the state store, and indexes.
//!
//! There are two copies. The writer works on one, edit by edit, each of which it can undo, and
//! publishes it when the edits are on disk; the one that was public before gets the same edits
//! and is worked on next, so that nothing of the size of the files is copied for a change.

mod edits;
mod limits;
mod security;
mod upper_case;

use std::collections::HashMap;
use std::sync::Arc;

use accountd_config::Passwords;
use accountd_protocol::agent::Generation;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::sudo::SudoGrant;

use self::upper_case::UpperCase;
use crate::database::api_keys::ApiKeys;
use crate::database::disk::Fingerprints;
use crate::database::entry::{Entry, ids, number_of};
use crate::database::file::{FileKind, LineFile, Presence};
use crate::database::named_in::NamedIn;
use crate::database::numbers::Numbers;
use crate::database::row::{GroupRow, UserRow};
use crate::database::rows::Rows;
use crate::database::second_factors::Factors;
use crate::sudoers::{Grantee, Sudo};

/// By whom they are for.
pub type Grants = HashMap<Grantee, Arc<SudoGrant>>;

#[derive(Clone, Debug, Default)]
pub struct View {
    files: Files,
    users: Rows<UserRow>,
    groups: Rows<GroupRow>,
    users_like: UpperCase,
    groups_like: UpperCase,
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
    pub(in crate::database) generation: u64,
    /// Those that were set over REST.
    pub(in crate::database) password_rules: Passwords,
    pub(in crate::database) api_keys: ApiKeys,
    pub(in crate::database) second_factors: Factors,
    /// The files on disk that these lines are from.
    pub(in crate::database) fingerprints: Fingerprints,
}

/// By kind.
#[derive(Clone, Debug)]
struct Files([LineFile; FileKind::ALL.len()]);

impl Default for Files {
    fn default() -> Self {
        Self(FileKind::ALL.map(LineFile::absent))
    }
}

/// Numbers whose files may still lie around, and how many accounts have left each.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    pub uids: HashMap<u32, u32>,
    pub gids: HashMap<u32, u32>,
}

impl View {
    pub(in crate::database) fn new(users: Vec<UserRow>, groups: Vec<GroupRow>, quarantine: Quarantine) -> Self {
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

    pub fn second_factors(&self) -> &Factors {
        &self.second_factors
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

    pub(in crate::database) fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(in crate::database) fn replace_grants(&mut self, grants: Grants) {
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
        self.users_like.like(self.file(FileKind::Passwd), name)
    }

    pub fn group_name_like(&self, name: &str) -> Option<String> {
        self.groups_like.like(self.file(FileKind::Group), name)
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

    pub(in crate::database) fn has_uid(&self, uid: u32) -> bool {
        self.file(FileKind::Passwd).has_number(uid) || self.was_uid(uid) || self.has_gid(uid)
    }

    pub(in crate::database) fn has_gid(&self, gid: u32) -> bool {
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
}

/// A user as the files have it now: name, uid, gid.
pub(in crate::database) fn users_in(view: &LineFile) -> impl Iterator<Item = (&str, Uid)> {
    view.entries().filter_map(|(name, line)| Some((name, Uid(ids(line)?.0))))
}

pub(in crate::database) fn groups_in(view: &LineFile) -> impl Iterator<Item = (&str, Gid)> {
    view.entries().filter_map(|(name, line)| Some((name, Gid(number_of(line)?))))
}
