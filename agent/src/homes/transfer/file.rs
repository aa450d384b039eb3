//! The content of a regular file: only what is there, holes stay holes (lseek(2),
//! copy_file_range(2), which shares blocks where the file system can).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::copy_file_range;
use nix::unistd::{Whence, ftruncate, lseek};

use super::{Fault, failed};

/// So much at a time, so that progress can be told.
const STEP: u64 = 16 << 20;
const BUFFER: usize = 256 * 1024;

/// What came of copying.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Copied,
    /// The original can not be read.
    Unreadable,
}

/// Copies the first `size` bytes. `told` gets how much has been copied since the last time.
pub fn copy_content(
    original: &File,
    copy: &File,
    size: u64,
    told: &mut dyn FnMut(u64) -> Result<(), Fault>,
) -> Result<Content, Fault> {
    let mut at = 0;
    while at < size {
        let Some((start, end)) = data_from(original, at, size)? else { break };
        at = start;
        while at < end {
            match copy_part(original, copy, at, (end - at).min(STEP))? {
                // It is shorter than it was.
                Some(0) => return finish(copy, size),
                Some(copied) => {
                    at += copied;
                    told(copied)?;
                }
                None => return Ok(Content::Unreadable),
            }
        }
    }
    finish(copy, size)
}

fn finish(copy: &File, size: u64) -> Result<Content, Fault> {
    ftruncate(copy, offset(size)?).map_err(failed("set the size of a copy"))?;
    Ok(Content::Copied)
}

/// The first part at or behind `at` that is not a hole.
fn data_from(original: &File, at: u64, size: u64) -> Result<Option<(u64, u64)>, Fault> {
    let start = match lseek(original, offset(at)?, Whence::SeekData) {
        Ok(start) => u64::try_from(start).unwrap_or(at),
        Err(Errno::ENXIO) => return Ok(None),
        // This file system does not say where holes are.
        Err(_) => return Ok(Some((at, size))),
    };
    let end = match lseek(original, offset(start)?, Whence::SeekHole) {
        Ok(end) => u64::try_from(end).unwrap_or(size).min(size),
        Err(_) => size,
    };
    Ok((start < size).then_some((start, end.max(start))))
}

/// How much was copied; `None` when it can't be read.
fn copy_part(original: &File, copy: &File, at: u64, length: u64) -> Result<Option<u64>, Fault> {
    let (mut from, mut to) = (offset(at)?, offset(at)?);
    let length = usize::try_from(length).unwrap_or(BUFFER);
    match copy_file_range(original, Some(&mut from), copy, Some(&mut to), length) {
        // Some file systems answer so without having copied anything.
        Ok(0) => read_and_write(original, copy, at, length),
        Ok(copied) => Ok(Some(copied as u64)),
        Err(error @ (Errno::ENOSPC | Errno::EDQUOT)) => Err(failed("write a copy")(error)),
        // Not between these two, or one of them failed: which one, the slow way tells.
        Err(_) => read_and_write(original, copy, at, length),
    }
}

fn read_and_write(original: &File, copy: &File, at: u64, length: usize) -> Result<Option<u64>, Fault> {
    let mut buffer = vec![0; length.min(BUFFER)];
    let read = match original.read_at(&mut buffer, at) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Some(0)),
        Err(_) => return Ok(None),
    };
    let part = buffer.get(..read).unwrap_or_default();
    copy.write_all_at(part, at).map_err(|source| Fault::File { doing: "write a copy", source })?;
    Ok(Some(read as u64))
}

fn offset(at: u64) -> Result<i64, Fault> {
    i64::try_from(at).map_err(|_| failed("copy a file")(Errno::EFBIG))
}
