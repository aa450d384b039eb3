//! Extensions about accounts: homes and names (OpenSSH's PROTOCOL file, section 4;
//! draft-ietf-secsh-filexfer-extensions-00, section 5).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;

use super::longname::Names;
use super::server::{Done, Server, reply};
use super::status::Failure;
use super::wire::{MAX_PACKET, Reader};
use crate::home;

/// What an id takes in a request, and the least that a name takes in the reply.
const ID_BYTES: usize = 4;

impl Server {
    /// `~`, `~/PATH` and `~NAME/PATH`, then as SSH_FXP_REALPATH (expand-path@openssh.com).
    pub fn expand_path(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let path = home::expand(&self.tree, packet.string()?).ok_or(Failure::Kernel(Errno::ENOENT))?;
        let real = self.real(&path)?;
        self.reply_name(&real)
    }

    /// The home of an account; of the session's own without a name (home-directory).
    pub fn home_directory(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let name = packet.string()?;
        let home = if name.is_empty() { home::expand(&self.tree, b"~") } else { home::home_of(&self.tree, name) };
        let real = self.real(&home.ok_or(Failure::NoSuchUser)?)?;
        self.reply_name(&real)
    }

    /// Names for numbers, empty where there is none: of users, then of groups
    /// (users-groups-by-id@openssh.com). The reply is no longer than any other: names that find no
    /// room are left empty.
    pub fn users_and_groups(&mut self, mut packet: Reader<'_>) -> Result<Done, Failure> {
        let (users, groups) = (packet.string()?, packet.string()?);
        if users.len() % ID_BYTES != 0 || groups.len() % ID_BYTES != 0 {
            return Err(Failure::Kernel(Errno::EINVAL));
        }
        self.output.begin(reply::EXTENDED_REPLY, self.id);
        self.names_for(users, groups.len() + ID_BYTES, Names::user);
        self.names_for(groups, 0, Names::group);
        self.output.end();
        Ok(Done::Replied)
    }

    /// A string of strings. So many bytes are kept free for what comes behind it.
    fn names_for(&mut self, ids: &[u8], behind: usize, name: impl Fn(&Names, u32) -> Option<OsString>) {
        let place = self.output.placeholder();
        let begin = self.output.packet_length();
        let mut ids = Reader(ids);
        while let Ok(id) = ids.uint32() {
            let taken = self.output.packet_length() + ID_BYTES + ids.0.len() + behind;
            let name = name(&self.names, id).map(OsString::into_vec);
            let name = name.filter(|name| taken + name.len() <= MAX_PACKET).unwrap_or_default();
            self.output.string(&name);
        }
        let length = self.output.packet_length() - begin;
        self.output.fill_placeholder(place, u32::try_from(length).unwrap_or(u32::MAX));
    }
}
