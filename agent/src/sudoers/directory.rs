//! The directory of drop-ins: what is there of ours, and the steps to put a file in place.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DIRECTORY, Grantee};

/// Ends the name of a file that is not in place yet. With a dot in it, sudo does not read it.
const NEW_SUFFIX: &str = ".new";
const NEW_PREFIX: &str = "accountd-";

/// `sudoers.d` below a root directory.
#[derive(Clone, Debug)]
pub struct DropIns {
    path: PathBuf,
}

/// A drop-in that stands ready under a name that sudo ignores. It is removed when dropped, unless
/// it has been put in place.
#[derive(Debug)]
pub struct Prepared {
    path: PathBuf,
    grant: Grant,
}

/// The text of a drop-in, and the name under which it stands ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub prepared: String,
    pub text: String,
}

impl DropIns {
    pub fn new(root: &Path) -> Self {
        Self { path: root.join(DIRECTORY) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of every drop-in of ours. A directory that is not there has none.
    pub fn read(&self) -> io::Result<HashMap<Grantee, String>> {
        let listed = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
            listed => listed?,
        };
        let mut drop_ins = HashMap::new();
        for entry in listed {
            let name = entry?.file_name();
            if let Some(grantee) = name.to_str().and_then(Grantee::of_file) {
                let text = fs::read(self.path.join(name)).map(|text| String::from_utf8_lossy(&text).into_owned());
                drop_ins.insert(grantee, text?);
            }
        }
        Ok(drop_ins)
    }

    /// The text of one; `None` where there is none.
    pub fn text(&self, grantee: Grantee) -> io::Result<Option<String>> {
        match fs::read(self.path.join(grantee.file_name())) {
            Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a drop-in beside those that count, 0440, and syncs it.
    pub fn prepare(&self, text: String) -> io::Result<Prepared> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let name = format!("{NEW_PREFIX}{:016x}{NEW_SUFFIX}", u64::from_le_bytes(bytes));
        self.write(&name, &text)?;
        Ok(Prepared { path: self.path.join(&name), grant: Grant { prepared: name, text } })
    }

    /// Puts a prepared file in the place of the grantee's. Can be done twice: what was prepared
    /// and has gone is in place, or is written again.
    pub fn place(&self, grantee: Grantee, Grant { prepared, text }: &Grant) -> io::Result<()> {
        let place = self.path.join(grantee.file_name());
        match fs::rename(self.path.join(prepared), &place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => return renamed.and_then(|()| self.sync()),
        }
        if !fs::read(&place).is_ok_and(|there| there == text.as_bytes()) {
            self.write(prepared, text)?;
            fs::rename(self.path.join(prepared), &place)?;
        }
        self.sync()
    }

    pub fn remove(&self, grantee: Grantee) -> io::Result<()> {
        match fs::remove_file(self.path.join(grantee.file_name())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.sync()),
        }
    }

    /// Removes what a crash has left of files that were being prepared.
    pub fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(NEW_PREFIX) && name.ends_with(NEW_SUFFIX)) {
                // It is tried again at the next start; sudo does not read it.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        if !self.path.is_dir() {
            fs::create_dir(&self.path)?;
            fs::set_permissions(&self.path, Permissions::from_mode(0o750))?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o400).open(self.path.join(name))?;
        let protected = file.set_permissions(Permissions::from_mode(0o440));
        let written = protected.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a file is of no use; the error that is returned says what happened.
            let _ = fs::remove_file(self.path.join(name));
        }
        written
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Prepared {
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Gone already means that it is in place.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::AccountId;

    use super::*;

    const ANNA: Grantee = Grantee::User(AccountId(7));

    fn drop_ins() -> (tempfile::TempDir, DropIns) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let drop_ins = DropIns::new(root.path());
        (root, drop_ins)
    }

    #[test]
    fn a_grant_is_placed_once_and_taken_back_once() {
        let (root, drop_ins) = drop_ins();
        let prepared = drop_ins.prepare("text\n".into()).unwrap();
        assert!(drop_ins.read().unwrap().is_empty());
        for _ in 0..2 {
            drop_ins.place(ANNA, prepared.grant()).unwrap();
            assert_eq!(drop_ins.read().unwrap(), HashMap::from([(ANNA, "text\n".to_owned())]));
        }
        let file = root.path().join(DIRECTORY).join("accountd-user-7");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o440);
        for _ in 0..2 {
            drop_ins.remove(ANNA).unwrap();
            assert!(drop_ins.read().unwrap().is_empty());
        }
        drop(prepared);
        assert_eq!(fs::read_dir(root.path().join(DIRECTORY)).unwrap().count(), 0);
    }

    #[test]
    fn what_was_prepared_before_a_crash_is_swept_and_placed_all_the_same() {
        let (root, drop_ins) = drop_ins();
        let prepared = drop_ins.prepare("new\n".into()).unwrap();
        let grant = prepared.grant().clone();
        std::mem::forget(prepared);
        drop_ins.sweep();
        assert_eq!(fs::read_dir(root.path().join(DIRECTORY)).unwrap().count(), 0);
        drop_ins.place(ANNA, &grant).unwrap();
        assert_eq!(drop_ins.read().unwrap()[&ANNA], "new\n");
    }
}
