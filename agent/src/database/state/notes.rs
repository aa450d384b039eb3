//! Notes for the next start: where something unfinished may lie.

use super::State;

/// A note for the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Homes are made in this directory: what a crash leaves there has to be found.
    HomeParent(String),
    /// An existing directory is filled, to become a home.
    Adoption(String),
    /// It has become one, or is empty again.
    AdoptionOver(String),
    /// What is done once on a machine, by its name.
    Done(String),
}

impl State {
    pub fn note(&mut self, note: &Note) -> rusqlite::Result<()> {
        self.let_checkpoints(matches!(note, Note::Done(_)) && self.unfinished.is_nothing())?;
        let (sql, path) = match note {
            Note::HomeParent(path) => ("INSERT OR IGNORE INTO home_parents VALUES (?1)", path),
            Note::Adoption(path) => ("INSERT OR IGNORE INTO adoptions VALUES (?1)", path),
            Note::AdoptionOver(path) => ("DELETE FROM adoptions WHERE path = ?1", path),
            Note::Done(what) => ("INSERT OR IGNORE INTO done VALUES (?1)", what),
        };
        self.connection.execute(sql, [path])?;
        match note {
            Note::HomeParent(_) | Note::Done(_) => self.changes += 1,
            Note::Adoption(path) => drop(self.unfinished.adoptions.insert(path.clone())),
            Note::AdoptionOver(path) => drop(self.unfinished.adoptions.remove(path)),
        }
        Ok(())
    }

    pub fn home_parents(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT path FROM home_parents")?;
        query.query_map([], |row| row.get(0))?.collect()
    }

    /// What is done once on a machine, and has been.
    pub fn done(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT what FROM done")?;
        query.query_map([], |row| row.get(0))?.collect()
    }

    pub fn adoptions(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT path FROM adoptions")?;
        query.query_map([], |row| row.get(0))?.collect()
    }
}
