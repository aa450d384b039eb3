//! The account files: which they are, and their lines, kept byte for byte.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One line without its newline; of aliases(5), with the lines that continue it.
pub type Line = Arc<[u8]>;

/// The files, in the order in which they are renamed into place: a passwd line without a shadow
/// line can't log in, so passwd comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Aliases,
    UsernameMap,
    Smbpasswd,
    Gshadow,
    Group,
    Shadow,
    Passwd,
}

impl FileKind {
    pub const ALL: [FileKind; 7] = [
        FileKind::Aliases,
        FileKind::UsernameMap,
        FileKind::Smbpasswd,
        FileKind::Gshadow,
        FileKind::Group,
        FileKind::Shadow,
        FileKind::Passwd,
    ];

    /// Directory below `etc` (empty for `etc` itself) and file name.
    pub fn place(self) -> (&'static str, &'static str) {
        match self {
            FileKind::Aliases => ("", "aliases"),
            FileKind::UsernameMap => ("samba", "smbusername.map"),
            FileKind::Smbpasswd => ("samba", "smbpasswd"),
            FileKind::Gshadow => ("", "gshadow"),
            FileKind::Group => ("", "group"),
            FileKind::Shadow => ("", "shadow"),
            FileKind::Passwd => ("", "passwd"),
        }
    }

    /// Mode of a file that has to be made anew.
    pub fn mode(self) -> u32 {
        match self {
            FileKind::Passwd | FileKind::Group | FileKind::Aliases | FileKind::UsernameMap => 0o644,
            FileKind::Shadow | FileKind::Gshadow => 0o640,
            FileKind::Smbpasswd => 0o600,
        }
    }

    /// What stands between the fields of a line.
    fn separator(self) -> u8 {
        match self {
            FileKind::UsernameMap => b'=',
            FileKind::Aliases
            | FileKind::Smbpasswd
            | FileKind::Gshadow
            | FileKind::Group
            | FileKind::Shadow
            | FileKind::Passwd => b':',
        }
    }

    /// The fewest fields of a line that glibc, Samba and mailers take for an entry.
    fn fields(self) -> usize {
        match self {
            FileKind::Aliases | FileKind::UsernameMap => 2,
            FileKind::Passwd => 4,
            FileKind::Shadow => 2,
            FileKind::Group => 3,
            FileKind::Gshadow => 4,
            FileKind::Smbpasswd => 4,
        }
    }

    /// The name that a line is the entry of; `None` for comments, blank, malformed and NIS lines.
    pub fn key(self, line: &[u8]) -> Option<&str> {
        if matches!(line.first(), None | Some(b'#' | b'+' | b'-' | b' ' | b'\t')) {
            return None;
        }
        let mut fields = line.split(|byte| *byte == self.separator());
        let name = match self {
            FileKind::Aliases | FileKind::UsernameMap => fields.next()?.trim_ascii_end(),
            FileKind::Smbpasswd | FileKind::Gshadow | FileKind::Group | FileKind::Shadow | FileKind::Passwd => {
                fields.next()?
            }
        };
        let is_entry = !name.is_empty() && fields.count() + 1 >= self.fields();
        is_entry.then(|| std::str::from_utf8(name).ok())?
    }

    /// Whether a file can hold `line` as the one line that it is.
    pub fn holds(self, line: &[u8]) -> bool {
        let mut parts = line.split(|byte| *byte == b'\n');
        let first = parts.next().map(Line::from);
        !line.contains(&0) && parts.all(|part| self.continues(first.as_ref(), part))
    }

    /// Whether `line` goes on with what the line before it began (aliases(5)).
    fn continues(self, before: Option<&Line>, line: &[u8]) -> bool {
        self == FileKind::Aliases
            && matches!(line.first(), Some(b' ' | b'\t'))
            && before.is_some_and(|before| self.key(before).is_some())
    }
}

