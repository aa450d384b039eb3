//! Directories (sections 6.6, 6.7): listed as they are read, never held.

use std::time::{SystemTime, UNIX_EPOCH};

use accountd_protocol::limits::FilePermission;
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::attributes::{self, Attributes};
use super::handles::{Directory, Open};
use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::Reader;
use crate::record::Change;

/// A listing reply ends at this many bytes, or at so many entries.
const REPLY_BYTES: usize = 32 * 1024;
const REPLY_ENTRIES: u32 = 200;

impl Server {
    pub fn opendir(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::ListVisible)?;
        let path = packet.string()?;
        self.handles.room()?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
        let descriptor = self.tree.open_file(path, flags, Mode::empty())?;
        let listed = openat(&descriptor, c".", flags | OFlag::O_CLOEXEC, Mode::empty())?;
        let entries = Dir::from_fd(listed)?.into_iter();
        let handle = self.handles.add(Open::Directory(Directory { descriptor, entries }))?;
        self.reply_handle(&handle)
    }

    pub fn readdir(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let Open::Directory(directory) = self.handles.get(packet.string()?)? else { return Err(Failure::BadHandle) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let now = i64::try_from(now).unwrap_or_default();
        self.output.begin(reply::NAME, self.id);
        let (count_place, mut count) = (self.output.placeholder(), 0);
        while count < REPLY_ENTRIES && self.output.packet_length() < REPLY_BYTES {
            let Some(entry) = directory.entries.next() else { break };
            let name = match &entry {
                Ok(entry) => entry.file_name(),
                Err(error) => {
                    self.output.abandon();
                    return Err((*error).into());
                }
            };
            if !self.tree.shows(name.to_bytes()) {
                continue;
            }
            // A file that has gone since its name was read is left out.
            let Ok(status) = fstatat(&directory.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            self.output.string(name.to_bytes());
            self.output.string(&self.names.line(name.to_bytes(), &status, now));
            attributes::write(&mut self.output, &status);
            count += 1;
        }
        if count == 0 {
            self.output.abandon();
            return Err(Failure::EndOfFile);
        }
        self.output.fill_placeholder(count_place, count);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn mkdir(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::CreateDirs)?;
        let path = packet.string()?;
        let attributes = Attributes::read(&mut packet)?;
        let place = self.tree.place(path)?;
        mkdirat(&place, place.name.as_c_str(), attributes.creation_mode(0o777))?;
        self.record.change(Change::Mkdir(path));
        Ok(Done::Ok)
    }

    pub fn rmdir(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::Delete)?;
        let path = packet.string()?;
        let place = self.tree.place(path)?;
        unlinkat(&place, place.name.as_c_str(), UnlinkatFlags::RemoveDir)?;
        self.record.change(Change::Rmdir(path));
        Ok(Done::Ok)
    }
}
