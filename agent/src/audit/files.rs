//! The files of older records: JSON lines, a file for so many, named after its first record.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::AuditError;
use super::chain::Stored;

const ENDING: &str = ".jsonl";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditFile {
    /// The number of its first record, by its name.
    pub first: u64,
    pub path: PathBuf,
}

impl AuditFile {
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its records in their order; an inner `None` is a line that is none.
    pub fn records(&self) -> Result<impl Iterator<Item = Result<Option<Stored>, AuditError>>, AuditError> {
        let failed = |source| AuditError::File { path: self.path.clone(), source };
        let lines = BufReader::new(File::open(&self.path).map_err(failed)?).split(b'\n');
        let parsed = |line: Vec<u8>| Stored::of_line(std::str::from_utf8(&line).ok()?);
        Ok(lines.map(move |line| line.map(parsed).map_err(failed)))
    }

    /// The last record; `None` where the last line is none.
    pub fn last(&self) -> Result<Option<Stored>, AuditError> {
        self.records()?.last().transpose().map(Option::flatten)
    }

    pub fn remove(&self) -> Result<(), AuditError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(AuditError::File { path: self.path.clone(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Oldest first. Files of other names are not looked at.
pub fn list(directory: &Path) -> Result<Vec<AuditFile>, AuditError> {
    let failed = |source| AuditError::File { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let first = path.file_name().and_then(|name| name.to_str()?.strip_suffix(ENDING)?.parse().ok());
        files.extend(first.map(|first| AuditFile { first, path }));
    }
    files.sort();
    Ok(files)
}

/// Makes a file of these records, on disk when this returns. A crash leaves it whole or not at all;
/// made again it is the same.
pub fn write(directory: &Path, records: &[Stored]) -> Result<(), AuditError> {
    let Some(first) = records.first() else { return Ok(()) };
    let path = directory.join(format!("{:020}{ENDING}", first.sequence));
    write_file(directory, &path, records).map_err(|source| AuditError::File { path, source })
}

fn write_file(directory: &Path, path: &Path, records: &[Stored]) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
        Ok(()) => crate::database::sync_directory(directory)?,
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    let mut writer = BufWriter::new(&file);
    for record in records {
        writeln!(writer, "{}", record.line())?;
    }
    writer.flush()?;
    drop(writer);
    file.sync_all()?;
    fs::rename(&new, path)?;
    crate::database::sync_directory(path)
}