/// The lines of one file. A slot keeps its number while the file is in memory: a removed line
/// leaves its slot empty, new lines have slots behind those of the file that was read, and are
/// printed before its first NIS line. So every edit can be undone exactly.
#[derive(Clone, Debug, Default)]
pub struct LineFile {
    presence: Presence,
    slots: Vec<Option<Line>>,
    /// How many slots the file had when it was read.
    read: usize,
    /// The first NIS line, or `read`: where new lines are printed.
    nis: usize,
    /// Whether the last line that was read lacks its newline.
    unterminated: bool,
    /// The first slot of each name.
    by_name: HashMap<Arc<str>, usize>,
    /// All slots of a name that has several, in the order of the file.
    repeated: HashMap<Arc<str>, Vec<usize>>,
}

/// Whether there is a file at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    #[default]
    Absent,
    Present,
}

/// A change of one slot; it can be applied and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotEdit {
    Replace { slot: usize, old: Option<Line>, new: Option<Line> },
    Insert { slot: usize, line: Line },
}

impl SlotEdit {
    /// Which slot is changed.
    pub fn number(&self) -> usize {
        match self {
            SlotEdit::Replace { slot, .. } | SlotEdit::Insert { slot, .. } => *slot,
        }
    }

    pub fn before(&self) -> Option<&Line> {
        match self {
            SlotEdit::Replace { old, .. } => old.as_ref(),
            SlotEdit::Insert { .. } => None,
        }
    }

    pub fn after(&self) -> Option<&Line> {
        match self {
            SlotEdit::Replace { new, .. } => new.as_ref(),
            SlotEdit::Insert { line, .. } => Some(line),
        }
    }

    /// The lines before and after.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.before().into_iter().chain(self.after())
    }
}

impl LineFile {
    pub fn parse(kind: FileKind, content: &[u8]) -> Self {
        let unterminated = !content.is_empty() && !content.ends_with(b"\n");
        let body = content.strip_suffix(b"\n").unwrap_or(content);
        let mut slots = Vec::new();
        if !content.is_empty() {
            body.split(|byte| *byte == b'\n').for_each(|line| add_read(kind, &mut slots, line));
        }
        let is_nis = |line: &Option<Line>| matches!(line.as_deref(), Some([b'+' | b'-', ..]));
        let (read, nis) = (slots.len(), slots.iter().position(is_nis).unwrap_or(slots.len()));
        let mut file = LineFile { presence: Presence::Present, slots, read, nis, unterminated, ..LineFile::default() };
        file.by_name.reserve(read);
        for slot in 0..read {
            file.claim(kind, slot);
        }
        file
    }

    pub fn presence(&self) -> Presence {
        self.presence
    }

    pub fn print(&self) -> Vec<u8> {
        let size = self.lines().map(|line| line.len() + 1).sum();
        let mut content = Vec::with_capacity(size);
        for line in self.lines() {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
        if self.unterminated && self.ends_as_read() {
            content.pop();
        }
        content
    }

    /// Whether the last line is the one that was last when the file was read.
    fn ends_as_read(&self) -> bool {
        let (read, added) = self.slots.split_at(self.read);
        let last_stays = read.last().is_some_and(Option::is_some);
        last_stays && (self.nis < self.read || added.iter().all(Option::is_none))
    }

    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        let (read, added) = self.slots.split_at(self.read);
        let (local, nis) = read.split_at(self.nis);
        local.iter().chain(added).chain(nis).flatten()
    }

    /// The entries, each name's first line, as glibc finds them; in file order.
    pub fn entries(&self, kind: FileKind) -> impl Iterator<Item = (&str, &Line)> {
        self.lines().filter_map(move |line| {
            let name = kind.key(line)?;
            self.find(name).filter(|first| Arc::ptr_eq(first, line)).map(|line| (name, line))
        })
    }

    pub fn find(&self, name: &str) -> Option<&Line> {
        self.line_at(*self.by_name.get(name)?)
    }

    /// The name as the file shares it.
    pub fn shared_name(&self, name: &str) -> Option<&Arc<str>> {
        self.by_name.get_key_value(name).map(|(name, _)| name)
    }

