//! After a crash: the journal's edits are made in the files as they are now.
//!
//! A file with the digest of the result is done. In any other the edits are made line by line,
//! and merged field by field where somebody else has changed the very line since; where both
//! have changed the same field, theirs stays.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::{info, warn};

use super::changed::Accounts;
use super::claim::unclaimed;
use super::commit::Place;
use super::digest::digest;
use super::edit::Edit;
use super::entry::{self, Entry, group, gshadow};
use super::error::DatabaseError;
use super::file::{FileKind, Line, LineFile};
use super::journal::{Action, Journal, JournalFile, LineEdit};
use super::kept_numbers::{Present, keep_numbers};
use super::slot_edit::SlotEdit;
use super::view::View;
use crate::audit;

/// New accounts whose number somebody else has got between the crash and the recovery. Nobody was
/// told that they exist, so they give way.
#[derive(Debug, Default)]
struct Overtaken {
    users: HashSet<String>,
    groups: HashSet<String>,
}

impl Place<'_> {
    /// Completes what a crash has interrupted. The lock is held.
    pub fn recover(&mut self) -> Result<(), DatabaseError> {
        let Some(mut journal) = self.state.journal()? else { return Ok(()) };
        info!("completing a change that was interrupted");
        self.keep_numbers(&mut journal)?;
        let overtaken = self.overtaken(&journal)?;
        for file in &journal.files {
            self.recover_file(file)?;
            self.take_back(file, &overtaken)?;
        }
        self.forget(&overtaken)?;
        let kinds: Vec<FileKind> = journal.files.iter().map(|file| file.kind).collect();
        self.disk.sync_directories(&kinds).map_err(DatabaseError::Sync)?;
        let passwd = LineFile::parse(FileKind::Passwd, &self.read(FileKind::Passwd)?);
        let stays = |action: &Action| match action {
            Action::PublishHome { account, .. } | Action::MoveHome { account, .. } => {
                !overtaken.users.contains(account)
            }
            // A drop-in of an account that is not there is removed at the next reading.
            Action::GrantSudo { .. }
            | Action::RevokeSudo { .. }
            | Action::RemoveBelongings { .. }
            | Action::RenameBelongings { .. }
            | Action::Suspend { .. }
            | Action::Resume { .. } => true,
            // Somebody may have made an account with this home since.
            Action::RetireHome(retirement) => unclaimed(&passwd, retirement.home(), None).is_ok(),
        };
        self.act(&journal.actions.into_iter().filter(stays).collect::<Vec<_>>())
    }

    fn keep_numbers(&self, journal: &mut Journal) -> Result<(), DatabaseError> {
        let parsed = |kind| Ok::<_, DatabaseError>(LineFile::parse(kind, &self.read(kind)?));
        let (passwd, group) = (parsed(FileKind::Passwd)?, parsed(FileKind::Group)?);
        let (users, groups) = (self.state.user_names()?, self.state.group_names()?);
        let users = Present { kind: FileKind::Passwd, file: &passwd, known: &users };
        keep_numbers(journal, &users, &Present { kind: FileKind::Group, file: &group, known: &groups });
        Ok(())
    }

    /// Makes the edits of one file that are not made yet.
    pub(super) fn recover_file(&self, record: &JournalFile) -> Result<(), DatabaseError> {
        self.edit_file(record.kind, |content, file| {
            if digest(content) != record.after {
                reapply(record.kind, file, &record.edits);
            }
        })
    }

    fn take_back(&self, record: &JournalFile, overtaken: &Overtaken) -> Result<(), DatabaseError> {
        if overtaken.users.is_empty() && overtaken.groups.is_empty() {
            return Ok(());
        }
        self.edit_file(record.kind, |_, file| take_back(record.kind, file, &record.edits, overtaken))
    }

    fn edit_file(&self, kind: FileKind, change: impl FnOnce(&[u8], &mut LineFile)) -> Result<(), DatabaseError> {
        let content = self.read(kind)?;
        let mut file = LineFile::parse(kind, &content);
        change(&content, &mut file);
        if file.print() == content {
            return Ok(());
        }
        self.disk.write_beside(&file).map_err(|source| DatabaseError::Write { kind, source })?;
        self.disk.replace(kind).map_err(|source| DatabaseError::Replace { kind, source })
    }

    fn read(&self, kind: FileKind) -> Result<Vec<u8>, DatabaseError> {
        Ok(self.disk.read(kind)?.unwrap_or_default())
    }

    fn overtaken(&self, journal: &Journal) -> Result<Overtaken, DatabaseError> {
        let users = self.strangers(journal, FileKind::Passwd, self.state.user_names()?)?;
        let groups = self.strangers(journal, FileKind::Group, self.state.group_names()?)?;
        // A user and its private group stay or go together.
        let lost: HashSet<String> = users.union(&groups).cloned().collect();
        let of = |kind| inserted(journal, kind).into_iter().map(|(name, _)| name).filter(|name| lost.contains(name));
        Ok(Overtaken { users: of(FileKind::Passwd).collect(), groups: of(FileKind::Group).collect() })
    }

    /// The new accounts of the journal that are not in place, and whose number now belongs to an
    /// account that nobody knew when the journal was written.
    fn strangers(
        &self,
        journal: &Journal,
        kind: FileKind,
        known: HashSet<String>,
    ) -> Result<HashSet<String>, DatabaseError> {
        let new = inserted(journal, kind);
        if new.is_empty() {
            return Ok(HashSet::new());
        }
        let file = LineFile::parse(kind, &self.read(kind)?);
        let taken: HashSet<u32> = file
            .entries()
            .filter(|(name, _)| !known.contains(*name))
            .filter_map(|(_, line)| entry::number_of(line))
            .collect();
        let lost = new.into_iter().filter(|(name, number)| file.find(name).is_none() && taken.contains(number));
        Ok(lost.map(|(name, _)| name).inspect(|name| warn!(name, "its number was taken; it is not made")).collect())
    }

    /// Removes what the state store has of them.
    fn forget(&mut self, overtaken: &Overtaken) -> Result<(), DatabaseError> {
        let mut edits = Vec::new();
        for row in self.state.users()?.into_iter().filter(|row| overtaken.users.contains(&row.name)) {
            edits.push(Edit::User { id: row.id, old: Some(Arc::new(row)), new: None });
        }
        for row in self.state.groups()?.into_iter().filter(|row| overtaken.groups.contains(&row.name)) {
            edits.push(Edit::Group { id: row.id, old: Some(Arc::new(row)), new: None });
        }
        if edits.is_empty() {
            return Ok(());
        }
        let events = Accounts::of_rows(&View::default(), &edits).finish_taken_back();
        Ok(self.state.commit(&edits, None, || audit::bodies(&events))?)
    }
}

