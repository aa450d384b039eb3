//! Open, read, write, close and the attributes of files (sections 6.3, 6.4, 6.8, 6.9).

use accountd_protocol::session_policy::Uploads;
use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::limits::FilePermission;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::uio::{pread, pwrite};

use super::attributes::{self, Attributes};
use super::handles::{Content, File, Open};
use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::{MAX_DATA, Reader};
use crate::quota::{Quota, StoreError};
use crate::record::Change;
use crate::transfer::{Direction, Transfer};
use crate::upload::{Target, Upload, Wish};

/// Flags of SSH_FXP_OPEN.
const READ: u32 = 1;
const WRITE: u32 = 2;
const APPEND: u32 = 4;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

impl Server {
    pub fn open(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (path, flags) = (packet.string()?, packet.uint32()?);
        let attributes = Attributes::read(&mut packet)?;
        self.permit_open(flags)?;
        self.handles.room()?;
        let (open, mode) = (open_flags(flags), attributes.creation_mode(0o666));
        let content = match self.upload(path, open, mode)? {
            Some(upload) => Content::Upload(upload),
            None => Content::InPlace(self.open_in_place(path, open, mode)?),
        };
        let direction = if flags & (WRITE | APPEND) == 0 { Direction::Read } else { Direction::Write };
        let transfer = Transfer::new(path, direction, self.limits.rates);
        let file = File { content, transfer, appends: open.contains(OFlag::O_APPEND), torn: None };
        let handle = self.handles.add(Open::File(Box::new(file)))?;
        self.reply_handle(&handle)
    }

    /// Whoever makes a file uploads it, also when nothing is to be written.
    fn permit_open(&self, flags: u32) -> Result<(), Failure> {
        let writes = flags & (WRITE | APPEND) != 0;
        if writes || flags & (CREATE | TRUNCATE) != 0 {
            self.require(FilePermission::Write)?;
        }
        if !writes || flags & READ != 0 {
            self.require(FilePermission::Download)?;
        }
        Ok(())
    }

    /// What is made anew may be uploaded to the side; what is read, continued or appended to is
    /// the file itself.
    fn upload(&mut self, path: &[u8], open: OFlag, mode: Mode) -> Result<Option<Upload>, Failure> {
        let target = match (open.contains(OFlag::O_CREAT | OFlag::O_EXCL), open.contains(OFlag::O_TRUNC)) {
            (true, _) => Target::New,
            (false, true) if open.contains(OFlag::O_CREAT) => Target::Replaced,
            (false, _) => return Ok(None),
        };
        let is_written = open.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        if self.uploads == Uploads::InPlace || !is_written {
            return Ok(None);
        }
        let wish = Wish { flags: open & (OFlag::O_ACCMODE | OFlag::O_APPEND), mode, target };
        let tree = &self.tree;
        let directory = || tree.destination(path).map(|(directory, _)| directory);
        Ok(self.limits.quota.begin(directory, || Upload::begin(tree, path, wish))?)
    }

    fn open_in_place(&mut self, path: &[u8], open: OFlag, mode: Mode) -> Result<OwnedFd, Failure> {
        let (tree, quota) = (&self.tree, &mut self.limits.quota);
        // What is emptied where it is counted is emptied when it is open.
        let empties = quota.is_counted() && open.contains(OFlag::O_TRUNC);
        let open = if empties { open.difference(OFlag::O_TRUNC) } else { open };
        let directory = || tree.destination(path).map(|(directory, _)| directory);
        let file = quota.open_file(open, directory, |open| tree.open_data(path, open, mode))?;
        let status = fstat(&file)?;
        match kind(&status) {
            SFlag::S_IFREG if empties => quota.truncate(&file, 0)?,
            SFlag::S_IFREG => {}
            SFlag::S_IFDIR => return Err(Failure::IsADirectory),
            _ => return Err(Failure::NotAFile),
        }
        quota.opened(&status);
        Ok(file)
    }

