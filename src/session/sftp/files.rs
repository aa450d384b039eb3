//! Open, read, write, close and the attributes of files (sections 6.3, 6.4, 6.8, 6.9).

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::uio::{pread, pwrite};

use super::attributes::{self, Attributes};
use super::handles::Open;
use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::{MAX_DATA, Reader};

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
        let file = self.tree.open_data(path, open_flags(flags), attributes.creation_mode(0o666))?;
        match kind(&fstat(&file)?) {
            SFlag::S_IFREG => {}
            SFlag::S_IFDIR => return Err(Failure::IsADirectory),
            _ => return Err(Failure::NotAFile),
        }
        let handle = self.handles.add(Open::File(file))?;
        self.reply_handle(&handle)
    }

    pub fn reply_handle(&mut self, handle: &[u8]) -> Result<Done, Failure> {
        self.output.begin(reply::HANDLE, self.id);
        self.output.string(handle);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn close(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        match self.handles.remove(packet.string()?)? {
            // NFS and quotas tell only here that the data could not be stored.
            Open::File(file) => nix::unistd::close(file)?,
            Open::Directory(_) => {}
        }
        Ok(Done::Ok)
    }

    /// Straight from the file into the reply.
    pub fn read(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (handle, offset, length) = (packet.string()?, packet.uint64()?, packet.uint32()?);
        let file = self.handles.file(handle)?;
        let offset = i64::try_from(offset).map_err(|_| Failure::Kernel(Errno::EINVAL))?;
        let most = (length as usize).min(MAX_DATA);
        self.output.begin(reply::DATA, self.id);
        let read = self.output.string_from(most, |buffer| uninterrupted(|| pread(file, buffer, offset)));
        match read {
            Ok(0) if most > 0 => {
                self.output.abandon();
                Err(Failure::EndOfFile)
            }
            Ok(_) => {
                self.output.end();
                Ok(Done::Replied)
            }
            Err(error) => {
                self.output.abandon();
                Err(error.into())
            }
        }
    }

    /// Straight from the packet into the file.
    pub fn write(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (handle, offset, mut data) = (packet.string()?, packet.uint64()?, packet.string()?);
        let file = self.handles.file(handle)?;
        let mut offset = i64::try_from(offset).map_err(|_| Failure::Kernel(Errno::EFBIG))?;
        while !data.is_empty() {
            let count = uninterrupted(|| pwrite(file, data, offset))?;
            if count == 0 {
                return Err(Failure::Kernel(Errno::EIO));
            }
            data = data.get(count..).unwrap_or_default();
            offset = i64::try_from(count).ok().and_then(|count| offset.checked_add(count)).ok_or(Errno::EFBIG)?;
        }
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
            Open::File(file) => fstat(&*file)?,
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
        Ok(Done::Ok)
    }

    pub fn fsetstat(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let handle = packet.string()?;
        let attributes = Attributes::read(&mut packet)?;
        match self.handles.get(handle)? {
            Open::File(file) => attributes.set_on_file(file)?,
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

fn uninterrupted<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