/// Name and number of each line that the journal has as new.
fn inserted(journal: &Journal, kind: FileKind) -> Vec<(String, u32)> {
    let edits = journal.files.iter().filter(|file| file.kind == kind).flat_map(|file| &file.edits);
    let new = edits.filter(|edit| edit.old.is_none()).filter_map(|edit| {
        let number = entry::number_of(edit.new.as_deref()?)?;
        Some((edit.new_name(kind)?.to_owned(), number))
    });
    new.collect()
}

/// Makes the edits that are not made yet. Places are found before anything is changed, so that
/// names may move among them.
pub(super) fn reapply(kind: FileKind, file: &mut LineFile, edits: &[LineEdit]) {
    let open: Vec<&LineEdit> = edits.iter().filter(|edit| !is_made(kind, file, edits, edit)).collect();
    let mut places = HashSet::new();
    let mut slots = changed(kind, file, &open, &mut places);
    for name in open.iter().filter(|edit| edit.new.is_none()).filter_map(|edit| edit.old_name(kind)) {
        let removed = places_to_remove(file, edits, name).into_iter().filter(|place| places.insert(*place));
        slots.extend(removed.filter_map(|place| file.edit_at(place, None)));
    }
    slots.iter().for_each(|slot| file.apply(slot));
    for line in open.iter().filter(|edit| edit.old.is_none()).filter_map(|edit| edit.new.as_deref()) {
        let name = kind.key(line).unwrap_or_default();
        if file.find(name).is_some() {
            warn!(
                file = kind.to_string(),
                name, "another program has made a line of this name since; it stays as it is"
            );
        } else if let Some(slot) = file.edit(name, Some(Line::from(line))) {
            file.apply(&slot);
        }
    }
}

