//! Existing directories that become homes in place. They are noted before they are filled, so
//! that one that a crash has left half filled is emptied and given back at the next start.

use std::path::Path;
use std::sync::mpsc::channel;

use accountd_protocol::refusal::Refusal;

use super::entry::passwd;
use super::error::DatabaseError;
use super::state::{Note, State};
use super::view::View;
use super::writer::Job;
use super::{Database, FileKind};
use crate::homes;

/// A directory that is being made a home. When this is dropped it has become one, or is empty again.
#[derive(Debug)]
pub struct Adoption<'a> {
    database: &'a Database,
    path: String,
}

impl Database {
    /// Notes that the directory `path` is going to be filled; on disk when this returns.
    pub fn adopt(&self, path: &str) -> Result<Adoption<'_>, Refusal> {
        self.note(Note::Adoption(path.to_owned()))?;
        Ok(Adoption { database: self, path: path.to_owned() })
    }
}

impl Drop for Adoption<'_> {
    fn drop(&mut self) {
        // Nobody waits for it; where it gets lost, the next start finds a home or an empty directory.
        let note = Note::AdoptionOver(std::mem::take(&mut self.path));
        let _ = self.database.jobs.send(Job::Note(note, channel().0));
    }
}

/// Gives back what requests have not brought to an end. Tried once: what can't be given back now
/// may hold something else by the next start.
pub fn give_back(root: &Path, state: &mut State, view: &View) -> Result<(), DatabaseError> {
    for path in state.adoptions()? {
        if !is_home(view, &path) {
            match homes::give_back(root, &path, |uid| view.names_of_uid(uid).is_empty()) {
                Ok(()) => tracing::info!(path, "a directory that had not become a home yet is empty again"),
                Err(error) => tracing::warn!(path, %error, "a directory has not become a home and stays as it is"),
            }
        }
        state.note(&Note::AdoptionOver(path))?;
    }
    Ok(())
}

fn is_home(view: &View, path: &str) -> bool {
    let parts = |path: &str| path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect();
    let wanted: Vec<String> = parts(path);
    let home = |name: &str| view.entry(FileKind::Passwd, name).map(|entry| entry.text(passwd::HOME));
    view.users().iter().any(|row| home(&row.name).is_some_and(|home| parts(&home) == wanted))
}
