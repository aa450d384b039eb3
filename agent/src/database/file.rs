//! The lines of an account file, kept byte for byte.

pub use super::file_kind::{FileKind, Line};
use super::slot_edit::SlotEdit;
use super::slot_index::SlotIndex;
use super::text::{Span, Text};
use std::collections::{HashMap, HashSet};

/// The lines of one file. A slot keeps its number while the file is in memory: a removed line
/// leaves its slot empty, new lines have slots behind those of the file that was read, and are
/// printed before its first NIS line. So every edit can be undone exactly.
#[derive(Clone, Debug)]
pub struct LineFile {
    kind: FileKind,
    presence: Presence,
    text: Text,
    slots: Vec<Option<Span>>,
    /// How many slots the file had when it was read.
    read: usize,
    /// The first NIS line, or `read`: where new lines are printed.
    nis: usize,
    /// Whether the last line that was read lacks its newline.
    unterminated: bool,
    /// The first slot of each name: that line stands for it.
    by_name: SlotIndex,
    /// The slots of lines that stand for a name and have a number.
    by_number: SlotIndex,
    /// All slots of a name that has several, in the order of the file.
    repeated: HashMap<String, Vec<usize>>,
}

/// Whether there is a file at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Absent,
    Present,
}

impl LineFile {
    /// A file that is not there.
    pub fn absent(kind: FileKind) -> Self {
        Self {
            kind,
            presence: Presence::Absent,
            text: Text::default(),
            slots: Vec::new(),
            read: 0,
            nis: 0,
            unterminated: false,
            by_name: SlotIndex::default(),
            by_number: SlotIndex::default(),
            repeated: HashMap::new(),
        }
    }

    pub fn parse(kind: FileKind, content: &[u8]) -> Self {
        let unterminated = !content.is_empty() && !content.ends_with(b"\n");
        let slots: Vec<Option<Span>> =
            lines_of(kind, content).into_iter().map(|(begin, end)| Text::span(begin, end - begin)).collect();
        let (text, read) = (Text::new(content), slots.len());
        let presence = Presence::Present;
        let mut file = Self { presence, text, slots, read, nis: read, unterminated, ..Self::absent(kind) };
        let is_nis = |slot: &usize| matches!(file.line_at(*slot), Some([b'+' | b'-', ..]));
        file.nis = (0..read).find(is_nis).unwrap_or(read);
        (0..read).for_each(|slot| file.claim(slot));
        file
    }

    pub fn kind(&self) -> FileKind {
        self.kind
    }

    pub fn presence(&self) -> Presence {
        self.presence
    }

    pub fn print(&self) -> Vec<u8> {
        self.pieces().collect::<Vec<_>>().concat()
    }

