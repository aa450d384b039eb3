//! Files that go from here (`scp -f`).

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use accountd_protocol::limits::FilePermission;
use nix::dir::{Dir, OwningIter};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::read;

use super::control::{directory_record, file_record, times_record};
use super::folder::join;
use super::options::{Attributes, Depth, Options};
use super::stream::{Abort, send};
use super::{Run, control, pattern};
use crate::path::{Scope, Tree, open_data_in};
use crate::transfer::{Direction, Transfer};

/// A directory that is being sent; its entries are read as they are sent.
struct Level {
    directory: OwnedFd,
    entries: OwningIter,
    path: Vec<u8>,
    /// Device and inode.
    identity: (u64, u64),
}

/// Something open to be sent.
struct Found<'a> {
    file: OwnedFd,
    status: FileStat,
    path: &'a [u8],
}

impl Found<'_> {
    /// The last component, which is what the other side is told.
    fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

impl Run<'_> {
    pub fn send_all(&mut self, options: &Options) -> Result<(), Abort> {
        self.response()?;
        for word in &options.paths {
            match pattern::expand(&self.tree, word) {
                Ok(paths) => {
                    for path in paths {
                        self.send_path(&path, options)?;
                    }
                }
                Err(error) => self.complain_of(word, error)?,
            }
        }
        Ok(())
    }

    fn send_path(&mut self, path: &[u8], options: &Options) -> Result<(), Abort> {
        let end = path.iter().rposition(|byte| *byte != b'/').map_or(path.len().min(1), |last| last + 1);
        let path = path.get(..end).unwrap_or_default();
        if let Err(missing) = self.limits.permissions.require(FilePermission::Download) {
            return self.complain_of(path, &missing.to_string());
        }
        let opened = self.tree.open_data(path, OFlag::O_RDONLY, Mode::empty());
        let mut levels = Vec::new();
        self.send_opened(opened, path, options, &mut levels)?;
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.entries.next() else {
                levels.pop();
                self.stream.send(b"E\n")?;
                self.response()?;
                continue;
            };
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = level.path.clone();
                    self.complain_of(&path, error.desc())?;
                    continue;
                }
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || !self.tree.shows(name.to_bytes()) {
                continue;
            }
            match join(&level.path, name) {
                Ok(path) => {
                    let opened = open_entry(&self.tree, &level.directory, name, &path);
                    self.send_opened(opened, &path, options, &mut levels)?;
                }
                Err(error) => {
                    let path = [&level.path, &b"/"[..], name.to_bytes()].concat();
                    self.complain_of(&path, error.desc())?;
                }
            }
        }
        Ok(())
    }

    /// Sends a file, or begins to send a directory.
    fn send_opened(
        &mut self,
        opened: nix::Result<OwnedFd>,
        path: &[u8],
        options: &Options,
        levels: &mut Vec<Level>,
    ) -> Result<(), Abort> {
        let found = match opened.and_then(|file| Ok((fstat(&file)?, file))) {
            Ok((status, file)) => Found { file, status, path },
            Err(error) => return self.complain_of(path, error.desc()),
        };
        match SFlag::from_bits_truncate(found.status.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => self.send_file(&found, options),
            SFlag::S_IFDIR if options.depth == Depth::Trees => self.send_directory(found, options, levels),
            SFlag::S_IFDIR => self.complain_of(path, "is a directory, and -r was not given"),
            _ => self.complain_of(path, "not a regular file"),
        }
    }

    /// Symbolic links are followed, so a directory may contain itself.
    fn send_directory(&mut self, found: Found<'_>, options: &Options, levels: &mut Vec<Level>) -> Result<(), Abort> {
        let identity = (found.status.st_dev, found.status.st_ino);
        if levels.iter().any(|level| level.identity == identity) {
            return self.complain_of(found.path, "the directory contains itself");
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let entries = match openat(&found.file, c".", flags, Mode::empty()).and_then(Dir::from_fd) {
            Ok(listed) => listed.into_iter(),
            Err(error) => return self.complain_of(found.path, error.desc()),
        };
        let record = directory_record(&found.status, found.name());
        if self.announce(&found, record, options)? {
            levels.push(Level { entries, path: found.path.to_vec(), identity, directory: found.file });
        }
        Ok(())
    }

    /// Sends the times, if they are kept, and the record; says whether the other side wants it.
    fn announce(&mut self, found: &Found<'_>, record: Vec<u8>, options: &Options) -> Result<bool, Abort> {
        self.record.request();
        if options.attributes == Attributes::Kept {
            self.stream.send(&times_record(&found.status))?;
            if !self.response()? {
                return Ok(false);
            }
        }
        self.stream.send(&record)?;
        self.response()
    }

    fn send_file(&mut self, found: &Found<'_>, options: &Options) -> Result<(), Abort> {
        if !self.announce(found, file_record(&found.status, found.name()), options)? {
            return Ok(());
        }
        let mut transfer = Transfer::new(found.path, Direction::Read, self.limits.rates);
        let result = self.send_content(found, &mut transfer);
        if result.is_err() {
            transfer.failed("the client has gone");
        }
        let error = transfer.error.clone();
        self.record.transfer(&transfer);
        result?;
        match error {
            None => self.stream.send(&[control::OK])?,
            Some(error) => self.complain_of(found.path, &error)?,
        }
        self.response()?;
        Ok(())
    }

    /// Exactly as many bytes as were announced, whatever becomes of the file.
    fn send_content(&mut self, found: &Found<'_>, transfer: &mut Transfer) -> Result<(), Abort> {
        let mut left = u64::try_from(found.status.st_size).unwrap_or_default();
        let (buffer, output) = self.stream.outgoing();
        let piece = transfer.piece().min(buffer.len());
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece);
            let part = buffer.get_mut(..most).unwrap_or_default();
            let count = match &transfer.error {
                None => match read(&found.file, part) {
                    Ok(0) => {
                        transfer.failed("the file has become shorter");
                        continue;
                    }
                    Ok(count) => {
                        transfer.has_read(count as u64);
                        self.record.progress(transfer);
                        count
                    }
                    Err(Errno::EINTR) => continue,
                    Err(error) => {
                        transfer.failed(error.desc());
                        continue;
                    }
                },
                Some(_) => {
                    part.fill(0);
                    most
                }
            };
            send(output, part.get(..count).unwrap_or_default())?;
            left -= count as u64;
            if let Some(due) = transfer.due() {
                self.record.pause(due);
            }
        }
        Ok(())
    }
}

/// What a name in a directory leads to. A confined session follows a link from its own root.
fn open_entry(tree: &Tree, directory: &OwnedFd, name: &CStr, path: &[u8]) -> nix::Result<OwnedFd> {
    match tree.scope() {
        Scope::Whole => open_data_in(directory, name, OFlag::O_RDONLY, Mode::empty()),
        Scope::Confined(_) => match open_data_in(directory, name, OFlag::O_RDONLY | OFlag::O_NOFOLLOW, Mode::empty()) {
            Err(Errno::ELOOP) => tree.open_data(path, OFlag::O_RDONLY, Mode::empty()),
            result => result,
        },
    }
}