    /// Where a name stands; comparable with other names of the same file.
    pub fn position(&self, name: &str) -> Option<(usize, usize)> {
        self.by_name.get(name).map(|slot| self.order(*slot))
    }

    fn order(&self, slot: usize) -> (usize, usize) {
        if slot < self.nis {
            (0, slot)
        } else if slot >= self.read {
            (1, slot)
        } else {
            (2, slot)
        }
    }

    /// The edit that puts `new` in the place of `name`'s first line: before the first NIS line,
    /// or at the end, when there is none yet. `None` when nothing would change.
    pub fn edit(&self, name: &str, new: Option<Line>) -> Option<SlotEdit> {
        match (self.by_name.get(name), new) {
            (Some(slot), new) => self.edit_at(*slot, new),
            (None, Some(line)) => Some(SlotEdit::Insert { slot: self.slots.len(), line }),
            (None, None) => None,
        }
    }

    /// The slots of all lines with a name, in the order of the file.
    pub fn places(&self, name: &str) -> Vec<usize> {
        let only = || self.by_name.get(name).map(|slot| vec![*slot]).unwrap_or_default();
        self.repeated.get(name).cloned().unwrap_or_else(only)
    }

    pub fn line_at(&self, slot: usize) -> Option<&Line> {
        self.slots.get(slot)?.as_ref()
    }

    /// The edit that puts `new` into a slot; `None` when nothing would change.
    pub fn edit_at(&self, slot: usize, new: Option<Line>) -> Option<SlotEdit> {
        let old = self.line_at(slot).cloned();
        (old != new).then_some(SlotEdit::Replace { slot, old, new })
    }

    pub fn apply(&mut self, kind: FileKind, edit: &SlotEdit) {
        match edit {
            SlotEdit::Replace { slot, new, .. } => self.set(kind, *slot, new.clone()),
            SlotEdit::Insert { slot, line } => {
                self.presence = Presence::Present;
                self.slots.resize(*slot, None);
                self.slots.push(Some(line.clone()));
                self.claim(kind, *slot);
            }
        }
    }

    pub fn undo(&mut self, kind: FileKind, edit: &SlotEdit) {
        match edit {
            SlotEdit::Replace { slot, old, .. } => self.set(kind, *slot, old.clone()),
            SlotEdit::Insert { slot, .. } => {
                self.release(kind, *slot);
                self.slots.truncate(*slot);
            }
        }
    }

    fn set(&mut self, kind: FileKind, slot: usize, line: Option<Line>) {
        self.release(kind, slot);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = line;
        }
        self.claim(kind, slot);
    }

    fn key_of(&self, kind: FileKind, slot: usize) -> Option<&str> {
        kind.key(self.line_at(slot)?)
    }

    /// The line in `slot` stands for its name from now on, unless one before it does.
    fn claim(&mut self, kind: FileKind, slot: usize) {
        let Some(name) = self.key_of(kind, slot).map(Arc::<str>::from) else { return };
        let Some(first) = self.by_name.get(&name).copied() else {
            self.by_name.insert(name, slot);
            return;
        };
        let mut slots = self.repeated.remove(&name).unwrap_or_else(|| vec![first]);
        slots.push(slot);
        slots.sort_by_key(|slot| self.order(*slot));
        if let Some(first) = slots.first() {
            self.by_name.insert(name.clone(), *first);
        }
        self.repeated.insert(name, slots);
    }

    /// The line in `slot` stands for its name no longer; the next one with it does.
    fn release(&mut self, kind: FileKind, slot: usize) {
        let Some(name) = self.key_of(kind, slot).map(Arc::<str>::from) else { return };
        let Some(mut slots) = self.repeated.remove(&name) else {
            self.by_name.remove(&name);
            return;
        };
        slots.retain(|other| *other != slot);
        if let Some(first) = slots.first() {
            self.by_name.insert(name.clone(), *first);
        }
        if slots.len() > 1 {
            self.repeated.insert(name, slots);
        }
    }

    /// Names whose first lines differ between two readings of a file.
    pub fn differences(&self, kind: FileKind, other: &LineFile) -> HashSet<String> {
        let mut names = HashSet::new();
        for (ours, theirs) in [(self, other), (other, self)] {
            for (name, line) in ours.entries(kind) {
                if theirs.find(name) != Some(line) {
                    names.insert(name.to_owned());
                }
            }
        }
        names
    }
}