    /// What the file consists of, one behind the other: lines and newlines.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut lines = self.lines().peekable();
        let open_end = self.unterminated && self.ends_as_read();
        let terminated = std::iter::from_fn(move || {
            let line = lines.next()?;
            let end: &[u8] = if open_end && lines.peek().is_none() { b"" } else { b"\n" };
            Some([line, end])
        });
        terminated.flatten()
    }

    /// Whether the last line is the one that was last when the file was read.
    fn ends_as_read(&self) -> bool {
        let (read, added) = self.slots.split_at(self.read);
        let last_stays = read.last().is_some_and(Option::is_some);
        last_stays && (self.nis < self.read || added.iter().all(Option::is_none))
    }

    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.slots_in_order().filter_map(|slot| self.line_at(slot))
    }

    fn slots_in_order(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.nis).chain(self.read..self.slots.len()).chain(self.nis..self.read)
    }

    /// The entries, each name's first line, as glibc finds them; in file order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.slots_in_order().filter_map(move |slot| {
            let name = self.key_at(slot)?;
            let is_first = self.repeated.is_empty() || self.first(name) == Some(slot);
            is_first.then_some((name, self.line_at(slot)?))
        })
    }

    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.line_at(self.first(name)?)
    }

    /// The slot of the line that stands for a name.
    fn first(&self, name: &str) -> Option<usize> {
        self.by_name.slots(name.as_bytes(), |slot| self.name_at(slot)).next()
    }

    /// The names whose lines have this number, in the order of the file: the first counts, as for
    /// getpwuid(3).
    pub fn names_of(&self, number: u32) -> Vec<&str> {
        let mut slots: Vec<usize> = self.by_number.slots(number, |slot| self.number_at(slot)).collect();
        slots.sort_unstable_by_key(|slot| self.order(*slot));
        slots.into_iter().filter_map(|slot| self.key_at(slot)).collect()
    }

    pub fn has_number(&self, number: u32) -> bool {
        self.by_number.slots(number, |slot| self.number_at(slot)).next().is_some()
    }

    /// Comparable with the places of other slots of the same file.
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
        match (self.first(name), new) {
            (Some(slot), new) => self.edit_at(slot, new),
            (None, Some(line)) => Some(SlotEdit::Insert { slot: self.slots.len(), line }),
            (None, None) => None,
        }
    }

    /// The slots of all lines with a name, in the order of the file.
    pub fn places(&self, name: &str) -> Vec<usize> {
        self.repeated.get(name).cloned().unwrap_or_else(|| self.first(name).into_iter().collect())
    }

    pub fn line_at(&self, slot: usize) -> Option<&[u8]> {
        self.slots.get(slot)?.map(|span| self.text.get(span))
    }

    /// The edit that puts `new` into a slot; `None` when nothing would change.
    pub fn edit_at(&self, slot: usize, new: Option<Line>) -> Option<SlotEdit> {
        let old = self.line_at(slot).map(Line::from);
        (old != new).then_some(SlotEdit::Replace { slot, old, new })
    }

    pub fn apply(&mut self, edit: &SlotEdit) {
        match edit {
            SlotEdit::Replace { slot, new, .. } => self.set(*slot, new.as_deref()),
            SlotEdit::Insert { slot, line } => {
                self.presence = Presence::Present;
                self.slots.resize(*slot, None);
                self.slots.push(self.text.add(line));
                self.claim(*slot);
            }
        }
    }

    pub fn undo(&mut self, edit: &SlotEdit) {
        match edit {
            SlotEdit::Replace { slot, old, .. } => self.set(*slot, old.as_deref()),
            SlotEdit::Insert { slot, .. } => {
                self.release(*slot);
                self.slots.truncate(*slot);
            }
        }
    }

    fn set(&mut self, slot: usize, line: Option<&[u8]>) {
        self.release(slot);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = line.and_then(|line| self.text.add(line));
        }
        self.claim(slot);
    }

    fn key_at(&self, slot: usize) -> Option<&str> {
        self.kind.key(self.line_at(slot)?)
    }

    /// The name of a line that is known to be an entry.
    fn name_at(&self, slot: usize) -> Option<&[u8]> {
        Some(self.kind.name(self.line_at(slot)?))
    }

    fn number_at(&self, slot: usize) -> Option<u32> {
        self.kind.number(self.line_at(slot)?)
    }

    /// The line in `slot` stands for its name from now on, unless one before it does.
    fn claim(&mut self, slot: usize) {
        let Some(name) = self.key_at(slot) else { return };
        let Some(first) = self.first(name) else { return self.enter(slot) };
        let name = name.to_owned();
        let mut slots = self.repeated.remove(&name).unwrap_or_else(|| vec![first]);
        slots.push(slot);
        slots.sort_by_key(|slot| self.order(*slot));
        self.stands_instead(first, &slots);
        self.repeated.insert(name, slots);
    }

    /// The line in `slot` stands for its name no longer; the next one with it does.
    fn release(&mut self, slot: usize) {
        let Some(name) = self.key_at(slot).map(str::to_owned) else { return };
        let Some(mut slots) = self.repeated.remove(&name) else { return self.leave(slot) };
        let first = slots.first().copied().unwrap_or(slot);
        slots.retain(|other| *other != slot);
        self.stands_instead(first, &slots);
        if slots.len() > 1 {
            self.repeated.insert(name, slots);
        }
    }

    /// The first of `slots` stands for their name, where `before` did.
    fn stands_instead(&mut self, before: usize, slots: &[usize]) {
        if let Some(first) = slots.first().filter(|first| **first != before) {
            self.leave(before);
            self.enter(*first);
        }
    }

    fn enter(&mut self, slot: usize) {
        let Self { kind, text, slots, by_name, by_number, .. } = self;
        let line_at = |slot: usize| slots.get(slot)?.map(|span| text.get(span));
        by_name.insert(slot, |slot| line_at(slot).map(|line| kind.name(line)));
        by_number.insert(slot, |slot| kind.number(line_at(slot)?));
    }

    fn leave(&mut self, slot: usize) {
        let Self { kind, text, slots, by_name, by_number, .. } = self;
        let Some(span) = slots.get(slot).copied().flatten() else { return };
        let line = text.get(span);
        by_name.remove(slot, Some(kind.name(line)));
        by_number.remove(slot, kind.number(line));
    }

    /// Whether much of it is not shared with its copies.
    pub fn is_scattered(&self) -> bool {
        self.text.is_scattered()
    }

    /// Lets later copies share all of it.
    pub fn gather(&mut self) {
        self.text.gather(self.slots.iter_mut().flatten());
    }

    /// Names whose first lines differ between two readings of a file.
    pub fn differences(&self, other: &LineFile) -> HashSet<String> {
        let mut names = HashSet::new();
        for (ours, theirs) in [(self, other), (other, self)] {
            for (name, line) in ours.entries() {
                if theirs.find(name) != Some(line) {
                    names.insert(name.to_owned());
                }
            }
        }
        names
    }
}

/// Where the lines of a text begin and end.
fn lines_of(kind: FileKind, content: &[u8]) -> Vec<(usize, usize)> {
    let mut lines: Vec<(usize, usize)> = Vec::with_capacity(content.iter().filter(|byte| **byte == b'\n').count() + 1);
    let mut begin = 0;
    for line in content.strip_suffix(b"\n").unwrap_or(content).split(|byte| *byte == b'\n') {
        let end = begin + line.len();
        match lines.last_mut() {
            Some((first, last)) if kind.continues(content.get(*first..*last), line) => *last = end,
            Some(_) | None if content.is_empty() => {}
            Some(_) | None => lines.push((begin, end)),
        }
        begin = end + 1;
    }
    lines
}
