//! copy-data (draft-ietf-secsh-filexfer-extensions-00, section 7): from one open file to another
//! without the bytes going over the network.

use accountd_protocol::limits::FilePermission;
use nix::errno::Errno;
use nix::fcntl::copy_file_range;
use nix::sys::stat::fstat;
use nix::sys::uio::pread;
use std::os::fd::OwnedFd;

use super::files::{uninterrupted, write_all};
use super::handles::File;
use super::server::{Done, Server};
use super::status::Failure;
use super::wire::Reader;
use crate::quota::{Quota, StoreError};

/// What is copied at a time where the kernel can't do it by itself.
const BUFFER_BYTES: usize = 256 * 1024;
/// The most that the kernel is asked to copy at a time.
const RANGE_BYTES: u64 = 1 << 30;
/// The same where a ledger counts: a copy that ends early has not leased much too much.
const COUNTED_BYTES: u64 = 8 << 20;

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
        self.require(FilePermission::Copy)?;
        let (source, from, length) = (packet.string()?, packet.uint64()?, packet.uint64()?);
        let (target, to) = (packet.string()?, packet.uint64()?);
        // Both are needed at once: the source is borrowed for the moment by its own descriptor.
        let input = self.handles.file(source)?.descriptor().try_clone().map_err(|_| Errno::EMFILE)?;
        let file = self.handles.file(target)?;
        let mut copy = Copy { from, to, left: (length > 0).then_some(length), done: 0 };
        copy.keep_apart(&input, file)?;
        let quota = &mut self.limits.quota;
        let result = copy.run(&input, file, quota).map_err(|error| Failure::from(quota.named(error)));
        file.transfer.written += copy.done;
        if let Err(failure) = result {
            file.tear(failure);
        }
        self.handles.file(source)?.transfer.read += copy.done;
        result?;
        // The file ended before what was asked for.
        if copy.left.is_some_and(|left| left > 0) && length > 0 { Err(Failure::EndOfFile) } else { Ok(Done::Ok) }
    }
}

impl Copy {
    /// Of one file, the end is where it is now, not where the copy puts it.
    fn keep_apart(&mut self, input: &OwnedFd, output: &File) -> Result<(), Failure> {
        let (source, target) = (fstat(input)?, fstat(output.descriptor())?);
        if (source.st_dev, source.st_ino) != (target.st_dev, target.st_ino) {
            return Ok(());
        }
        let size = u64::try_from(source.st_size).unwrap_or_default();
        let rest = size.saturating_sub(self.from);
        let length = self.left.unwrap_or(rest).min(rest);
        let to = if output.appends { size } else { self.to };
        if length > 0 && self.from < to.saturating_add(length) && to < self.from.saturating_add(length) {
            return Err(Failure::Overlap);
        }
        if self.left.is_none() {
            self.left = Some(length);
        }
        Ok(())
    }

    fn run(&mut self, input: &OwnedFd, output: &File, quota: &mut Quota) -> Result<(), StoreError> {
        // copy_file_range(2) doesn't append.
        if !output.appends {
            match self.run_in_kernel(input, output, quota) {
                // Not for these files, not between these file systems.
                Err(StoreError::Kernel(
                    Errno::EXDEV | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM,
                )) => {}
                // Some files that the kernel makes up have bytes, but not for this call.
                Ok(()) if self.done == 0 => {}
                result => return result,
            }
        }
        self.run_with_buffer(input, output, quota)
    }

    fn run_in_kernel(&mut self, input: &OwnedFd, output: &File, quota: &mut Quota) -> Result<(), StoreError> {
        let target = output.descriptor();
        while self.left != Some(0) {
            let (mut from, mut to) = (offset(self.from)?, offset(self.to)?);
            let most = self.piece(input, quota)?;
            let charge = quota.before_write(target, output.span(self.to, most))?;
            let copy = || copy_file_range(input, Some(&mut from), target, Some(&mut to), most as usize);
            let copied = uninterrupted(copy);
            quota.after_write(charge, copied.unwrap_or_default() as u64);
            match copied? {
                0 => return Ok(()),
                count => self.advance(count),
            }
        }
        Ok(())
    }

    /// What is asked for at a time. No more than there is, where it has to be leased before.
    fn piece(&self, input: &OwnedFd, quota: &Quota) -> nix::Result<u64> {
        let most = self.left.unwrap_or(RANGE_BYTES).min(RANGE_BYTES);
        if !quota.is_counted() {
            return Ok(most);
        }
        let size = u64::try_from(fstat(input)?.st_size).unwrap_or_default();
        Ok(most.min(COUNTED_BYTES).min(size.saturating_sub(self.from)))
    }

    fn run_with_buffer(&mut self, input: &OwnedFd, output: &File, quota: &mut Quota) -> Result<(), StoreError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.left != Some(0) {
            let most = usize::try_from(self.left.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            let (part, from) = (buffer.get_mut(..most).unwrap_or_default(), offset(self.from)?);
            let count = uninterrupted(|| pread(input, part, from))?;
            if count == 0 {
                return Ok(());
            }
            let charge = quota.before_write(output.descriptor(), output.span(self.to, count as u64))?;
            let (written, result) = write_all(output.descriptor(), part.get(..count).unwrap_or_default(), self.to);
            quota.after_write(charge, written as u64);
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

fn offset(value: u64) -> nix::Result<i64> {
    i64::try_from(value).map_err(|_| Errno::EINVAL)
}
