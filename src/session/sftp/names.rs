//! Names: real paths, links, renames, removal (sections 6.5, 6.10, 6.11).

use accountd_protocol::limits::FilePermission;
use accountd_protocol::login::LinkOrder;
use nix::errno::Errno;
use nix::fcntl::{readlinkat, renameat};
use nix::sys::stat::fstat;
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, symlinkat, unlinkat};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::Reader;
use crate::path::Place;
use crate::record::Change;
use crate::rename::rename_to_free;

impl Server {
    pub fn realpath(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let real = self.real(packet.string()?)?;
        self.reply_name(&real)
    }

    /// Whoever may not look is told nothing of what is there.
    pub fn real(&self, path: &[u8]) -> nix::Result<Vec<u8>> {
        match self.limits.permissions.include(FilePermission::ListVisible) {
            true => self.tree.real(path),
            false => self.tree.real_unseen(path),
        }
    }

    pub fn readlink(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::ListVisible)?;
        let place = self.tree.place(packet.string()?)?;
        let target = readlinkat(&place, place.name.as_c_str())?;
        self.reply_name(target.as_bytes())
    }

    /// One name without attributes.
    pub fn reply_name(&mut self, name: &[u8]) -> Result<Done, Failure> {
        self.output.begin(reply::NAME, self.id);
        self.output.uint32(1);
        self.output.string(name);
        self.output.string(name);
        self.output.uint32(0);
        self.output.end();
        Ok(Done::Replied)
    }

    pub fn remove(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::Delete)?;
        let path = packet.string()?;
        let place = self.tree.place(path)?;
        let victim = self.limits.quota.victim(&place, &place.name);
        unlinkat(&place, place.name.as_c_str(), UnlinkatFlags::NoRemoveDir)?;
        self.limits.quota.gone(victim);
        self.record.change(Change::Remove(path));
        Ok(Done::Ok)
    }

    /// Fails when the new name exists, as version 3 has it.
    pub fn rename(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (from, to) = (packet.string()?, packet.string()?);
        let (old, new) = self.renamed(from, to)?;
        rename_to_free(&old, &new)?;
        self.record.change(Change::Rename(from, to));
        Ok(Done::Ok)
    }

    /// Replaces what has the new name (posix-rename@openssh.com), if it may be deleted.
    pub fn posix_rename(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (from, to) = (packet.string()?, packet.string()?);
        let (old, new) = self.renamed(from, to)?;
        match self.limits.permissions.require(FilePermission::Delete) {
            Ok(()) => {
                let victim = self.limits.quota.victim(&new, &new.name);
                renameat(&old, old.name.as_c_str(), &new, new.name.as_c_str())?;
                self.limits.quota.gone(victim);
            }
            Err(missing) => match rename_to_free(&old, &new) {
                Err(Errno::EEXIST) => return Err(missing.into()),
                result => result?,
            },
        }
        self.record.change(Change::Rename(from, to));
        Ok(Done::Ok)
    }

    /// Both ends of a rename that is permitted. Where it matters whether they are in one directory, those
    /// directories are opened, compared, and what is then renamed in.
    fn renamed(&self, from: &[u8], to: &[u8]) -> Result<(Place<'static>, Place<'static>), Failure> {
        let permissions = &self.limits.permissions;
        if !permissions.include(FilePermission::RenameInPlace) && !permissions.include(FilePermission::Move) {
            self.require(FilePermission::Rename)?;
        }
        if permissions.include(FilePermission::Rename) {
            return Ok((self.tree.place(from)?, self.tree.place(to)?));
        }
        let (old, new) = (self.tree.directory_of(from)?, self.tree.directory_of(to)?);
        let (around_old, around_new) = (fstat(&old.0)?, fstat(&new.0)?);
        let moves = (around_old.st_dev, around_old.st_ino) != (around_new.st_dev, around_new.st_ino);
        if moves {
            self.require(FilePermission::Move)?;
        }
        if !moves || old.1 != new.1 {
            self.require(FilePermission::RenameInPlace)?;
        }
        Ok((Place::of(old), Place::of(new)))
    }

    /// A second name of the same file (hardlink@openssh.com).
    pub fn hard_link(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::Rename)?;
        self.require(FilePermission::Write)?;
        let (from, to) = (packet.string()?, packet.string()?);
        let (old, new) = (self.tree.place(from)?, self.tree.place(to)?);
        linkat(&old, old.name.as_c_str(), &new, new.name.as_c_str(), LinkatFlags::empty())?;
        self.record.change(Change::Link(from, to));
        Ok(Done::Ok)
    }

    /// What the target says is the user's business.
    pub fn symlink(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        self.require(FilePermission::CreateSymlinks)?;
        let (first, second) = (packet.string()?, packet.string()?);
        let (target, link) = match self.links {
            LinkOrder::TargetFirst => (first, second),
            LinkOrder::LinkFirst => (second, first),
        };
        CString::new(target).map_err(|_| Errno::EINVAL)?;
        let place = self.tree.place(link)?;
        symlinkat(OsStr::from_bytes(target), &place, place.name.as_c_str())?;
        self.record.change(Change::Symlink(link, target));
        Ok(Done::Ok)
    }
}