/// The lines that change or get another name. Their places, which nothing else may touch, are put
/// into `places`, also where the line stays as it is.
fn changed(kind: FileKind, file: &LineFile, open: &[&LineEdit], places: &mut HashSet<usize>) -> Vec<SlotEdit> {
    let leaves = |edit: &&&LineEdit| edit.old_name(kind) != edit.new_name(kind);
    let leaving: HashSet<&str> = open.iter().filter(leaves).filter_map(|edit| edit.old_name(kind)).collect();
    let mut slots = Vec::new();
    for edit in open {
        let (Some(before), Some(after)) = (&edit.old, &edit.new) else { continue };
        let (old, new) = (edit.old_name(kind).unwrap_or_default(), edit.new_name(kind).unwrap_or_default());
        let free: Vec<usize> = file.places(old).into_iter().filter(|place| !places.contains(place)).collect();
        let same = free.iter().find(|place| file.line_at(**place).is_some_and(|line| *line == **before));
        let Some((place, theirs)) = same.or(free.first()).and_then(|place| Some((*place, file.line_at(*place)?)))
        else {
            warn!(file = kind.to_string(), old, "a line was removed by another program since; it stays so");
            continue;
        };
        places.insert(place);
        if new != old && file.find(new).is_some() && !leaving.contains(new) {
            warn!(
                file = kind.to_string(),
                old, "another program has taken the new name since; the line keeps its old one"
            );
            continue;
        }
        slots.extend(file.edit_at(place, Some(merge(kind, before, after, theirs))));
    }
    slots
}

/// Every line of a name but those that the edits have made: a removal leaves no namesake.
fn places_to_remove(file: &LineFile, edits: &[LineEdit], name: &str) -> Vec<usize> {
    let is_new = |line: &[u8]| edits.iter().any(|edit| edit.new.as_deref() == Some(line));
    file.places(name).into_iter().filter(|place| file.line_at(*place).is_some_and(|line| !is_new(line))).collect()
}

/// Whether the file has what an edit makes. A name that is gone may be that of another edit's
/// line by now.
fn is_made(kind: FileKind, file: &LineFile, edits: &[LineEdit], edit: &LineEdit) -> bool {
    match &edit.new {
        Some(new) => edit.new_name(kind).and_then(|name| file.find(name)).is_some_and(|line| *line == **new),
        None => edit.old_name(kind).is_none_or(|name| places_to_remove(file, edits, name).is_empty()),
    }
}

/// Field by field: what we have changed, on top of what they have; lists of names as sets.
fn merge(kind: FileKind, old: &[u8], new: &[u8], theirs: &[u8]) -> Line {
    if old == theirs {
        return Line::from(new);
    }
    let (old, new, mut merged) = (Entry::parse(old), Entry::parse(new), Entry::parse(theirs));
    for field in 0..new.length() {
        if new.bytes(field) == old.bytes(field) {
            continue;
        }
        if is_list(kind, field) {
            merged.set_names(field, &merged_names(&old.names(field), &new.names(field), merged.names(field)));
        } else if field == 0 || merged.bytes(field) == old.bytes(field) {
            merged.set_bytes(field, new.bytes(field));
        }
    }
    merged.line()
}

fn is_list(kind: FileKind, field: usize) -> bool {
    match kind {
        FileKind::Group => field == group::MEMBERS,
        FileKind::Gshadow => matches!(field, gshadow::ADMINISTRATORS | gshadow::MEMBERS),
        FileKind::Passwd | FileKind::Shadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => false,
    }
}

fn merged_names(old: &[String], new: &[String], mut theirs: Vec<String>) -> Vec<String> {
    theirs.retain(|name| new.contains(name) || !old.contains(name));
    let added: Vec<&String> = new.iter().filter(|name| !old.contains(name) && !theirs.contains(name)).collect();
    theirs.extend(added.into_iter().cloned());
    theirs
}

/// Removes the lines of overtaken accounts, and their names from the lists that the edits put
/// them into.
fn take_back(kind: FileKind, file: &mut LineFile, edits: &[LineEdit], overtaken: &Overtaken) {
    for edit in edits {
        let Some(name) = edit.new_name(kind) else { continue };
        let lost = match kind {
            FileKind::Group | FileKind::Gshadow => &overtaken.groups,
            FileKind::Passwd | FileKind::Shadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => {
                &overtaken.users
            }
        };
        let line = match file.find(name) {
            Some(_) if edit.old.is_none() && lost.contains(name) => None,
            Some(line) => Some(without(kind, line, &overtaken.users)),
            None => continue,
        };
        if let Some(slot) = file.edit(name, line) {
            file.apply(&slot);
        }
    }
}

