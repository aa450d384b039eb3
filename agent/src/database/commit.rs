//! One commit: new files beside the old ones, the commit point, the renames, the actions. After
//! a crash `recovery` does the rest.

use std::path::Path;
use std::time::Duration;

use hashbrown::HashMap;
use tracing::error;

use super::disk::{Disk, Fingerprints, Written};
use super::draft::Batch;
use super::edit::Edit;
use super::error::DatabaseError;
use super::file::FileKind;
use super::home;
use super::journal::{Action, Journal, JournalFile, LineEdit};
use super::lock;
use super::relocation;
use super::state::State;
use super::view::View;
use crate::belongings;
use crate::suspension;

/// After the commit point everything is tried again until it works; this long between tries.
const RETRY: Duration = Duration::from_millis(200);
/// Files of this size in sum are written in a thread each.
const LARGE: u64 = 256 * 1024;

/// Where a commit happens.
#[derive(Debug)]
pub struct Place<'a> {
    pub disk: &'a Disk,
    pub root: &'a Path,
    pub state: &'a mut State,
}

impl Place<'_> {
    /// Makes the edits, which `view` has already, true on disk together with their records, and
    /// gives the fingerprints of all files as they are then. An error means that nothing has
    /// changed; after the commit point there is none, unless the state store is damaged.
    pub(super) fn commit(&mut self, view: &View, batch: &mut Batch) -> Result<Fingerprints, DatabaseError> {
        let kinds = changed_kinds(&batch.edits);
        let actions = std::mem::take(&mut batch.actions);
        if kinds.is_empty() && actions.is_empty() {
            self.state.commit(&batch.edits, None, || batch.records(view))?;
            return Ok(view.fingerprints);
        }
        // Samba takes no password lock; until the new file is in place it waits for this one.
        let _samba = match kinds.contains(&FileKind::Smbpasswd) {
            true => lock::hold_smbpasswd(&self.disk.path(FileKind::Smbpasswd))?,
            false => None,
        };
        let result: Result<_, DatabaseError> = std::thread::scope(|scope| {
            let batch = &*batch;
            // Beside the files, where there are many.
            let records = batch.undescribed.is_some().then(|| scope.spawn(|| batch.records(view)));
            let written = self.prepare(view, &kinds)?;
            let journal = journal(&written, &batch.edits, actions);
            self.state.commit(&batch.edits, Some(&journal), || match records {
                Some(records) => records.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                None => batch.records(view),
            })?;
            Ok((written, journal))
        });
        let (written, journal) = result.inspect_err(|_| kinds.iter().for_each(|kind| self.disk.discard(*kind)))?;
        self.finish(view, &journal)?;
        Ok(self.fingerprints_after(view, &written, &journal.actions))
    }

    /// Writes the new files beside the old ones, which have to be the known ones to the last:
    /// an editor that takes no lock may have come in between.
    fn prepare(&self, view: &View, kinds: &[FileKind]) -> Result<Vec<Written>, DatabaseError> {
        let size = |kind: &FileKind| view.fingerprints[*kind].map_or(0, |fingerprint| fingerprint.size());
        let written = if kinds.iter().map(size).sum::<u64>() < LARGE {
            kinds.iter().map(|kind| write(self.disk, view, *kind)).collect::<Result<Vec<_>, _>>()?
        } else {
            std::thread::scope(|scope| {
                let disk = self.disk;
                let threads: Vec<_> = kinds.iter().map(|kind| scope.spawn(|| write(disk, view, *kind))).collect();
                let results = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(DatabaseError::WriterGone)));
                results.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, _>>()
            })?
        };
        let now = self.disk.fingerprints()?;
        if kinds.iter().any(|kind| now[*kind] != view.fingerprints[*kind]) {
            return Err(DatabaseError::Overtaken);
        }
        Ok(written)
    }

    /// A file that somebody has written since its rename gets none, and is read the next time; so
    /// does the directory of drop-ins when there was something to do in it.
    fn fingerprints_after(&self, view: &View, written: &[Written], actions: &[Action]) -> Fingerprints {
        let mut fingerprints = view.fingerprints;
        let sudo = |action: &Action| matches!(action, Action::GrantSudo { .. } | Action::RevokeSudo { .. });
        if actions.iter().any(sudo) {
            fingerprints.drop_ins = None;
        }
        for Written { kind, fingerprint, .. } in written {
            let now = self.disk.fingerprint(*kind).ok().flatten();
            fingerprints[*kind] = now.filter(|now| now.is_renamed(fingerprint));
        }
        fingerprints
    }

    /// Everything behind the commit point. Tried until it works.
    fn finish(&mut self, view: &View, journal: &Journal) -> Result<(), DatabaseError> {
        for file in &journal.files {
            until_done(|| self.place(view, file))?;
        }
        let kinds: Vec<FileKind> = journal.files.iter().map(|file| file.kind).collect();
        until_done(|| self.disk.sync_directories(&kinds).map_err(DatabaseError::Sync))?;
        self.act(&journal.actions)
    }

    /// Puts the new file in place. An editor that takes no lock may have written the old one
    /// since it was last looked at: then its lines are kept, and ours are made in its file.
    fn place(&self, view: &View, file: &JournalFile) -> Result<(), DatabaseError> {
        let kind = file.kind;
        let read = |source| DatabaseError::Read { kind, source };
        if self.disk.fingerprint(kind).map_err(read)? != view.fingerprints[kind] {
            return self.recover_file(file);
        }
        match self.disk.replace(kind) {
            // Somebody has removed what stood ready.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.recover_file(file),
            replaced => replaced.map_err(|source| DatabaseError::Replace { kind, source }),
        }
    }

    /// Does what comes after the files, then forgets the journal.
    pub(super) fn act(&mut self, actions: &[Action]) -> Result<(), DatabaseError> {
        for action in actions {
            match action {
                Action::PublishHome { parent, hidden, name, .. } => {
                    until_done(|| home::publish(self.root, parent, hidden, name))?;
                }
                Action::GrantSudo { grantee, grant } => {
                    until_done(|| self.disk.drop_ins.place(*grantee, grant).map_err(DatabaseError::DropIns))?;
                }
                Action::RevokeSudo { grantee } => {
                    until_done(|| self.disk.drop_ins.remove(*grantee).map_err(DatabaseError::DropIns))?;
                }
                Action::RemoveBelongings { name, uid, deletion } => {
                    belongings::remove(self.root, name, *uid, deletion);
                }
                Action::RenameBelongings { old, new, uid } => belongings::rename(self.root, old, new, *uid),
                Action::Suspend { name, uid } => suspension::suspend(self.root, name, *uid),
                Action::Resume { name, uid } => suspension::resume(self.root, name, *uid),
                Action::RetireHome(retirement) => until_done(|| home::retire(self.root, retirement))?,
                Action::MoveHome { from, to, .. } => until_done(|| relocation::relocate(self.root, from, to))?,
            }
        }
        until_done(|| Ok(self.state.clear_journal()?))
    }
}

