//! How far the state store has got, noted beside it. A store that knows less has lost its
//! write-ahead log, or is an older one: SQLite finds nothing wrong with it.
//!
//! The note is made after each commit and not synced: it may be behind the store, never ahead.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::edit::Edit;
use super::good_copy::beside;

/// What is said of a store that is behind its mark.
pub const BEHIND: &str = "it lacks what was stored last: its write-ahead log is lost or damaged, or it is an older one";

/// What goes up for ever: the number of starts, and the ids that come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    pub starts: u64,
    pub next_user: u64,
    pub next_group: u64,
}

impl Reached {
    /// The higher of both, number by number.
    pub fn or(self, other: Self) -> Self {
        Self {
            starts: self.starts.max(other.starts),
            next_user: self.next_user.max(other.next_user),
            next_group: self.next_group.max(other.next_group),
        }
    }

    /// Whether `other` knows more.
    pub fn is_behind(self, other: Self) -> bool {
        self.or(other) != self
    }

    /// The same width always, so that it is written over what was there.
    fn print(self) -> String {
        format!("{:020} {:020} {:020}\n", self.starts, self.next_user, self.next_group)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_suffix('\n')?.split(' ').map(|word| word.parse().ok());
        let (starts, next_user, next_group) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { starts, next_user, next_group })
    }
}

#[derive(Debug)]
pub struct Mark {
    file: File,
    reached: Reached,
}

impl Mark {
    /// What was noted for this store; `None` where nothing that makes sense was.
    pub fn read(store: &Path) -> Option<Reached> {
        Reached::parse(&std::fs::read_to_string(path(store)).ok()?)
    }

    /// Notes a start, on disk when this returns.
    pub fn begin(store: &Path, reached: Reached) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path(store))?;
        let text = reached.print();
        file.write_all_at(text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)?;
        file.sync_all()?;
        Ok(Self { file, reached })
    }

    /// Notes what has been committed.
    pub fn raise(&mut self, edits: &[Edit]) {
        let before = self.reached;
        for edit in edits {
            match edit {
                Edit::Line { .. } | Edit::Sudo { .. } | Edit::Transfer { .. } => {}
                Edit::PasswordHistory { .. }
                | Edit::PasswordRules { .. }
                | Edit::ApiKey { .. }
                | Edit::KeyFile(_)
                | Edit::SecondFactor { .. }
                | Edit::PasswordStamp { .. } => {}
                Edit::User { id, .. } => self.reached.next_user = self.reached.next_user.max(id.0 + 1),
                Edit::Group { id, .. } => self.reached.next_group = self.reached.next_group.max(id.0 + 1),
            }
        }
        if self.reached != before
            && let Err(error) = self.file.write_all_at(self.reached.print().as_bytes(), 0)
        {
            tracing::warn!(%error, "cannot note beside the state store how far it has got");
        }
    }
}

fn path(store: &Path) -> PathBuf {
    beside(store, ".mark")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_and_another_text_is_none() {
        let reached = Reached { starts: 7, next_user: u64::MAX, next_group: 0 };
        assert_eq!(Reached::parse(&reached.print()), Some(reached));
        for text in ["", "1 2 3", "1 2\n", "1 2 3 4\n", "1 2 x\n", "1 2 -3\n"] {
            assert_eq!(Reached::parse(text), None, "{text:?}");
        }
    }
}
