//! Repositories of git and Mercurial: directories below one root, owned by their owners, and open to others
//! as access control lists say.
//!
//! What a list says counts, whoever has written it. The state store has only what no file system holds. No
//! program of git or Mercurial is run here, and nothing that its users have put into a repository is read.

mod acl;
mod book;
mod change;
mod create;
mod ground;
mod layout;
mod pull;
mod remove;
mod sight;
#[cfg(test)]
mod tests;
mod upkeep;
mod work;

use std::io;
use std::sync::Mutex;

use accountd_protocol::repository::RepositoryRef;
use accountd_protocol::text::FieldPath;

use self::book::Book;
use self::ground::Ground;
use self::pull::Pulls;
use self::upkeep::Upkeep;
use crate::agent::Agent;
use crate::database::Database;
use crate::homes::Homes;

#[derive(Debug)]
pub struct Repositories {
    ground: Ground,
    book: Book,
    upkeep: Upkeep,
    pulls: Pulls,
    /// Held by whoever gives names or takes them away.
    names: Mutex<()>,
}

impl Repositories {
    pub fn new(homes: &Homes, root: &FieldPath, database: &Database) -> io::Result<Self> {
        Ok(Self {
            ground: Ground::new(homes.root(), root.clone())?,
            book: Book::of(database),
            upkeep: Upkeep::default(),
            pulls: Pulls::default(),
            names: Mutex::new(()),
        })
    }

    /// Accounts may have changed.
    pub fn settle(&self) {
        self.upkeep.wake();
    }
}

impl Agent {
    /// For the audit trail.
    pub(crate) fn repository_called(&self, which: &RepositoryRef) -> Option<String> {
        match which {
            RepositoryRef::Name(name) => Some(crate::audit::shown(name, 255)),
            RepositoryRef::Id(_) => self.repositories.book.find(which).map(|row| row.name),
        }
    }
}
