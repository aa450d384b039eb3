//! A change of one line of an account file.

use super::file_kind::Line;

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
