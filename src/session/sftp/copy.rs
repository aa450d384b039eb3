//! copy-data (draft-ietf-secsh-filexfer-extensions-00, section 7): from one open file to another
//! without the bytes going over the network.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, copy_file_range, fcntl};
use nix::sys::stat::fstat;
use nix::sys::uio::pread;
use std::os::fd::OwnedFd;

use super::files::{uninterrupted, write_all};
use super::server::{Done, Server};
use super::status::Failure;
use super::wire::Reader;

/// What is copied at a time where the kernel can't do it by itself.
const BUFFER_BYTES: usize = 256 * 1024;
/// The most that the kernel is asked to copy at a time.
const RANGE_BYTES: u64 = 1 << 30;

/// What is to be copied, and how far it has got.
#[derive(Debug)]
struct Copy {
    from: u64,
    to: u64,
    /// `None`: to the end of the file.
    left: Option<u64>,
    done: u64,
}

impl Server {
    /// Handles of the same file may be given as long as nothing is overwritten that is read. The
    /// requests behind it wait, as they do in OpenSSH's sftp-server.
    pub fn copy_data(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (source, from, length) = (packet.string()?, packet.uint64()?, packet.uint64()?);
        let (target, to) = (packet.string()?, packet.uint64()?);
        // Both are needed at once: the source is borrowed for the moment by its own descriptor.
        let input = self.handles.file(source)?.descriptor().try_clone().map_err(|_| Errno::EMFILE)?;
        let file = self.handles.file(target)?;
        let mut copy = Copy { from, to, left: (length > 0).then_some(length), done: 0 };
        copy.keep_apart(&input, file.descriptor())?;
        let result = copy.run(&input, file.descriptor());
        file.transfer.written += copy.done;
        if let Err(error) = result {
            file.transfer.failed(Failure::Kernel(error).message());
        }
        self.handles.file(source)?.transfer.read += copy.done;
        result?;
        // The file ended before what was asked for.
        if copy.left.is_some_and(|left| left > 0) && length > 0 { Err(Failure::EndOfFile) } else { Ok(Done::Ok) }
    }
}

impl Copy {
    /// Of one file, the end is where it is now, not where the copy puts it.
    fn keep_apart(&mut self, input: &OwnedFd, output: &OwnedFd) -> Result<(), Failure> {
        let (source, target) = (fstat(input)?, fstat(output)?);
        if (source.st_dev, source.st_ino) != (target.st_dev, target.st_ino) {
            return Ok(());
        }
        let size = u64::try_from(source.st_size).unwrap_or_default();
        let rest = size.saturating_sub(self.from);
        let length = self.left.unwrap_or(rest).min(rest);
        let to = if appends(output)? { size } else { self.to };
        if length > 0 && self.from < to.saturating_add(length) && to < self.from.saturating_add(length) {
            return Err(Failure::Overlap);
        }
        if self.left.is_none() {
            self.left = Some(length);
        }
        Ok(())
    }

    fn run(&mut self, input: &OwnedFd, output: &OwnedFd) -> nix::Result<()> {
        // copy_file_range(2) doesn't append.
        if !appends(output)? {
            match self.run_in_kernel(input, output) {
                // Not for these files, not between these file systems.
                Err(Errno::EXDEV | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM) => {}
                // Some files that the kernel makes up have bytes, but not for this call.
                Ok(()) if self.done == 0 => {}
                result => return result,
            }
        }
        self.run_with_buffer(input, output)
    }

    fn run_in_kernel(&mut self, input: &OwnedFd, output: &OwnedFd) -> nix::Result<()> {
        while self.left != Some(0) {
            let (mut from, mut to) = (offset(self.from)?, offset(self.to)?);
            let most = self.left.unwrap_or(RANGE_BYTES).min(RANGE_BYTES) as usize;
            match uninterrupted(|| copy_file_range(input, Some(&mut from), output, Some(&mut to), most))? {
                0 => return Ok(()),
                count => self.advance(count),
            }
        }
        Ok(())
    }

    fn run_with_buffer(&mut self, input: &OwnedFd, output: &OwnedFd) -> nix::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.left != Some(0) {
            let most = usize::try_from(self.left.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            let (part, from) = (buffer.get_mut(..most).unwrap_or_default(), offset(self.from)?);
            let count = uninterrupted(|| pread(input, part, from))?;
            if count == 0 {
                return Ok(());
            }
            let (written, result) = write_all(output, part.get(..count).unwrap_or_default(), self.to);
            self.advance(written);
            result?;
        }
        Ok(())
    }

    fn advance(&mut self, count: usize) {
        let count = count as u64;
        (self.from, self.to, self.done) = (self.from + count, self.to + count, self.done + count);
        self.left = self.left.map(|left| left.saturating_sub(count));
    }
}

fn appends(file: &OwnedFd) -> nix::Result<bool> {
    Ok(OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL)?).contains(OFlag::O_APPEND))
}

fn offset(value: u64) -> nix::Result<i64> {
    i64::try_from(value).map_err(|_| Errno::EINVAL)
}
