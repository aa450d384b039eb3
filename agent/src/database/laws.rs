//! Laws of the account files: what holds for any bytes in them and for any change.

use std::collections::HashSet;

use super::commit::line_edits;
use super::draft::Draft;
use super::entry::Entry;
use super::file::{FileKind, Line, LineFile};
use super::journal::LineEdit;
use super::recovery;
use super::slot_edit::SlotEdit;
use super::view::View;

/// A name and the line that it is to have; `None` removes the name.
pub type Change = (String, Option<Vec<u8>>);

/// A kind of file for a number that a generator has chosen.
pub fn kind(number: u8) -> FileKind {
    FileKind::ALL[usize::from(number) % FileKind::ALL.len()]
}

/// A file is printed as it was parsed; a change touches one line and leaves the others where they
/// are; changes that are undone leave no trace.
pub fn line_file(kind: FileKind, content: &[u8], changes: &[Change]) {
    let mut file = LineFile::parse(kind, content);
    assert_eq!(file.print(), content);
    finds_first_lines(kind, &file);
    let mut made = Vec::new();
    for (name, line) in changes.iter().filter(|change| is_possible(kind, change)) {
        let before: Vec<Line> = file.lines().map(Line::from).collect();
        let Some(edit) = file.edit(name, line.as_deref().map(Line::from)) else { continue };
        file.apply(&edit);
        let after: Vec<Line> = file.lines().map(Line::from).collect();
        assert_eq!(after, edited(kind, before, name, &edit));
        assert_eq!(LineFile::parse(kind, &file.print()).lines().map(Line::from).collect::<Vec<_>>(), after);
        finds_first_lines(kind, &file);
        made.push(edit);
    }
    for edit in made.iter().rev() {
        file.undo(edit);
        finds_first_lines(kind, &file);
    }
    assert_eq!(file.print(), content);
}

/// What the writer lets through: whole lines that are entries.
fn is_possible(kind: FileKind, (_, line): &Change) -> bool {
    line.as_deref().is_none_or(|line| !line.contains(&b'\n') && kind.key(line).is_some())
}

/// The lines with one of them changed, or with a new one before the first NIS line.
fn edited(kind: FileKind, mut lines: Vec<Line>, name: &str, edit: &SlotEdit) -> Vec<Line> {
    let place = lines.iter().position(|line| kind.key(line) == Some(name));
    match (place, edit.after()) {
        (Some(place), Some(line)) => lines[place] = line.clone(),
        (Some(place), None) => drop(lines.remove(place)),
        (None, Some(line)) => {
            let nis = lines.iter().position(|line| matches!(**line, [b'+' | b'-', ..]));
            lines.insert(nis.unwrap_or(lines.len()), line.clone());
        }
        (None, None) => panic!("a name that is not there has been removed"),
    }
    lines
}

fn finds_first_lines(kind: FileKind, file: &LineFile) {
    let mut seen = HashSet::new();
    for (name, line) in file.lines().filter_map(|line| Some((kind.key(line)?, line))) {
        if seen.insert(name) {
            assert!(file.find(name).is_some_and(|found| std::ptr::eq(found, line)), "{name}");
        }
    }
    assert!(file.entries().map(|(name, _)| name).eq(unique_keys(kind, file)));
}

fn unique_keys(kind: FileKind, file: &LineFile) -> Vec<&str> {
    let mut seen = HashSet::new();
    file.lines().filter_map(|line| kind.key(line)).filter(|name| seen.insert(*name)).collect()
}

