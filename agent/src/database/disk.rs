//! The files on disk: read with a fingerprint, written beside, renamed into place.

use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::ops::{Index, IndexMut};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::digest::{Digesting, FileDigest};
use super::error::DatabaseError;
use super::file::{FileKind, LineFile};
use crate::sudoers::{DropIns, Grantee};

/// Ends the name of a file that is being written; what a crash left of it is overwritten.
const NEW_SUFFIX: &str = ".accountd-new";

/// How much of a file is written at a time.
const CHUNK: usize = 256 * 1024;

/// A file that is written in place has to be left alone for so long before it is read.
const REST: Duration = Duration::from_millis(25);
/// A file that never rests is given up after this.
const REST_DEADLINE: Duration = Duration::from_secs(1);

/// Tells whether a file is still the one that was read (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The fingerprints of all files, by kind, and of the directory of sudo's drop-ins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints {
    files: [Option<Fingerprint>; FileKind::ALL.len()],
    pub drop_ins: Option<DropInsFingerprint>,
}

/// Tells whether the drop-ins are those that were read, and say the same: an editor may write one
/// in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropInsFingerprint {
    directory: Fingerprint,
    /// Of all files of ours together, in any order.
    files: u64,
}

impl Index<FileKind> for Fingerprints {
    type Output = Option<Fingerprint>;

    fn index(&self, kind: FileKind) -> &Self::Output {
        &self.files[kind as usize]
    }
}

impl IndexMut<FileKind> for Fingerprints {
    fn index_mut(&mut self, kind: FileKind) -> &mut Self::Output {
        &mut self.files[kind as usize]
    }
}

/// A file's content and fingerprint; `None` and `None` for one that is not there.
pub type WholeFile = (Option<Vec<u8>>, Option<Fingerprint>);

impl Fingerprint {
    /// Of the file at `path`; `None` when it is not there.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(status) => Ok(Some(Fingerprint::of(&status))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(status: &Metadata) -> Self {
        Fingerprint {
            device: status.dev(),
            inode: status.ino(),
            size: status.size(),
            modified: (status.mtime(), status.mtime_nsec()),
            changed: (status.ctime(), status.ctime_nsec()),
        }
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The same file with the same content under another name: a rename changes ctime.
    pub fn is_renamed(&self, before: &Fingerprint) -> bool {
        Fingerprint { changed: before.changed, ..*self } == *before
    }
}

impl DropInsFingerprint {
    /// Of the directory at `path`; `None` when it is not there.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        let Some(directory) = Fingerprint::at(path)? else { return Ok(None) };
        let mut files: u64 = 0;
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            if name.to_str().is_some_and(|name| Grantee::of_file(name).is_some()) {
                let mut hasher = DefaultHasher::new();
                (&name, Fingerprint::at(&path.join(&name))?).hash(&mut hasher);
                files = files.wrapping_add(hasher.finish());
            }
        }
        Ok(Some(Self { directory, files }))
    }
}

/// A new file that stands ready beside the old one.
#[derive(Debug)]
pub struct Written {
    pub kind: FileKind,
    pub digest: FileDigest,
    pub fingerprint: Fingerprint,
}

/// The account files below a root directory.
#[derive(Clone, Debug)]
pub struct Disk {
    etc: PathBuf,
    pub drop_ins: DropIns,
}

impl Disk {
    pub fn new(root: &Path) -> Self {
        Self { etc: root.join("etc"), drop_ins: DropIns::new(root) }
    }

    pub fn etc(&self) -> &Path {
        &self.etc
    }

    fn directory(&self, kind: FileKind) -> PathBuf {
        self.etc.join(kind.place().0)
    }

    pub fn path(&self, kind: FileKind) -> PathBuf {
        self.directory(kind).join(kind.place().1)
    }

    fn new_path(&self, kind: FileKind) -> PathBuf {
        self.directory(kind).join(format!("{}{NEW_SUFFIX}", kind.place().1))
    }

    /// What all files look like now; `None` for one that is not there.
    pub fn fingerprints(&self) -> Result<Fingerprints, DatabaseError> {
        let mut fingerprints = Fingerprints::default();
        for kind in FileKind::ALL {
            let now = self.fingerprint(kind).map_err(|source| DatabaseError::Read { kind, source })?;
            fingerprints[kind] = now;
        }
        fingerprints.drop_ins = DropInsFingerprint::at(self.drop_ins.path()).map_err(DatabaseError::DropIns)?;
        Ok(fingerprints)
    }