    pub fn reply_handle(&mut self, handle: &[u8]) -> Result<Done, Failure> {
        self.output.begin(reply::HANDLE, self.id);
        self.output.string(handle);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn close(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let Open::File(file) = self.handles.remove(packet.string()?)? else { return Ok(Done::Ok) };
        let File { content, mut transfer, torn, .. } = *file;
        let quota = &mut self.limits.quota;
        let closed = match (content, torn) {
            (Content::InPlace(file), _) => quota.close(file).map_err(StoreError::from),
            (Content::Upload(upload), None) => quota.publish(upload),
            (Content::Upload(upload), Some(failure)) => {
                quota.abandon(upload);
                self.record.transfer(&transfer);
                return Err(failure);
            }
        };
        let closed = closed.map_err(|error| Failure::from(quota.named(error)));
        if let Err(failure) = closed {
            transfer.failed(&failure.message());
        }
        self.record.transfer(&transfer);
        closed?;
        Ok(Done::Ok)
    }

    /// Straight from the file into the reply.
    pub fn read(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (handle, offset, length) = (packet.string()?, packet.uint64()?, packet.uint32()?);
        let file = self.handles.file(handle)?;
        let offset = i64::try_from(offset).map_err(|_| Failure::Kernel(Errno::EINVAL))?;
        let most = (length as usize).min(MAX_DATA);
        self.output.begin(reply::DATA, self.id);
        let descriptor = file.descriptor();
        let read = self.output.string_from(most, |buffer| uninterrupted(|| pread(descriptor, buffer, offset)));
        match read {
            Ok(0) if most > 0 => {
                self.output.abandon();
                Err(Failure::EndOfFile)
            }
            Ok(count) => {
                file.transfer.has_read(count as u64);
                self.record.progress(&mut file.transfer);
                self.output.end();
                Ok(Done::Replied)
            }
            Err(error) => {
                self.output.abandon();
                file.transfer.failed(&Failure::Kernel(error).message());
                Err(error.into())
            }
        }
    }

    /// Straight from the packet into the file.
    pub fn write(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (handle, offset, data) = (packet.string()?, packet.uint64()?, packet.string()?);
        let file = self.handles.file(handle)?;
        let result = write_counted(file, data, offset, &mut self.limits.quota);
        self.record.progress(&mut file.transfer);
        if let Err(failure) = result {
            file.tear(failure);
        }
        result.map(|()| Done::Ok)
    }

    pub fn stat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::ListVisible)?;
        let file = self.tree.open_file(packet.string()?, OFlag::O_PATH, Mode::empty())?;
        let status = fstat(&file)?;
        self.reply_attributes(&status)
    }

    pub fn lstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::ListVisible)?;
        let place = self.tree.place(packet.string()?)?;
        let status = fstatat(&place, place.name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        self.reply_attributes(&status)
    }

    /// What is open may be looked at: whoever has opened it may do more.
    pub fn fstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let status = match self.handles.get(packet.string()?)? {
            Open::File(file) => fstat(file.descriptor())?,
            Open::Directory(directory) => fstat(&directory.descriptor)?,
        };
        self.reply_attributes(&status)
    }

    fn reply_attributes(&mut self, status: &FileStat) -> Result<Done, Failure> {
        self.output.begin(reply::ATTRS, self.id);
        attributes::write(&mut self.output, status);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn setstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::Write)?;
        let path = packet.string()?;
        Attributes::read(&mut packet)?.set_on_path(&self.tree, path, &mut self.limits.quota)?;
        self.record.change(Change::Setstat(path));
        Ok(Done::Ok)
    }

    pub fn fsetstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::Write)?;
        let handle = packet.string()?;
        let (attributes, quota) = (Attributes::read(&mut packet)?, &mut self.limits.quota);
        match self.handles.get(handle)? {
            Open::File(file) => {
                attributes.set_on_file(file.descriptor(), quota)?;
                self.record.change(Change::Setstat(&file.transfer.path));
            }
            Open::Directory(directory) => attributes.set_on_file(&directory.descriptor, quota)?,
        }
        Ok(Done::Ok)
    }
}

fn open_flags(flags: u32) -> OFlag {
    let mut open = match (flags & READ != 0, flags & (WRITE | APPEND) != 0) {
        (_, false) => OFlag::O_RDONLY,
        (false, true) => OFlag::O_WRONLY,
        (true, true) => OFlag::O_RDWR,
    };
    for (bit, flag) in
        [(APPEND, OFlag::O_APPEND), (CREATE, OFlag::O_CREAT), (TRUNCATE, OFlag::O_TRUNC), (EXCLUSIVE, OFlag::O_EXCL)]
    {
        open.set(flag, flags & bit != 0);
    }
    // O_EXCL without O_CREAT is undefined (open(2)), and so is truncating what is only read.
    if flags & CREATE == 0 {
        open.remove(OFlag::O_EXCL);
    }
    if flags & (WRITE | APPEND) == 0 {
        open.remove(OFlag::O_TRUNC);
    }
    open
}

fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits())
}

fn write_counted(file: &mut File, data: &[u8], offset: u64, quota: &mut Quota) -> Result<(), Failure> {
    let span = file.span(offset, data.len() as u64);
    let charge = quota.before_write(file.descriptor(), span).map_err(|error| quota.named(error))?;
    let (count, result) = write_all(file.descriptor(), data, offset);
    quota.after_write(charge, count as u64);
    file.transfer.has_written(count as u64);
    Ok(result.map_err(|error| quota.named(error.into()))?)
}

/// How much of it was written, and what became of the rest.
pub fn write_all(file: &impl AsFd, data: &[u8], offset: u64) -> (usize, nix::Result<()>) {
    let mut done = 0;
    while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
        let Some(place) = offset.checked_add(done as u64).and_then(|place| i64::try_from(place).ok()) else {
            return (done, Err(Errno::EFBIG));
        };
        match uninterrupted(|| pwrite(file, rest, place)) {
            Ok(0) => return (done, Err(Errno::EIO)),
            Ok(count) => done += count,
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

pub fn uninterrupted<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
