//! Open, read, write, close and the attributes of files (sections 6.3, 6.4, 6.8, 6.9).

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::uio::{pread, pwrite};

use super::attributes::{self, Attributes};
use super::handles::{Content, File, Open};
use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::{MAX_DATA, Reader};
use crate::record::{Change, Direction, Transfer};
use crate::upload::{Target, Upload, Uploads, Wish};

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
        self.handles.room()?;
        let (open, mode) = (open_flags(flags), attributes.creation_mode(0o666));
        let content = match self.upload(path, open, mode)? {
            Some(upload) => Content::Upload(upload),
            None => Content::InPlace(self.open_in_place(path, open, mode)?),
        };
        let direction = if flags & (WRITE | APPEND) == 0 { Direction::Read } else { Direction::Write };
        let handle = self.handles.add(Open::File(File { content, transfer: Transfer::new(path, direction) }))?;
        self.reply_handle(&handle)
    }

    /// What is made anew may be uploaded to the side; what is read, continued or appended to is
    /// the file itself.
    fn upload(&self, path: &[u8], open: OFlag, mode: Mode) -> Result<Option<Upload>, Failure> {
        let target = match (open.contains(OFlag::O_CREAT | OFlag::O_EXCL), open.contains(OFlag::O_TRUNC)) {
            (true, _) => Target::New,
            (false, true) if open.contains(OFlag::O_CREAT) => Target::Replaced,
            (false, _) => return Ok(None),
        };
        let is_written = open.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        if self.uploads == Uploads::InPlace || !is_written {
            return Ok(None);
        }
        let flags = open & (OFlag::O_ACCMODE | OFlag::O_APPEND);
        Ok(Upload::begin(&self.tree, path, Wish { flags, mode, target })?)
    }

    fn open_in_place(&self, path: &[u8], open: OFlag, mode: Mode) -> Result<OwnedFd, Failure> {
        let file = self.tree.open_data(path, open, mode)?;
        match kind(&fstat(&file)?) {
            SFlag::S_IFREG => Ok(file),
            SFlag::S_IFDIR => Err(Failure::IsADirectory),
            _ => Err(Failure::NotAFile),
        }
    }

    pub fn reply_handle(&mut self, handle: &[u8]) -> Result<Done, Failure> {
        self.output.begin(reply::HANDLE, self.id);
        self.output.string(handle);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn close(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let Open::File(file) = self.handles.remove(packet.string()?)? else { return Ok(Done::Ok) };
        let File { content, mut transfer } = file;
        let closed = match content {
            // NFS and quotas tell only here that the data could not be stored.
            Content::InPlace(file) => nix::unistd::close(file),
            Content::Upload(upload) => upload.publish(),
        };
        if let Err(error) = closed {
            transfer.failed(Failure::Kernel(error).message());
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
                file.transfer.read += count as u64;
                self.output.end();
                Ok(Done::Replied)
            }
            Err(error) => {
                self.output.abandon();
                file.transfer.failed(Failure::Kernel(error).message());
                Err(error.into())
            }
        }
    }

    /// Straight from the packet into the file.
    pub fn write(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (handle, offset, data) = (packet.string()?, packet.uint64()?, packet.string()?);
        let file = self.handles.file(handle)?;
        let (count, result) = write_all(file.descriptor(), data, offset);
        file.transfer.written += count as u64;
        if let Err(error) = result {
            file.transfer.failed(Failure::Kernel(error).message());
        }
        result?;
        Ok(Done::Ok)
    }

    pub fn stat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let file = self.tree.open_file(packet.string()?, OFlag::O_PATH, Mode::empty())?;
        let status = fstat(&file)?;
        self.reply_attributes(&status)
    }

    pub fn lstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let place = self.tree.place(packet.string()?)?;
        let status = fstatat(&place, place.name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        self.reply_attributes(&status)
    }

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
        let path = packet.string()?;
        Attributes::read(&mut packet)?.set_on_path(&self.tree, path)?;
        self.record.change(Change::Setstat(path));
        Ok(Done::Ok)
    }

    pub fn fsetstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let handle = packet.string()?;
        let attributes = Attributes::read(&mut packet)?;
        match self.handles.get(handle)? {
            Open::File(file) => {
                attributes.set_on_file(file.descriptor())?;
                self.record.change(Change::Setstat(&file.transfer.path));
            }
            Open::Directory(directory) => attributes.set_on_file(&directory.descriptor)?,
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
