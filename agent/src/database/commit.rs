//! One commit: new files beside the old ones, the commit point, the renames, the actions.
//! And the same from the journal, after a crash.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use super::disk::{Disk, Fingerprint, Fingerprints};
use super::error::DatabaseError;
use super::file::{FileKind, Line, LineFile};
use super::home;
use super::journal::{Action, FileDigest, Journal, JournalFile, LineEdit, digest};
use super::state::State;
use super::view::{Edit, View};

/// After the commit point everything is tried again until it works; this long between tries.
const RETRY: Duration = Duration::from_millis(200);
/// Files of this size in sum are written in a thread each.
const LARGE: u64 = 256 * 1024;

/// The digest of each file as it is on disk, where it is known.
pub type Digests = BTreeMap<FileKind, FileDigest>;

/// A new file that stands ready beside the old one.
#[derive(Debug)]
struct Written {
    kind: FileKind,
    digest: FileDigest,
    fingerprint: Fingerprint,
}

/// Where a commit happens.
#[derive(Debug)]
pub struct Place<'a> {
    pub disk: &'a Disk,
    pub root: &'a Path,
    pub state: &'a mut State,
}

impl Place<'_> {
    /// Makes `edits`, which `view` has already, true on disk, and gives the fingerprints of all
    /// files as they are then. An error means that nothing has changed; after the commit point
    /// there is none.
    pub fn commit(
        &mut self,
        view: &View,
        edits: &[Edit],
        actions: Vec<Action>,
        digests: &mut Digests,
    ) -> Result<Fingerprints, DatabaseError> {
        let kinds = changed_kinds(edits);
        if kinds.is_empty() && actions.is_empty() {
            self.state.commit(edits, None)?;
            return Ok(view.fingerprints);
        }
        let result = self.prepare(view, &kinds).and_then(|written| {
            let journal = self.journal(&written, edits, actions, digests)?;
            self.state.commit(edits, Some(&journal))?;
            Ok((written, journal))
        });
        let (written, journal) = result.inspect_err(|_| kinds.iter().for_each(|kind| self.disk.discard(*kind)))?;
        self.finish(&journal);
        digests.extend(journal.files.into_iter().map(|file| (file.kind, file.after)));
        Ok(self.fingerprints_after(view, &written))
    }

    /// Writes the new files beside the old ones, which have to be the known ones to the last:
    /// an editor that takes no lock may have come in between.
    fn prepare(&self, view: &View, kinds: &[FileKind]) -> Result<Vec<Written>, DatabaseError> {
        let size = |kind: &FileKind| view.fingerprints[*kind as usize].map_or(0, |fingerprint| fingerprint.size());
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
        if kinds.iter().any(|kind| now[*kind as usize] != view.fingerprints[*kind as usize]) {
            return Err(DatabaseError::Overtaken);
        }
        Ok(written)
    }

    fn journal(
        &self,
        written: &[Written],
        edits: &[Edit],
        actions: Vec<Action>,
        digests: &Digests,
    ) -> Result<Journal, DatabaseError> {
        let mut files = Vec::new();
        for Written { kind, digest: after, .. } in written {
            let before = match digests.get(kind) {
                Some(known) => known.clone(),
                None => digest(&self.disk.read(*kind)?.unwrap_or_default()),
            };
            files.push(JournalFile { kind: *kind, before, after: after.clone(), edits: line_edits(*kind, edits) });
        }
        Ok(Journal { files, actions })
    }

    /// A file that somebody has written since its rename gets none, and is read the next time.
    fn fingerprints_after(&self, view: &View, written: &[Written]) -> Fingerprints {
        let mut fingerprints = view.fingerprints;
        for Written { kind, fingerprint, .. } in written {
            let now = self.disk.fingerprint(*kind).ok().flatten();
            fingerprints[*kind as usize] = now.filter(|now| now.is_renamed(fingerprint));
        }
        fingerprints
    }

    /// Everything behind the commit point. Tried until it works.
    fn finish(&mut self, journal: &Journal) {
        let kinds: Vec<FileKind> = journal.files.iter().map(|file| file.kind).collect();
        for kind in &kinds {
            until_done(|| self.disk.replace(*kind).map_err(|source| DatabaseError::Replace { kind: *kind, source }));
        }
        until_done(|| self.disk.sync_directories(&kinds).map_err(DatabaseError::Sync));
        self.act(journal);
    }

    fn act(&mut self, journal: &Journal) {
        for action in &journal.actions {
            match action {
                Action::PublishHome { parent, hidden, name } => {
                    until_done(|| home::publish(self.root, parent, hidden, name));
                }
            }
        }
        until_done(|| Ok(self.state.clear_journal()?));
    }

    /// Completes what a crash has interrupted. The lock is held.
    pub fn recover(&mut self) -> Result<(), DatabaseError> {
        let Some(journal) = self.state.journal()? else { return Ok(()) };
        info!("completing a change that was interrupted");
        for file in &journal.files {
            self.recover_file(file)?;
        }
        let kinds: Vec<FileKind> = journal.files.iter().map(|file| file.kind).collect();
        self.disk.sync_directories(&kinds).map_err(DatabaseError::Sync)?;
        self.act(&journal);
        Ok(())
    }

    fn recover_file(&self, record: &JournalFile) -> Result<(), DatabaseError> {
        let kind = record.kind;
        let content = self.disk.read(kind)?.unwrap_or_default();
        if digest(&content) == record.after {
            return Ok(());
        }
        let mut file = LineFile::parse(kind, &content);
        for edit in &record.edits {
            reapply(kind, &mut file, edit);
        }
        let mended = file.print();
        if mended != content {
            let written = self.disk.write_beside(kind, &mended);
            written.map_err(|source| DatabaseError::Write { kind, source })?;
            self.disk.replace(kind).map_err(|source| DatabaseError::Replace { kind, source })?;
        }
        Ok(())
    }
}

