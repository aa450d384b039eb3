//! Recovery of a change of number: where somebody else has got the new number since the crash,
//! the account keeps its old one. Nobody was told that it has changed.

use std::collections::HashSet;

use tracing::warn;

use super::entry::{Entry, group, number_of, passwd};
use super::file::{FileKind, LineFile};
use super::journal::{Journal, JournalFile};

/// A file as it is now, and the names that the state store has accounts for.
#[derive(Debug)]
pub struct Present<'a> {
    pub kind: FileKind,
    pub file: &'a LineFile,
    pub known: &'a HashSet<String>,
}

/// Takes the changes of number out of the journal that would make an account share its number
/// with one that nobody knew when the journal was written.
pub fn keep_numbers(journal: &mut Journal, users: &Present<'_>, groups: &Present<'_>) {
    keep(journal, users);
    for (old, new) in keep(journal, groups) {
        // The users whose primary group it is stay in it.
        let edits =
            journal.files.iter_mut().filter(|file| file.kind == FileKind::Passwd).flat_map(|file| &mut file.edits);
        for edit in edits {
            let (Some(before), Some(line)) = (&edit.old, &mut edit.new) else { continue };
            let mut entry = Entry::parse(line);
            if Entry::parse(before).number(passwd::GID) == Some(old) && entry.number(passwd::GID) == Some(new) {
                entry.set(passwd::GID, &old.to_string());
                *line = entry.line();
            }
        }
    }
}

/// Gives the old and the new number of each change that is taken out.
fn keep(journal: &mut Journal, present: &Present<'_>) -> Vec<(u32, u32)> {
    // uid and gid stand in the same place.
    const NUMBER: usize = group::GID;
    let kind = present.kind;
    let Some(record) = journal.files.iter_mut().find(|file| file.kind == kind) else { return Vec::new() };
    let taken = strangers(record, present);
    let mut kept = Vec::new();
    for edit in &mut record.edits {
        let name = edit.new_name(kind).map(str::to_owned);
        let (Some(name), Some(before), Some(line)) = (name, &edit.old, &mut edit.new) else { continue };
        let (Some(old), Some(new)) = (number_of(before), number_of(line)) else { continue };
        let is_made = present.file.find(&name).is_some_and(|line| number_of(line) == Some(new));
        if old == new || is_made || !taken.contains(&new) {
            continue;
        }
        warn!(file = kind.to_string(), name, old, new, "the new number was taken; the old one stays");
        let mut entry = Entry::parse(line);
        entry.set(NUMBER, &old.to_string());
        *line = entry.line();
        kept.push((old, new));
    }
    kept
}

/// The numbers of accounts that neither the state store nor the journal knows.
fn strangers(record: &JournalFile, present: &Present<'_>) -> HashSet<u32> {
    let kind = present.kind;
    let before: HashSet<&str> = record.edits.iter().filter_map(|edit| edit.old_name(kind)).collect();
    let entries = present.file.entries();
    let strange = entries.filter(|(name, _)| !present.known.contains(*name) && !before.contains(name));
    strange.filter_map(|(_, line)| number_of(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::journal::LineEdit;

    fn record(kind: FileKind, lines: &[(&str, &str)]) -> JournalFile {
        let text = |line: &str| Some(line.as_bytes().into());
        let edits = lines.iter().map(|(old, new)| LineEdit { old: text(old), new: text(new) }).collect();
        JournalFile { kind, after: String::new(), edits }
    }

    fn new_lines(journal: &Journal) -> Vec<&str> {
        let edits = journal.files.iter().flat_map(|file| &file.edits);
        edits.map(|edit| std::str::from_utf8(edit.new.as_deref().unwrap()).unwrap()).collect()
    }

    /// The lines that are made when the files are found like this.
    fn made(journal: &mut Journal, passwd: &str, group: &str) -> Vec<String> {
        let known = HashSet::from(["anna".to_owned(), "berta".to_owned(), "team".to_owned()]);
        let (passwd, group) =
            (LineFile::parse(FileKind::Passwd, passwd.as_bytes()), LineFile::parse(FileKind::Group, group.as_bytes()));
        let users = Present { kind: FileKind::Passwd, file: &passwd, known: &known };
        keep_numbers(journal, &users, &Present { kind: FileKind::Group, file: &group, known: &known });
        new_lines(journal).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_uid_that_a_stranger_got_stays_the_strangers() {
        let change = || Journal {
            files: vec![record(FileKind::Passwd, &[("anna:x:1:1:A:/:", "anna:x:5:1:New:/:")])],
            actions: Vec::new(),
        };
        assert_eq!(made(&mut change(), "anna:x:1:1:A:/:\nzoe:x:5:5::/:\n", ""), ["anna:x:1:1:New:/:"]);
        assert_eq!(made(&mut change(), "anna:x:1:1:A:/:\nberta:x:5:5::/:\n", ""), ["anna:x:5:1:New:/:"]);
        assert_eq!(made(&mut change(), "anna:x:5:1:New:/:\nzoe:x:5:5::/:\n", ""), ["anna:x:5:1:New:/:"]);
    }

    #[test]
    fn the_users_of_a_group_that_keeps_its_gid_stay_in_it() {
        let mut journal = Journal {
            files: vec![
                record(FileKind::Group, &[("team:x:7:", "team:x:8:")]),
                record(
                    FileKind::Passwd,
                    &[("anna:x:1:7::/:", "anna:x:1:8::/:"), ("berta:x:2:3::/:", "berta:x:2:8::/:")],
                ),
            ],
            actions: Vec::new(),
        };
        let made = made(&mut journal, "anna:x:1:7::/:\nberta:x:2:3::/:\n", "team:x:7:\nstrange:x:8:\n");
        assert_eq!(made, ["team:x:7:", "anna:x:1:7::/:", "berta:x:2:8::/:"]);
    }

    #[test]
    fn accounts_that_change_places_in_one_commit_are_no_strangers() {
        let mut journal = Journal {
            files: vec![record(
                FileKind::Passwd,
                &[("old:x:1:1::/:", "anna:x:2:1::/:"), ("berta:x:3:3::/:", "berta:x:1:3::/:")],
            )],
            actions: Vec::new(),
        };
        let made = made(&mut journal, "old:x:1:1::/:\nberta:x:3:3::/:\n", "");
        assert_eq!(made, ["anna:x:2:1::/:", "berta:x:1:3::/:"]);
    }
}