fn write(disk: &Disk, view: &View, kind: FileKind) -> Result<Written, DatabaseError> {
    disk.write_beside(view.file(kind)).map_err(|source| DatabaseError::Write { kind, source })
}

/// Only a damaged state store is given up: no try mends it.
fn until_done(mut step: impl FnMut() -> Result<(), DatabaseError>) -> Result<(), DatabaseError> {
    loop {
        match step() {
            Err(error) if !error.ends_the_agent() => {
                error!(%error, "a change is decided and not yet done; trying again")
            }
            result => return result,
        }
        std::thread::sleep(RETRY);
    }
}

fn changed_kinds(edits: &[Edit]) -> Vec<FileKind> {
    let changed = |kind: &FileKind| edits.iter().any(|edit| matches!(edit, Edit::Line { kind: of, .. } if of == kind));
    FileKind::ALL.into_iter().filter(changed).collect()
}

fn journal(written: &[Written], edits: &[Edit], actions: Vec<Action>) -> Journal {
    let file = |Written { kind, digest: after, .. }: &Written| JournalFile {
        kind: *kind,
        after: after.clone(),
        edits: line_edits(*kind, edits),
    };
    Journal { files: written.iter().map(file).collect(), actions }
}

/// The edits of one file as they are in sum: a slot that was changed several times counts once.
pub(super) fn line_edits(kind: FileKind, edits: &[Edit]) -> Vec<LineEdit> {
    let mut sum: Vec<LineEdit> = Vec::new();
    let mut by_slot: HashMap<usize, usize> = HashMap::new();
    for edit in edits {
        let slot = match edit {
            Edit::Line { kind: of, slot } if *of == kind => slot,
            Edit::Line { .. } | Edit::User { .. } | Edit::Group { .. } | Edit::Sudo { .. } | Edit::Transfer { .. } => {
                continue;
            }
            Edit::PasswordHistory { .. }
            | Edit::PasswordRules { .. }
            | Edit::ApiKey { .. }
            | Edit::KeyFile(_)
            | Edit::SecondFactor { .. }
            | Edit::PasswordStamp { .. } => {
                continue;
            }
        };
        let (old, new) = (slot.before().cloned(), slot.after().cloned());
        match by_slot.get(&slot.number()).and_then(|place| sum.get_mut(*place)) {
            Some(earlier) => earlier.new = new,
            None => {
                by_slot.insert(slot.number(), sum.len());
                sum.push(LineEdit { old, new });
            }
        }
    }
    sum.retain(|edit| edit.old != edit.new);
    sum
}