/// Adds a line that was read.
fn add_read(kind: FileKind, slots: &mut Vec<Option<Line>>, line: &[u8]) {
    match slots.last_mut() {
        Some(last) if kind.continues(last.as_ref(), line) => {
            *last = last.as_ref().map(|begun| Line::from([begun, b"\n".as_slice(), line].concat()));
        }
        Some(_) | None => slots.push(Some(Line::from(line))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::from(text.as_bytes())
    }

    const ODD: &str = "# comment\nroot:x:0:0:root:/root:/bin/sh\n\nbroken\nanna:x:1:1::/:/bin/sh:extra\r\nanna:x:2:2::/:/bin/sh\n+@nis\n";

    #[test]
    fn what_is_parsed_is_printed_byte_for_byte() {
        for text in ["", "\n", "\n\n", "a", "a\n", ODD, "no newline:x:1:1:::", "\u{fffd}:x\n\0\n"] {
            assert_eq!(LineFile::parse(FileKind::Passwd, text.as_bytes()).print(), text.as_bytes(), "{text:?}");
        }
        let raw = b"\xff\xfe:x:1:1::/:/bin/sh\n";
        assert_eq!(LineFile::parse(FileKind::Passwd, raw).print(), raw);
    }

    #[test]
    fn new_entries_go_before_nis_lines_and_the_rest_stays() {
        let mut file = LineFile::parse(FileKind::Passwd, ODD.as_bytes());
        let edit = file.edit("berta", Some(line("berta:x:3:3::/:/bin/sh"))).unwrap();
        file.apply(FileKind::Passwd, &edit);
        let text = String::from_utf8(file.print()).unwrap();
        assert_eq!(text, ODD.replace("+@nis", "berta:x:3:3::/:/bin/sh\n+@nis"));
        file.undo(FileKind::Passwd, &edit);
        assert_eq!(file.print(), ODD.as_bytes());
    }

    #[test]
    fn the_first_of_two_lines_with_one_name_counts() {
        let file = LineFile::parse(FileKind::Passwd, ODD.as_bytes());
        assert!(file.find("anna").unwrap().starts_with(b"anna:x:1:"));
        assert_eq!(file.entries(FileKind::Passwd).map(|(name, _)| name).collect::<Vec<_>>(), ["root", "anna"]);
    }

    #[test]
    fn a_missing_newline_is_added_only_when_a_line_follows() {
        let mut file = LineFile::parse(FileKind::Group, b"a:x:1:\nb:x:2:");
        let edit = file.edit("a", Some(line("a:x:1:z"))).unwrap();
        file.apply(FileKind::Group, &edit);
        assert_eq!(file.print(), b"a:x:1:z\nb:x:2:");
        let edit = file.edit("c", Some(line("c:x:3:"))).unwrap();
        file.apply(FileKind::Group, &edit);
        assert_eq!(file.print(), b"a:x:1:z\nb:x:2:\nc:x:3:\n");
    }

    #[test]
    fn a_removal_and_a_rename_are_undone_in_place() {
        let text = "a:x:1:\nb:x:2:\nc:x:3:\n";
        let mut file = LineFile::parse(FileKind::Group, text.as_bytes());
        let removal = file.edit("b", None).unwrap();
        file.apply(FileKind::Group, &removal);
        assert_eq!(file.print(), b"a:x:1:\nc:x:3:\n");
        let rename = file.edit("a", Some(line("z:x:1:"))).unwrap();
        file.apply(FileKind::Group, &rename);
        assert!(file.find("a").is_none() && file.find("z").is_some());
        file.undo(FileKind::Group, &rename);
        file.undo(FileKind::Group, &removal);
        assert_eq!(file.print(), text.as_bytes());
        assert!(file.find("b").is_some() && file.find("z").is_none());
    }

    #[test]
    fn undoing_an_insertion_gives_back_the_missing_newline() {
        let mut file = LineFile::parse(FileKind::Group, b"a:x:1:");
        let edit = file.edit("b", Some(line("b:x:2:"))).unwrap();
        file.apply(FileKind::Group, &edit);
        assert_eq!(file.print(), b"a:x:1:\nb:x:2:\n");
        file.undo(FileKind::Group, &edit);
        assert_eq!(file.print(), b"a:x:1:");
    }

    #[test]
    fn a_removed_line_uncovers_the_next_one_with_its_name() {
        let text = "a:x:1:\nb:x:2:\na:x:3:\na:x:4:\n";
        let mut file = LineFile::parse(FileKind::Group, text.as_bytes());
        let first = file.edit("a", None).unwrap();
        file.apply(FileKind::Group, &first);
        assert_eq!(file.find("a").unwrap().as_ref(), b"a:x:3:");
        let second = file.edit("a", None).unwrap();
        file.apply(FileKind::Group, &second);
        assert_eq!(file.find("a").unwrap().as_ref(), b"a:x:4:");
        file.undo(FileKind::Group, &second);
        file.undo(FileKind::Group, &first);
        assert_eq!(file.find("a").unwrap().as_ref(), b"a:x:1:");
        assert_eq!(file.print(), text.as_bytes());
    }

    #[test]
    fn an_entry_goes_before_the_first_of_scattered_nis_lines() {
        let mut file = LineFile::parse(FileKind::Group, b"a:x:1:\n+x\nb:x:2:\n-y");
        let edit = file.edit("c", Some(line("c:x:3:"))).unwrap();
        file.apply(FileKind::Group, &edit);
        assert_eq!(file.print(), b"a:x:1:\nc:x:3:\n+x\nb:x:2:\n-y");
        assert!(file.position("a") < file.position("c") && file.position("c") < file.position("b"));
    }

    #[test]
    fn differences_are_found_by_name() {
        let old = LineFile::parse(FileKind::Group, b"a:x:1:\nb:x:2:\nc:x:3:\n# note\n");
        let new = LineFile::parse(FileKind::Group, b"# other\na:x:1:\nc:x:3:z\nd:x:4:\n");
        let names = old.differences(FileKind::Group, &new);
        assert_eq!(names, ["b", "c", "d"].map(str::to_owned).into());
    }

    #[test]
    fn an_alias_goes_with_the_lines_that_continue_it() {
        let text = "# ours\n  no entry\nroot: anna,\n  berta\n\tcarla\nwww :root\n";
        let mut file = LineFile::parse(FileKind::Aliases, text.as_bytes());
        assert_eq!(file.print(), text.as_bytes());
        assert_eq!(&**file.find("root").unwrap(), b"root: anna,\n  berta\n\tcarla");
        assert!(file.find("www").is_some());
        let edit = file.edit("root", Some(line("root: a@b.cd"))).unwrap();
        file.apply(FileKind::Aliases, &edit);
        assert_eq!(file.print(), b"# ours\n  no entry\nroot: a@b.cd\nwww :root\n");
        file.undo(FileKind::Aliases, &edit);
        assert_eq!(file.print(), text.as_bytes());
    }

    #[test]
    fn the_name_of_a_mapping_stands_before_the_equals_sign() {
        let file = LineFile::parse(FileKind::UsernameMap, b"anna = a@b.cd\n# x = y\n!berta=c\n");
        assert_eq!(file.entries(FileKind::UsernameMap).map(|(name, _)| name).collect::<Vec<_>>(), ["anna", "!berta"]);
    }
}
