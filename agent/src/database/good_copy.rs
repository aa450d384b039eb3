//! The good copy of the state store, from which a damaged one is restored.
//!
//! It is one file without a write-ahead log. What is under way is not in it: a journal record or
//! an adoption that was carried out long ago must not be carried out again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::damage;
use super::error::DatabaseError;
use super::schema::{self, Age};

/// What SQLite may put beside a database.
pub const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The file beside `store` whose name ends with `ending`.
pub fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

pub fn path(store: &Path) -> PathBuf {
    beside(store, ".good")
}

/// Copies the open store as it is now. The writer goes on meanwhile: the copy is made of what a
/// reader sees. The copy before it is replaced by one that was checked and is on disk.
pub fn keep(store: &Path) -> Result<(), DatabaseError> {
    let new = beside(store, ".good-new");
    let result = write(store, &new).and_then(|()| replace(&new, &path(store)));
    if result.is_err() {
        discard(&new);
    }
    result
}

fn write(store: &Path, new: &Path) -> Result<(), DatabaseError> {
    create(new)?;
    let source = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.execute("VACUUM INTO ?1", [new.as_os_str().to_string_lossy()])?;
    drop(source);
    finish(new, |_| Ok(()))
}

/// Takes what is under way out of the copy `new`, has `change` made in it, and checks it.
pub fn finish(new: &Path, change: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), DatabaseError> {
    let mut copy = Connection::open_with_flags(new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    damage::check(&copy)?;
    match schema::age(&copy).map_err(DatabaseError::unreadable)? {
        Age::Unmade => return Err(DatabaseError::Damaged("there is nothing in it".into())),
        Age::Known => {}
        Age::Newer => return Err(DatabaseError::Newer(new.to_owned())),
    }
    copy.pragma_update(None, "secure_delete", "ON")?;
    schema::migrate(&mut copy).map_err(DatabaseError::senseless)?;
    schema::look(&copy).map_err(DatabaseError::senseless)?;
    let transaction = copy.transaction()?;
    transaction.execute_batch("DELETE FROM journal; DELETE FROM adoptions; DELETE FROM key_files")?;
    change(&transaction)?;
    transaction.commit()?;
    damage::check(&copy)
}

/// An empty file that only root can read, in place of what a crash has left of one.
pub fn create(new: &Path) -> Result<File, DatabaseError> {
    discard(new);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).map_err(DatabaseError::store(new))
}

/// Removes a copy that is not finished.
pub fn discard(new: &Path) {
    for file in COMPANIONS.into_iter().chain([""]) {
        // What stays is found when it is to be made anew.
        let _ = fs::remove_file(beside(new, file));
    }
}

/// Puts a finished file in its place, on disk when this returns.
pub fn replace(new: &Path, place: &Path) -> Result<(), DatabaseError> {
    let replaced = File::open(new).and_then(|file| file.sync_all()).and_then(|()| fs::rename(new, place));
    replaced.and_then(|()| sync_directory(place)).map_err(DatabaseError::store(place))
}

pub fn sync_directory(of: &Path) -> io::Result<()> {
    let directory = of.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
