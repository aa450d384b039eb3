//! Names: real paths, links, renames, removal (sections 6.5, 6.10, 6.11).

use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, readlinkat, renameat, renameat2};
use nix::sys::stat::{SFlag, fstatat};
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, symlinkat, unlinkat};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::Reader;
use crate::path::Place;

impl Server {
    pub fn realpath(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let real = self.tree.real(packet.string()?)?;
        self.reply_name(&real)
    }

    pub fn readlink(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let place = self.tree.place(packet.string()?)?;
        let target = readlinkat(&place, place.name.as_c_str())?;
        self.reply_name(target.as_bytes())
    }

    /// One name without attributes.
    fn reply_name(&mut self, name: &[u8]) -> Result<Done, Failure> {
        self.output.begin(reply::NAME, self.id);
        self.output.uint32(1);
        self.output.string(name);
        self.output.string(name);
        self.output.uint32(0);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn remove(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let place = self.tree.place(packet.string()?)?;
        unlinkat(&place, place.name.as_c_str(), UnlinkatFlags::NoRemoveDir)?;
        Ok(Done::Ok)
    }

    /// Fails when the new name exists, as version 3 has it.
    pub fn rename(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (old, new) = (self.tree.place(packet.string()?)?, self.tree.place(packet.string()?)?);
        let (from, to) = (old.name.as_c_str(), new.name.as_c_str());
        match renameat2(&old, from, &new, to, RenameFlags::RENAME_NOREPLACE) {
            // The file system doesn't know the flag.
            Err(Errno::EINVAL | Errno::ENOSYS) => rename_by_link(&old, &new)?,
            result => result?,
        }
        Ok(Done::Ok)
    }

    /// Replaces what has the new name (posix-rename@openssh.com).
    pub fn posix_rename(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (old, new) = (self.tree.place(packet.string()?)?, self.tree.place(packet.string()?)?);
        renameat(&old, old.name.as_c_str(), &new, new.name.as_c_str())?;
        Ok(Done::Ok)
    }

    /// A second name of the same file (hardlink@openssh.com).
    pub fn hard_link(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (old, new) = (self.tree.place(packet.string()?)?, self.tree.place(packet.string()?)?);
        linkat(&old, old.name.as_c_str(), &new, new.name.as_c_str(), LinkatFlags::empty())?;
        Ok(Done::Ok)
    }

    /// The target comes first, the other way round than the draft says: every client and server
    /// does it so since OpenSSH did. What the target says is the user's business.
    pub fn symlink(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (target, link) = (packet.string()?, packet.string()?);
        CString::new(target).map_err(|_| Errno::EINVAL)?;
        let place = self.tree.place(link)?;
        symlinkat(OsStr::from_bytes(target), &place, place.name.as_c_str())?;
        Ok(Done::Ok)
    }
}

/// A file gets its new name before it loses the old one; a directory can't have two, and there
/// the kernel only replaces an empty one.
fn rename_by_link(old: &Place<'_>, new: &Place<'_>) -> nix::Result<()> {
    let (from, to) = (old.name.as_c_str(), new.name.as_c_str());
    let status = fstatat(old, from, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if status.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFDIR.bits() {
        linkat(old, from, new, to, LinkatFlags::empty())?;
        return unlinkat(old, from, UnlinkatFlags::NoRemoveDir);
    }
    match fstatat(new, to, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EEXIST),
        Err(Errno::ENOENT) => renameat(old, from, new, to),
        Err(error) => Err(error),
    }
}
