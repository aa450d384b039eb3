//! Extensions of OpenSSH (its PROTOCOL file, section 4).

use accountd_protocol::limits::FilePermission;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::statvfs::FsFlags;

use super::attributes::Attributes;
use super::handles::{MAX_HANDLES, Open};
use super::room::Room;
use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::{MAX_DATA, MAX_PACKET, Reader};
use crate::record::Change;

/// Announced with the version, each with its own.
pub const OFFERED: [(&str, &str); 11] = [
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
    ("copy-data", "1"),
    ("home-directory", "1"),
    ("users-groups-by-id@openssh.com", "1"),
];

/// Flags of the statvfs reply.
const READ_ONLY: u64 = 1;
const NO_SETUID: u64 = 2;

impl Server {
    pub fn extended(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        match packet.string()? {
            b"posix-rename@openssh.com" => self.posix_rename(packet),
            b"hardlink@openssh.com" => self.hard_link(packet),
            b"statvfs@openssh.com" => {
                self.require(FilePermission::ListVisible)?;
                let file = self.tree.open_file(packet.string()?, OFlag::O_PATH, Mode::empty())?;
                let room = Room::of(&file, &mut self.limits.quota)?;
                self.reply_statvfs(&room)
            }
            b"fstatvfs@openssh.com" => {
                let descriptor = match self.handles.get(packet.string()?)? {
                    Open::File(file) => file.descriptor(),
                    Open::Directory(directory) => &directory.descriptor,
                };
                let room = Room::of(descriptor, &mut self.limits.quota)?;
                self.reply_statvfs(&room)
            }
            b"fsync@openssh.com" => {
                nix::unistd::fsync(self.handles.file(packet.string()?)?.descriptor())?;
                Ok(Done::Ok)
            }
            b"lsetstat@openssh.com" => {
                self.require(FilePermission::Write)?;
                let path = packet.string()?;
                Attributes::read(&mut packet)?.set_on_link(&self.tree, path)?;
                self.record.change(Change::Setstat(path));
                Ok(Done::Ok)
            }
            b"limits@openssh.com" => self.reply_limits(),
            b"expand-path@openssh.com" => self.expand_path(packet),
            b"copy-data" => self.copy_data(packet),
            b"home-directory" => self.home_directory(packet),
            b"users-groups-by-id@openssh.com" => self.users_and_groups(packet),
            _ => Err(Failure::Unsupported),
        }
    }

    fn reply_statvfs(&mut self, Room { status, blocks, files }: &Room) -> Result<Done, Failure> {
        let mut flags = 0;
        if status.flags().contains(FsFlags::ST_RDONLY) {
            flags |= READ_ONLY;
        }
        if status.flags().contains(FsFlags::ST_NOSUID) {
            flags |= NO_SETUID;
        }
        self.output.begin(reply::EXTENDED_REPLY, self.id);
        for value in [
            status.block_size(),
            status.fragment_size(),
            blocks.all,
            blocks.free,
            blocks.available,
            files.all,
            files.free,
            files.available,
            status.filesystem_id(),
            flags,
            status.name_max(),
        ] {
            self.output.uint64(value);
        }
        self.output.end();
        Ok(Done::Replied)
    }

    /// Longest packet, read and write in bytes, and open handles.
    fn reply_limits(&mut self) -> Result<Done, Failure> {
        self.output.begin(reply::EXTENDED_REPLY, self.id);
        for value in [MAX_PACKET, MAX_DATA, MAX_DATA, MAX_HANDLES] {
            self.output.uint64(value as u64);
        }
        self.output.end();
        Ok(Done::Replied)
    }
}
