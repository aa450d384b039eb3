//! The one thread that changes the accounts: takes what is waiting, all under one lock and in
//! one commit, each change with its own answer.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use accountd_protocol::agent::{Generation, Revocation};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;

use super::commit::{Digests, Place};
use super::disk::{Disk, Fingerprint};
use super::draft::{Draft, Savepoint};
use super::error::DatabaseError;
use super::file::{FileKind, LineFile};
use super::journal::digest;
use super::lock::PasswordLock;
use super::matching::match_accounts;
use super::row::{GroupRow, Origin, UserRow};
use super::state::State;
use super::view::{Edit, Quarantine, View, groups_in, users_in};
use super::watch::Freshness;

/// The most changes in one commit.
const MOST_AT_ONCE: usize = 256;
/// Between two commits when more is waiting, so that other programs get the lock.
const GAP: Duration = Duration::from_millis(2);

/// What the writer is asked for.
pub(super) enum Job {
    Change(Box<dyn Change>),
    /// Read again what others have changed.
    Refresh(Sender<Result<(), Refusal>>),
    /// Remember a directory in which homes are made.
    HomeParent(String, Sender<Result<(), Refusal>>),
}

/// One request's change and the way back to it.
pub(super) trait Change: Send {
    /// Edits the draft; on a refusal the edits are undone.
    fn apply(&mut self, draft: &mut Draft<'_>) -> Result<(), ()>;
    /// Tells the request what came of it; `generation` is the one that its change is in.
    fn answer(self: Box<Self>, committed: Result<Generation, Refusal>);
}

/// Called after each commit with the users whose sessions and handles are void now.
pub type OnRevoked = Box<dyn Fn(&[Revocation]) + Send>;

pub(super) struct Writer {
    pub root: PathBuf,
    pub disk: Disk,
    pub state: State,
    /// The writer's own accounts; the readers' follow.
    pub view: View,
    pub shared: Arc<RwLock<View>>,
    pub fresh: Arc<Freshness>,
    pub fingerprints: [Option<Fingerprint>; 5],
    pub digests: Digests,
    pub next_user: u64,
    pub next_group: u64,
    /// Until the first reading is stored, accounts that appear are built in.
    pub origin: Origin,
    pub on_revoked: OnRevoked,
}

impl Writer {
    pub fn run(mut self, jobs: &Receiver<Job>) {
        let mut busy = false;
        loop {
            let first = match jobs.try_recv() {
                Ok(job) => {
                    if busy {
                        std::thread::sleep(GAP);
                    }
                    job
                }
                Err(_) => match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            let mut batch = vec![first];
            batch.extend(jobs.try_iter().take(MOST_AT_ONCE - 1));
            self.serve(batch);
            busy = true;
        }
    }

    fn serve(&mut self, batch: Vec<Job>) {
        let (mut changes, mut refreshes) = (Vec::new(), Vec::new());
        for job in batch {
            match job {
                Job::Change(change) => changes.push(change),
                Job::Refresh(answer) => refreshes.push(answer),
                Job::HomeParent(path, answer) => {
                    let stored = self.state.remember_home_parent(&path).map_err(DatabaseError::from);
                    // Whoever asked may have given up waiting.
                    let _ = answer.send(stored.map_err(DatabaseError::into_refusal));
                }
            }
        }
        if changes.is_empty() && refreshes.is_empty() {
            return;
        }
        let refreshed = self.locked(changes);
        for answer in refreshes {
            // Whoever asked may have given up waiting.
            let _ = answer.send(refreshed.clone());
        }
    }

    /// Takes the lock, completes what was interrupted, reads what others changed, then commits.
    fn locked(&mut self, changes: Vec<Box<dyn Change>>) -> Result<(), Refusal> {
        let ready = PasswordLock::wait(self.disk.etc()).map_err(DatabaseError::from).and_then(|lock| {
            Place { disk: &self.disk, root: &self.root, state: &mut self.state }.recover()?;
            self.refresh()?;
            Ok(lock)
        });
        match ready {
            Ok(lock) => {
                self.commit(changes);
                drop(lock);
                Ok(())
            }
            Err(error) => {
                let refusal = error.into_refusal();
                changes.into_iter().for_each(|change| change.answer(Err(refusal.clone())));
                Err(refusal)
            }
        }
    }

    fn commit(&mut self, changes: Vec<Box<dyn Change>>) {
        let mut draft = Draft::new(&mut self.view, self.next_user, self.next_group);
        let start = draft.savepoint();
        let mut accepted = Vec::new();
        for mut change in changes {
            let savepoint: Savepoint = draft.savepoint();
            match change.apply(&mut draft) {
                Ok(()) => accepted.push(change),
                Err(()) => {
                    draft.roll_back(savepoint);
                    let generation = draft.generation();
                    change.answer(Ok(generation));
                }
            }
        }
        let (edits, actions) = (draft.edits.clone(), draft.actions.clone());
        let (next_user, next_group) = (draft.next_user, draft.next_group);
        if edits.is_empty() && actions.is_empty() {
            let generation = draft.generation();
            accepted.into_iter().for_each(|change| change.answer(Ok(generation)));
            return;
        }
        let mut place = Place { disk: &self.disk, root: &self.root, state: &mut self.state };
        match place.commit(&draft, &edits, actions, &mut self.digests) {
            Ok(()) => {
                (self.next_user, self.next_group) = (next_user, next_group);
                self.remember_fingerprints();
                self.share(&edits);
                let generation = self.view.generation();
                accepted.into_iter().for_each(|change| change.answer(Ok(generation)));
            }
            Err(error) => {
                draft.roll_back(start);
                let refusal = error.into_refusal();
                accepted.into_iter().for_each(|change| change.answer(Err(refusal.clone())));
            }
        }
    }

    fn remember_fingerprints(&mut self) {
        for kind in FileKind::ALL {
            // A file that can't be looked at is read again the next time.
            self.fingerprints[kind as usize] = self.disk.fingerprint(kind).ok().flatten();
        }
        self.fresh.set(self.fingerprints);
    }

    /// Gives the readers what the writer has, and tells whose sessions are void.
    fn share(&mut self, edits: &[Edit]) {
        self.bury(edits);
        self.view.generation += 1;
        let touched = touched(edits);
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let before = Snapshot::of(&shared, &touched);
        edits.iter().for_each(|edit| shared.apply(edit));
        shared.generation = self.view.generation;
        shared.quarantine = self.view.quarantine.clone();
        drop(shared);
        self.announce(before);
    }

    fn bury(&mut self, edits: &[Edit]) {
        for edit in edits {
            let quarantine = &mut self.view.quarantine;
            match edit {
                Edit::User { old: Some(row), new: None, .. } => {
                    Arc::<Quarantine>::make_mut(quarantine).uids.insert(row.uid.0);
                }
                Edit::Group { old: Some(row), new: None, .. } => {
                    Arc::<Quarantine>::make_mut(quarantine).gids.insert(row.gid.0);
                }
                Edit::Line { .. } | Edit::User { .. } | Edit::Group { .. } => {}
            }
        }
    }

    fn announce(&self, before: Snapshot) {
        let generation = self.view.generation();
        let revoked: Vec<Revocation> = before
            .0
            .into_iter()
            .filter(|(row, state)| {
                let same_row = self.view.user(row.id).is_some_and(|now| now.name == row.name && now.uid == row.uid);
                !same_row || self.view.security_state(&row.name) != *state
            })
            .map(|(row, _)| Revocation { account: row.id, uid: row.uid, name: row.name, generation })
            .collect();
        if !revoked.is_empty() {
            (self.on_revoked)(&revoked);
        }
    }

    /// Reads the files that are not as they were left, and matches the accounts. Under the lock.
    pub fn refresh(&mut self) -> Result<(), DatabaseError> {
        let changed = self.changed()?;
        if changed.is_empty() && self.origin == Origin::Added {
            return Ok(());
        }
        let mut files: [LineFile; 5] = FileKind::ALL.map(|kind| self.view.file(kind).clone());
        let mut fingerprints = self.fingerprints;
        for (kind, fingerprint) in changed {
            let content = self.disk.read(kind).map_err(|source| DatabaseError::Read { kind, source })?;
            self.digests.insert(kind, digest(&content));
            files[kind as usize] = LineFile::parse(kind, &content);
            fingerprints[kind as usize] = fingerprint;
        }
        let edits = self.rematch(&files);
        self.state.commit(&edits, None)?;
        self.fingerprints = fingerprints;
        self.origin = Origin::Added;
        self.rebuild(files, &edits);
        Ok(())
    }

    fn changed(&self) -> Result<Vec<(FileKind, Option<Fingerprint>)>, DatabaseError> {
        let mut changed = Vec::new();
        for kind in FileKind::ALL {
            let now = self.disk.fingerprint(kind).map_err(|source| DatabaseError::Read { kind, source })?;
            if now != self.fingerprints[kind as usize] {
                changed.push((kind, now));
            }
        }
        Ok(changed)
    }

    /// The rows that have to change so that they fit the files.
    fn rematch(&mut self, files: &[LineFile; 5]) -> Vec<Edit> {
        let mut edits = Vec::new();
        let known: Vec<_> = self.view.users().map(|row| (row.id, row.name.as_str(), row.uid.0)).collect();
        let present: Vec<_> = users_in(&files[FileKind::Passwd as usize]).map(|(name, uid)| (name, uid.0)).collect();
        let users = match_accounts(&known, &present);
        let known: Vec<_> = self.view.groups().map(|row| (row.id, row.name.as_str(), row.gid.0)).collect();
        let present: Vec<_> = groups_in(&files[FileKind::Group as usize]).map(|(name, gid)| (name, gid.0)).collect();
        let groups = match_accounts(&known, &present);
        edits.extend(users.gone.iter().map(|id| self.user_edit(*id, None)));
        edits.extend(groups.gone.iter().map(|id| self.group_edit(*id, None)));
        for (id, name, uid) in users.kept {
            let Some(row) = self.view.user(id).filter(|row| row.name != name || row.uid.0 != uid) else { continue };
            let row = UserRow { name, uid: Uid(uid), ..row.clone() };
            edits.push(self.user_edit(id, Some(row)));
        }
        for (id, name, gid) in groups.kept {
            let Some(row) = self.view.group(id).filter(|row| row.name != name || row.gid.0 != gid) else { continue };
            let row = GroupRow { name, gid: Gid(gid), ..row.clone() };
            edits.push(self.group_edit(id, Some(row)));
        }
        for (name, uid) in users.new {
            let id = AccountId(self.next_user);
            self.next_user += 1;
            edits.push(Edit::User { id, old: None, new: Some(self.found_user(id, name, uid)) });
        }
        for (name, gid) in groups.new {
            let id = AccountId(self.next_group);
            self.next_group += 1;
            let row = GroupRow { id, name, gid: Gid(gid), origin: self.origin };
            edits.push(Edit::Group { id, old: None, new: Some(row) });
        }
        edits
    }

    fn found_user(&self, id: AccountId, name: String, uid: u32) -> UserRow {
        UserRow {
            id,
            name,
            uid: Uid(uid),
            origin: self.origin,
            email: String::new(),
            microsoft_account: false,
            kept_hash: None,
        }
    }

    fn user_edit(&self, id: AccountId, new: Option<UserRow>) -> Edit {
        Edit::User { id, old: self.view.user(id).cloned(), new }
    }

    fn group_edit(&self, id: AccountId, new: Option<GroupRow>) -> Edit {
        Edit::Group { id, old: self.view.group(id).cloned(), new }
    }

    /// Both copies anew from the files; whatever differs is announced.
    fn rebuild(&mut self, files: [LineFile; 5], edits: &[Edit]) {
        let mut rows = self.view.clone_rows();
        edits.iter().for_each(|edit| rows.apply(edit));
        let mut view = View::new(files, rows.users().cloned().collect(), rows.groups().cloned().collect());
        view.quarantine = self.view.quarantine.clone();
        view.generation = self.view.generation + 1;
        self.view = view;
        self.bury(edits);
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let everybody: HashSet<String> = shared.users().map(|row| row.name.clone()).collect();
        let before = Snapshot::of(&shared, &everybody);
        *shared = self.view.clone();
        drop(shared);
        self.fresh.set(self.fingerprints);
        self.announce(before);
    }
}

/// Users as they were: their rows and what decides on their sessions.
struct Snapshot(Vec<(UserRow, Option<Vec<u8>>)>);

impl Snapshot {
    fn of(view: &View, names: &HashSet<String>) -> Self {
        let rows = names.iter().filter_map(|name| view.user_named(name));
        Snapshot(rows.map(|row| (row.clone(), view.security_state(&row.name))).collect())
    }
}

/// The users that some edits are about: named by their lines and rows, or members of a group.
fn touched(edits: &[Edit]) -> HashSet<String> {
    let mut names = HashSet::new();
    for edit in edits {
        match edit {
            Edit::User { old, new, .. } => names.extend([old, new].into_iter().flatten().map(|row| row.name.clone())),
            Edit::Group { .. } => {}
            Edit::Line { kind, slot } => {
                for line in slot.lines() {
                    match kind {
                        FileKind::Passwd | FileKind::Shadow => names.extend(kind.key(line).map(str::to_owned)),
                        FileKind::Group => names.extend(super::entry::group_of(line).into_iter().flat_map(|(_, m)| m)),
                        FileKind::Gshadow | FileKind::Smbpasswd => {}
                    }
                }
            }
        }
    }
    names
}