/// A line is printed as it was parsed; a field that is set changes no other; no change can make
/// two lines of one.
pub fn entry(line: &[u8], field: u8, value: &[u8]) {
    let before = Entry::parse(line);
    assert_eq!(&*before.line(), line);
    let (mut entry, field) = (before.clone(), usize::from(field));
    entry.set_bytes(field, value);
    assert_eq!(entry.length(), before.length().max(field + 1));
    for other in (0..entry.length()).filter(|other| *other != field) {
        assert_eq!(entry.bytes(other), before.bytes(other));
    }
    assert_eq!(entry.bytes(field), value);
    if !value.contains(&b':') {
        assert_eq!(Entry::parse(&entry.line()), entry);
    }
    let (content, lines) = (b"kept:x:0:0:::\n", entry.line().split(|byte| *byte == b'\n').count());
    let mut view = view_of(FileKind::Passwd, content);
    let mut draft = Draft::new(&mut view, 1, 1);
    draft.set_line(FileKind::Passwd, "other", Some(entry.line()));
    let refused = draft.fault().is_some();
    assert_eq!(refused, lines > 1 || entry.line().contains(&0));
    let printed = view.file(FileKind::Passwd).print();
    assert_eq!(printed.iter().filter(|byte| **byte == b'\n').count(), if refused { 1 } else { 2 });
}

/// Recovery makes what the commit would have made; where it is made already, it changes nothing;
/// and whatever others have done to the file since, a second time changes nothing. Nobody asks
/// for a rename to a name that is taken, and no new line is one that was there before.
pub fn recovery(kind: FileKind, before: &[u8], changes: &[Change], since: &[u8]) {
    let mut view = view_of(kind, before);
    let mut draft = Draft::new(&mut view, 1, 1);
    let mut seen: HashSet<Vec<u8>> = LineFile::parse(kind, before).lines().map(|line| line.to_vec()).collect();
    for (name, line) in changes.iter().filter(|change| is_possible(kind, change)) {
        if line.as_ref().is_some_and(|line| !seen.insert(line.clone())) {
            continue;
        }
        let new = line.as_deref().and_then(|line| kind.key(line)).unwrap_or(name);
        if new == name || (draft.line(kind, name).is_some() && draft.line(kind, new).is_none()) {
            draft.set_line(kind, name, line.as_deref().map(Line::from));
        }
        if new != name {
            draft.set_line(kind, name, None);
        }
    }
    let edits = line_edits(kind, &draft.finish().edits);
    let after = view.file(kind).print();
    let case = format!("{} {} {}", shown(before), all_shown(&edits), shown(since));
    assert_eq!(in_any_order(&recovered(kind, before, &edits)), in_any_order(&after), "from what was before: {case}");
    assert_eq!(shown(&recovered(kind, &after, &edits)), shown(&after), "a change that is made: {case}");
    let mended = recovered(kind, since, &edits);
    // A name that another account has left by then can't be told from one that it still has.
    if names_move(kind, &edits) {
        return;
    }
    assert_eq!(shown(&recovered(kind, &mended, &edits)), shown(&mended), "a second recovery: {case}");
}

fn names_move(kind: FileKind, edits: &[LineEdit]) -> bool {
    let arrives = |name: &str, edit: &LineEdit| edit.new_name(kind) == Some(name) && edit.old_name(kind) != Some(name);
    let left = edits.iter().filter_map(|edit| edit.old_name(kind));
    left.into_iter().any(|name| edits.iter().any(|edit| arrives(name, edit)))
}

fn view_of(kind: FileKind, content: &[u8]) -> View {
    let (mut view, file) = (View::default(), LineFile::parse(kind, content));
    let names = unique_keys(kind, &file).into_iter().map(str::to_owned).collect();
    view.replace_file(kind, file, &names);
    view
}

fn recovered(kind: FileKind, content: &[u8], edits: &[LineEdit]) -> Vec<u8> {
    let mut file = LineFile::parse(kind, content);
    recovery::reapply(kind, &mut file, edits);
    file.print()
}

/// A line that was removed and made again may stand in either place.
fn in_any_order(content: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = content.split(|byte| *byte == b'\n').map(shown).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort_unstable();
    lines
}

fn all_shown(edits: &[LineEdit]) -> String {
    let side = |line: &Option<Line>| line.as_deref().map(shown).unwrap_or_default();
    edits.iter().map(|edit| format!("[{} -> {}]", side(&edit.old), side(&edit.new))).collect()
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
