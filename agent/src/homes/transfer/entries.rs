//! The entries of a directory, a part at a time, apart from the descriptor that they are read from.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use crate::sys::directory_entries::read_entries;

const BUFFER: usize = 32 * 1024;
/// Of linux_dirent64 (getdents64(2)): the offset of the next entry, the length of this one, its name.
const OFFSET: usize = 8;
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Where a directory is read, and what has been read ahead.
#[derive(Debug, Default)]
pub struct Entries {
    buffer: Vec<u8>,
    at: usize,
    /// Offsets in the directory: behind the entry that was given last, and behind the buffer.
    here: i64,
    ahead: i64,
}

impl Entries {
    /// The next name but `.` and `..`; `directory` stands where it was left.
    pub fn next(&mut self, directory: &OwnedFd) -> io::Result<Option<&CStr>> {
        let name = loop {
            if self.at >= self.buffer.len() {
                self.fill(directory)?;
                if self.buffer.is_empty() {
                    return Ok(None);
                }
            }
            let (name, next) = record(&self.buffer, self.at)?;
            let hidden = matches!(name.to_bytes(), b"." | b"..");
            self.here = next.offset;
            let at = std::mem::replace(&mut self.at, next.at);
            if !hidden {
                break at;
            }
        };
        record(&self.buffer, name).map(|(name, _)| Some(name))
    }

    /// Makes `directory`, opened anew, stand where the one before stood.
    pub fn go_on(&self, directory: &OwnedFd) -> io::Result<()> {
        lseek(directory, self.ahead, Whence::SeekSet)?;
        Ok(())
    }

    /// Forgets what has been read ahead; it is read again.
    pub fn shrink(&mut self) {
        *self = Self { here: self.here, ahead: self.here, ..Self::default() };
    }

    fn fill(&mut self, directory: &OwnedFd) -> io::Result<()> {
        self.buffer.resize(BUFFER, 0);
        let filled = read_entries(directory, &mut self.buffer)?;
        self.buffer.truncate(filled);
        self.at = 0;
        let mut at = 0;
        while at < filled {
            let (_, next) = record(&self.buffer, at)?;
            (self.ahead, at) = (next.offset, next.at);
        }
        Ok(())
    }
}

/// Where the next entry is, in the directory and in the buffer.
struct Next {
    offset: i64,
    at: usize,
}

fn record(buffer: &[u8], at: usize) -> io::Result<(&CStr, Next)> {
    let torn = || io::Error::from(Errno::EIO);
    let record = buffer.get(at..).ok_or_else(torn)?;
    let length = u16::from_ne_bytes(bytes(record, LENGTH).ok_or_else(torn)?);
    let offset = i64::from_ne_bytes(bytes(record, OFFSET).ok_or_else(torn)?);
    let name = record.get(NAME..usize::from(length)).and_then(|name| CStr::from_bytes_until_nul(name).ok());
    Ok((name.ok_or_else(torn)?, Next { offset, at: at + usize::from(length) }))
}

fn bytes<const N: usize>(record: &[u8], at: usize) -> Option<[u8; N]> {
    record.get(at..at + N)?.try_into().ok()
}