fn without(kind: FileKind, line: &[u8], users: &HashSet<String>) -> Line {
    let mut entry = Entry::parse(line);
    for field in (0..entry.length()).filter(|field| is_list(kind, *field)) {
        let names = entry.names(field);
        if names.iter().any(|name| users.contains(name)) {
            entry.set_names(field, &names.into_iter().filter(|name| !users.contains(name)).collect::<Vec<_>>());
        }
    }
    entry.line()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: Option<&str>, new: Option<&str>) -> LineEdit {
        LineEdit { old: old.map(|line| line.as_bytes().into()), new: new.map(|line| line.as_bytes().into()) }
    }

    fn after_all(content: &str, edits: &[LineEdit]) -> String {
        let mut file = LineFile::parse(FileKind::Group, content.as_bytes());
        reapply(FileKind::Group, &mut file, edits);
        String::from_utf8(file.print()).unwrap()
    }

    fn after(content: &str, edit: LineEdit) -> String {
        after_all(content, &[edit])
    }

    #[test]
    fn an_edit_is_made_once_and_only_once() {
        let add = edit(None, Some("b:x:2:"));
        assert_eq!(after("a:x:1:\n", add.clone()), "a:x:1:\nb:x:2:\n");
        assert_eq!(after("a:x:1:\nb:x:2:\n", add), "a:x:1:\nb:x:2:\n");
        let remove = edit(Some("a:x:1:"), None);
        assert_eq!(after("a:x:1:\nc:x:3:\n", remove.clone()), "c:x:3:\n");
        assert_eq!(after("c:x:3:\n", remove), "c:x:3:\n");
        let rename = edit(Some("a:x:1:"), Some("z:x:1:"));
        assert_eq!(after("a:x:1:\n", rename.clone()), "z:x:1:\n");
        assert_eq!(after("z:x:1:\n", rename), "z:x:1:\n");
    }

    #[test]
    fn names_that_move_among_the_edits_are_followed() {
        let edits = [edit(Some("a:x:1:"), Some("b:x:1:")), edit(Some("b:x:2:"), None)];
        assert_eq!(after_all("a:x:1:\nb:x:2:\n", &edits), "b:x:1:\n");
        assert_eq!(after_all("b:x:1:\nnew:x:9:\n", &edits), "b:x:1:\nnew:x:9:\n");
        let swap = [edit(Some("a:x:1:"), Some("b:x:1:")), edit(Some("b:x:2:"), Some("a:x:2:"))];
        assert_eq!(after_all("a:x:1:\nb:x:2:\n", &swap), "b:x:1:\na:x:2:\n");
        assert_eq!(after_all("b:x:1:\na:x:2:\n", &swap), "b:x:1:\na:x:2:\n");
    }

    #[test]
    fn a_name_with_several_lines_is_removed_whole_and_renamed_once() {
        let removal = [edit(Some("a:x:1:"), None), edit(Some("a:x:2:"), None)];
        assert_eq!(after_all("a:x:1:\na:x:2:\nb:x:3:\n", &removal), "b:x:3:\n");
        let rename = [edit(Some("a:x:1:"), Some("z:x:1:")), edit(Some("a:x:2:"), None)];
        assert_eq!(after_all("a:x:1:\na:x:2:\n", &rename), "z:x:1:\n");
        assert_eq!(after_all("z:x:1:\n", &rename), "z:x:1:\n");
        // Somebody has taken the new name: the account keeps its line.
        assert_eq!(after_all("z:x:7:\na:x:1:\na:x:2:\n", &rename), "z:x:7:\na:x:1:\n");
    }

    #[test]
    fn both_changes_of_a_line_are_kept() {
        let members = edit(Some("g:x:1:a,b"), Some("g:x:1:b,c"));
        assert_eq!(after("g:x:1:a,b,theirs\n", members.clone()), "g:x:1:b,theirs,c\n");
        assert_eq!(after("g:!:1:a,b\n", members), "g:!:1:b,c\n");
        assert_eq!(after("g:x:5:a\n", edit(Some("g:x:1:a"), Some("h:x:2:a"))), "h:x:5:a\n");
    }

    #[test]
    fn a_removal_stands_and_what_others_have_removed_stays_so() {
        assert_eq!(after("a:x:1:u\n", edit(Some("a:x:1:"), None)), "");
        assert_eq!(after("", edit(Some("a:x:1:"), Some("a:x:1:v"))), "");
        assert_eq!(after("b:x:9:\n", edit(None, Some("b:x:2:"))), "b:x:9:\n");
        assert_eq!(after("a:x:1:\nz:x:7:\n", edit(Some("a:x:1:"), Some("z:x:1:"))), "a:x:1:\nz:x:7:\n");
    }

    #[test]
    fn an_account_that_gives_way_leaves_no_line_and_no_membership() {
        let overtaken = Overtaken { users: HashSet::from(["anna".into()]), groups: HashSet::from(["anna".into()]) };
        let edits = [edit(None, Some("anna:x:5:")), edit(Some("g:x:1:"), Some("g:x:1:anna"))];
        let mut file = LineFile::parse(FileKind::Group, b"anna:x:5:\ng:x:1:anna,zoe\nh:x:2:anna\n");
        take_back(FileKind::Group, &mut file, &edits, &overtaken);
        assert_eq!(file.print(), b"g:x:1:zoe\nh:x:2:anna\n");
    }
}