    pub fn fingerprint(&self, kind: FileKind) -> io::Result<Option<Fingerprint>> {
        Fingerprint::at(&self.path(kind))
    }

    /// The whole file; `None` when it is not there.
    pub fn read(&self, kind: FileKind) -> Result<Option<Vec<u8>>, DatabaseError> {
        match fs::read(self.path(kind)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DatabaseError::Read { kind, source }),
        }
    }

    /// The file with its fingerprint, as soon as nobody is in the middle of writing it. A file
    /// that was replaced is whole; one that is the same as `known` but for its content is being
    /// written in place, and has to rest first.
    pub fn read_whole(&self, kind: FileKind, known: Option<Fingerprint>) -> Result<WholeFile, DatabaseError> {
        let look = || self.fingerprint(kind).map_err(|source| DatabaseError::Read { kind, source });
        let end = Instant::now() + REST_DEADLINE;
        let mut before = look()?;
        loop {
            let in_place = before.zip(known).is_some_and(|(now, known)| now.inode == known.inode);
            if in_place {
                std::thread::sleep(REST);
            }
            let content = self.read(kind)?;
            let after = look()?;
            if before == after {
                return Ok((content, after));
            }
            if Instant::now() > end {
                return Err(DatabaseError::Implausible { kind });
            }
            before = after;
        }
    }

    /// Writes the new content beside the old file, with its owner, mode and extended attributes,
    /// and syncs it.
    pub fn write_beside(&self, file: &LineFile) -> io::Result<Written> {
        let kind = file.kind();
        let path = self.new_path(kind);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        self.make_directory(kind)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let result = self.fill(options.open(&path)?, file);
        if result.is_err() {
            // Half a file is of no use; the error that is returned says what happened.
            let _ = fs::remove_file(&path);
        }
        result
    }

    /// The directory of a file in another one than `etc`.
    fn make_directory(&self, kind: FileKind) -> io::Result<()> {
        let directory = self.directory(kind);
        if directory.is_dir() {
            return Ok(());
        }
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        File::open(&self.etc)?.sync_all()
    }

    fn fill(&self, new: File, file: &LineFile) -> io::Result<Written> {
        let kind = file.kind();
        let mut out = BufWriter::with_capacity(CHUNK, Digesting::new(new));
        file.pieces().try_for_each(|piece| out.write_all(piece))?;
        let (new, digest) = out.into_inner()?.finish();
        match File::open(self.path(kind)) {
            Ok(old) => like(&old, &new)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                new.set_permissions(fs::Permissions::from_mode(kind.mode()))?;
            }
            Err(error) => return Err(error),
        }
        new.sync_all()?;
        Ok(Written { kind, digest, fingerprint: Fingerprint::of(&new.metadata()?) })
    }

    /// Puts the new file in place of the old one.
    pub fn replace(&self, kind: FileKind) -> io::Result<()> {
        fs::rename(self.new_path(kind), self.path(kind))
    }

    pub fn discard(&self, kind: FileKind) {
        // It is written anew the next time in any case.
        let _ = fs::remove_file(self.new_path(kind));
    }

    /// Makes the renames of these files durable.
    pub fn sync_directories(&self, kinds: &[FileKind]) -> io::Result<()> {
        let mut directories: Vec<PathBuf> = kinds.iter().map(|kind| self.directory(*kind)).collect();
        directories.dedup();
        directories.iter().try_for_each(|directory| File::open(directory)?.sync_all())
    }
}

/// Gives `new` the owner, mode and extended attributes (ACLs among them) of `old`.
fn like(old: &File, new: &File) -> io::Result<()> {
    use xattr::FileExt;
    let status = old.metadata()?;
    fchown(new, Some(status.uid()), Some(status.gid()))?;
    new.set_permissions(fs::Permissions::from_mode(status.mode() & 0o7777))?;
    let names = match old.list_xattr() {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(()),
        names => names?,
    };
    for name in names {
        if let Some(value) = old.get_xattr(&name)? {
            new.set_xattr(&name, &value)?;
        }
    }
    Ok(())
}
