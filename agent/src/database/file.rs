//! The account files: which they are, and their lines, kept byte for byte.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One line without its newline.
pub type Line = Arc<[u8]>;

/// The files, in the order in which they are renamed into place: a passwd line without a shadow
/// line can't log in, so passwd comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Smbpasswd,
    Gshadow,
    Group,
    Shadow,
    Passwd,
}

impl FileKind {
    pub const ALL: [FileKind; 5] =
        [FileKind::Smbpasswd, FileKind::Gshadow, FileKind::Group, FileKind::Shadow, FileKind::Passwd];

    /// Directory below `etc` (empty for `etc` itself) and file name.
    pub fn place(self) -> (&'static str, &'static str) {
        match self {
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
            FileKind::Passwd | FileKind::Group => 0o644,
            FileKind::Shadow | FileKind::Gshadow => 0o640,
            FileKind::Smbpasswd => 0o600,
        }
    }

    /// The fewest colon-separated fields of a line that programs take for an entry.
    fn fields(self) -> usize {
        match self {
            FileKind::Passwd => 7,
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
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.count() + 1 >= self.fields()).then(|| std::str::from_utf8(name).ok())?
    }
}

/// The lines of one file. A slot keeps its number while the file is in memory; a removed line
/// leaves its slot empty, so that an undone removal puts the line back where it was.
#[derive(Clone, Debug, Default)]
pub struct LineFile {
    slots: Vec<Option<Line>>,
    by_name: HashMap<Arc<str>, usize>,
    /// Whether the last line lacks its newline.
    unterminated: bool,
}

/// A change of one slot; it can be applied and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotEdit {
    Replace { slot: usize, old: Option<Line>, new: Option<Line> },
    Insert { slot: usize, line: Line },
}

impl SlotEdit {
    /// The lines before and after.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        let (old, new) = match self {
            SlotEdit::Replace { old, new, .. } => (old.as_ref(), new.as_ref()),
            SlotEdit::Insert { line, .. } => (None, Some(line)),
        };
        old.into_iter().chain(new)
    }
}

impl LineFile {
    pub fn parse(kind: FileKind, content: &[u8]) -> Self {
        let unterminated = !content.is_empty() && !content.ends_with(b"\n");
        let body = content.strip_suffix(b"\n").unwrap_or(content);
        let mut file = LineFile { slots: Vec::new(), by_name: HashMap::new(), unterminated };
        if !content.is_empty() {
            file.slots = body.split(|byte| *byte == b'\n').map(|line| Some(Line::from(line))).collect();
        }
        file.index(kind);
        file
    }

    pub fn print(&self) -> Vec<u8> {
        let size = self.lines().map(|line| line.len() + 1).sum();
        let mut content = Vec::with_capacity(size);
        for line in self.lines() {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
        if self.unterminated {
            content.pop();
        }
        content
    }

    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.slots.iter().flatten()
    }

    /// The entries, each name's first line, as glibc finds them; in file order.
    pub fn entries(&self, kind: FileKind) -> impl Iterator<Item = (&str, &Line)> {
        self.slots.iter().enumerate().filter_map(move |(slot, line)| {
            let line = line.as_ref()?;
            let name = kind.key(line)?;
            (self.by_name.get(name) == Some(&slot)).then_some((name, line))
        })
    }

    pub fn find(&self, name: &str) -> Option<&Line> {
        self.slots.get(*self.by_name.get(name)?)?.as_ref()
    }

    /// The edit that puts `new` in the place of `name`'s line: at the end, before the first NIS
    /// line, when there is none yet. `None` when nothing would change.
    pub fn edit(&self, name: &str, new: Option<Line>) -> Option<SlotEdit> {
        match (self.by_name.get(name), new) {
            (Some(slot), new) => {
                let old = self.slots.get(*slot).cloned().flatten();
                (old != new).then_some(SlotEdit::Replace { slot: *slot, old, new })
            }
            (None, Some(line)) => Some(SlotEdit::Insert { slot: self.end_of_entries(), line }),
            (None, None) => None,
        }
    }

    pub fn apply(&mut self, kind: FileKind, edit: &SlotEdit) {
        match edit {
            SlotEdit::Replace { slot, old, new } => self.set(kind, *slot, old.as_ref(), new.clone()),
            SlotEdit::Insert { slot, line } => {
                // A last line without newline gets it when another one follows.
                self.unterminated &= *slot < self.slots.len();
                self.slots.insert(*slot, Some(line.clone()));
                self.moved(kind, *slot);
            }
        }
    }

    pub fn undo(&mut self, kind: FileKind, edit: &SlotEdit) {
        match edit {
            SlotEdit::Replace { slot, old, new } => self.set(kind, *slot, new.as_ref(), old.clone()),
            SlotEdit::Insert { slot, line } => {
                if let Some(name) = kind.key(line) {
                    self.by_name.remove(name);
                }
                self.slots.remove(*slot);
                self.moved(kind, *slot);
            }
        }
    }

    fn set(&mut self, kind: FileKind, slot: usize, from: Option<&Line>, to: Option<Line>) {
        if let Some(name) = from.and_then(|line| kind.key(line)) {
            self.by_name.remove(name);
        }
        if let Some(name) = to.as_ref().and_then(|line| kind.key(line)) {
            self.by_name.insert(name.into(), slot);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = to;
        }
    }

    /// The slots from `slot` on have other numbers now.
    fn moved(&mut self, kind: FileKind, slot: usize) {
        if slot + 1 >= self.slots.len() {
            if let Some(name) = self.slots.get(slot).and_then(|line| kind.key(line.as_ref()?)) {
                self.by_name.insert(name.into(), slot);
            }
        } else {
            self.index(kind);
        }
    }

    fn index(&mut self, kind: FileKind) {
        self.by_name.clear();
        for (slot, line) in self.slots.iter().enumerate() {
            if let Some(name) = line.as_ref().and_then(|line| kind.key(line)) {
                self.by_name.entry(name.into()).or_insert(slot);
            }
        }
    }

    /// Before the first NIS line, and else behind the last line.
    fn end_of_entries(&self) -> usize {
        let nis = |line: &Option<Line>| matches!(line.as_ref().and_then(|line| line.first()), Some(b'+' | b'-'));
        // NIS lines stand at the end, if anywhere; looking from there keeps this cheap.
        let mut end = self.slots.len();
        while let Some(slot) = end.checked_sub(1).filter(|slot| self.slots.get(*slot).is_some_and(nis)) {
            end = slot;
        }
        end
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
}
