//! A file that is parsed again only when it has changed.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::database::Fingerprint;

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub struct ReadError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Debug)]
pub struct ParsedFile<T> {
    path: PathBuf,
    parse: fn(&[u8]) -> T,
    known: Mutex<Option<Known<T>>>,
}

#[derive(Debug)]
struct Known<T> {
    fingerprint: Option<Fingerprint>,
    content: Arc<T>,
}

impl<T> ParsedFile<T> {
    pub fn new(path: PathBuf, parse: fn(&[u8]) -> T) -> Self {
        Self { path, parse, known: Mutex::new(None) }
    }

    /// What the file says now; one that is not there says what an empty one does. As long as it
    /// stays as it is, this gives the same value each time.
    pub fn get(&self) -> Result<Arc<T>, ReadError> {
        let failed = |source| ReadError { path: self.path.clone(), source };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before it is read: a change in between is noticed the next time.
        let fingerprint = Fingerprint::at(&self.path).map_err(failed)?;
        if let Some(known) = known.as_ref().filter(|known| known.fingerprint == fingerprint) {
            return Ok(known.content.clone());
        }
        let text = match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(failed)?,
        };
        let content = Arc::new((self.parse)(&text));
        *known = Some(Known { fingerprint, content: content.clone() });
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_parsed_when_it_has_changed_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("subuid");
        let file = ParsedFile::new(path.clone(), |content| content.to_vec());
        assert!(file.get().unwrap().is_empty());
        std::fs::write(&path, "a").unwrap();
        let first = file.get().unwrap();
        assert_eq!(*first, b"a");
        assert!(Arc::ptr_eq(&first, &file.get().unwrap()));
        std::fs::write(&path, "bb").unwrap();
        assert_eq!(*file.get().unwrap(), b"bb");
        std::fs::remove_file(&path).unwrap();
        assert!(file.get().unwrap().is_empty());
        std::fs::create_dir(&path).unwrap();
        assert!(file.get().unwrap_err().to_string().contains("subuid"));
    }
}