/// Makes one edit of the journal unless it is made already. Where somebody else has changed the
/// very line since, theirs stays.
fn reapply(kind: FileKind, file: &mut LineFile, edit: &LineEdit) {
    let stands = |name: Option<&str>| name.and_then(|name| file.find(name)).map(|line| line.to_vec());
    let (old, new) = (stands(edit.old_name(kind)), stands(edit.new_name(kind)));
    let done = match &edit.new {
        Some(line) => new.as_ref() == Some(line),
        None => old.is_none(),
    };
    if done {
        return;
    }
    if old != edit.old || (edit.old_name(kind) != edit.new_name(kind) && new.is_some()) {
        let name = edit.new_name(kind).or(edit.old_name(kind)).unwrap_or_default();
        return warn!(?kind, name, "a line was changed by another program since; it stays as it is");
    }
    let name = edit.old_name(kind).or(edit.new_name(kind)).unwrap_or_default().to_owned();
    if let Some(slot) = file.edit(&name, edit.new.as_deref().map(Line::from)) {
        file.apply(kind, &slot);
    }
}

fn write(disk: &Disk, view: &View, kind: FileKind) -> Result<Written, DatabaseError> {
    let content = view.file(kind).print();
    let fingerprint = disk.write_beside(kind, &content).map_err(|source| DatabaseError::Write { kind, source })?;
    Ok(Written { kind, digest: digest(&content), fingerprint })
}

fn until_done(mut step: impl FnMut() -> Result<(), DatabaseError>) {
    while let Err(error) = step() {
        error!(%error, "a change is decided and not yet done; trying again");
        std::thread::sleep(RETRY);
    }
}

fn changed_kinds(edits: &[Edit]) -> Vec<FileKind> {
    let changed = |kind: &FileKind| edits.iter().any(|edit| matches!(edit, Edit::Line { kind: of, .. } if of == kind));
    FileKind::ALL.into_iter().filter(changed).collect()
}

/// The edits of one file as they are in sum: a slot that was changed several times counts once.
fn line_edits(kind: FileKind, edits: &[Edit]) -> Vec<LineEdit> {
    let mut sum: Vec<LineEdit> = Vec::new();
    for edit in edits {
        let slot = match edit {
            Edit::Line { kind: of, slot } if *of == kind => slot,
            Edit::Line { .. } | Edit::User { .. } | Edit::Group { .. } => continue,
        };
        let (old, new) = (slot.before().map(|line| line.to_vec()), slot.after().map(|line| line.to_vec()));
        match sum.iter_mut().rev().find(|earlier| old.is_some() && earlier.new == old) {
            Some(earlier) => earlier.new = new,
            None => sum.push(LineEdit { old, new }),
        }
    }
    sum.retain(|edit| edit.old != edit.new);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: Option<&str>, new: Option<&str>) -> LineEdit {
        LineEdit { old: old.map(|line| line.as_bytes().to_vec()), new: new.map(|line| line.as_bytes().to_vec()) }
    }

    fn after(content: &str, edit: &LineEdit) -> String {
        let mut file = LineFile::parse(FileKind::Group, content.as_bytes());
        reapply(FileKind::Group, &mut file, edit);
        String::from_utf8(file.print()).unwrap()
    }

    #[test]
    fn an_edit_is_made_once_and_only_once() {
        let add = edit(None, Some("b:x:2:"));
        assert_eq!(after("a:x:1:\n", &add), "a:x:1:\nb:x:2:\n");
        assert_eq!(after("a:x:1:\nb:x:2:\n", &add), "a:x:1:\nb:x:2:\n");
        let remove = edit(Some("a:x:1:"), None);
        assert_eq!(after("a:x:1:\nc:x:3:\n", &remove), "c:x:3:\n");
        assert_eq!(after("c:x:3:\n", &remove), "c:x:3:\n");
        let rename = edit(Some("a:x:1:"), Some("z:x:1:"));
        assert_eq!(after("a:x:1:\n", &rename), "z:x:1:\n");
        assert_eq!(after("z:x:1:\n", &rename), "z:x:1:\n");
    }

    #[test]
    fn a_line_that_somebody_else_changed_stays_theirs() {
        assert_eq!(after("a:x:1:u\n", &edit(Some("a:x:1:"), Some("a:x:1:v"))), "a:x:1:u\n");
        assert_eq!(after("a:x:1:u\n", &edit(Some("a:x:1:"), None)), "a:x:1:u\n");
        assert_eq!(after("b:x:9:\n", &edit(None, Some("b:x:2:"))), "b:x:9:\n");
        assert_eq!(after("a:x:1:\nz:x:7:\n", &edit(Some("a:x:1:"), Some("z:x:1:"))), "a:x:1:\nz:x:7:\n");
        assert_eq!(after("", &edit(Some("a:x:1:"), Some("z:x:1:"))), "");
    }
}
