//! The loop: packets in, requests to their functions, replies out.

use accountd_protocol::login::LinkOrder;
use accountd_protocol::session_policy::Uploads;
use std::os::fd::AsFd;
use std::time::Duration;

use accountd_protocol::limits::FilePermission;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{read, write};

use super::extensions;
use super::handles::{Content, Handles, Open};
use super::longname::Names;
use super::status::{self, Failure};
use super::wire::{MAX_PACKET, Output, Reader};
use super::{SessionError, Settings};
use crate::limits::Limits;
use crate::path::Tree;
use crate::record::Record;

const VERSION: u32 = 3;
/// Room for the longest packet and what comes behind it in the same read.
const INPUT_BYTES: usize = MAX_PACKET + 64 * 1024;
/// Replies are sent when this much has gathered, or when no request is waiting.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Seconds after which a client counts as silent.
const SILENCE: i64 = 2;

/// Packet types (section 3).
mod packet {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const RMDIR: u8 = 15;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const STATUS: u8 = 101;
    pub const EXTENDED: u8 = 200;
}

/// Types of the replies that carry something.
pub mod reply {
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED_REPLY: u8 = 201;
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// The reply is written.
    Replied,
    /// There is nothing to say but that it worked.
    Ok,
}

/// One session.
pub struct Server {
    pub tree: Tree,
    pub links: LinkOrder,
    pub uploads: Uploads,
    pub record: Record,
    pub limits: Limits,
    pub handles: Handles,
    pub names: Names,
    pub output: Output,
    /// Of the request that is being answered.
    pub id: u32,
}

impl Server {
    pub fn new(settings: Settings) -> Self {
        let Settings { tree, links, uploads, record, limits } = settings;
        let (handles, names) = (Handles::default(), Names::default());
        Self { tree, links, uploads, record, limits, handles, names, output: Output::new(OUTPUT_BYTES), id: 0 }
    }

    /// The client has gone. What it has not closed is not whole.
    pub fn end(&mut self) {
        for open in self.handles.drain() {
            if let Open::File(mut file) = open {
                file.transfer.failed("the session ended before the file was closed");
                self.record.transfer(&file.transfer);
                match file.content {
                    // The session has done with it, whatever the kernel still says.
                    Content::InPlace(file) => drop(self.limits.quota.close(file)),
                    Content::Upload(upload) => self.limits.quota.abandon(upload),
                }
            }
        }
        self.limits.quota.settle();
        self.record.total();
    }

    pub fn run(&mut self, input: &impl AsFd, output: &impl AsFd) -> Result<(), SessionError> {
        if self.limits.quota.is_counted() {
            // Only a socket has it; elsewhere what is leased comes back at the end.
            let _ = setsockopt(input, sockopt::ReceiveTimeout, &TimeVal::seconds(SILENCE));
        }
        let result = self.exchange(input, output);
        if let Err(SessionError::Malformed | SessionError::PacketLength(_)) = result {
            // What came before has been done, and its answers are waiting.
            self.flush(output)?;
        }
        result
    }

    fn exchange(&mut self, input: &impl AsFd, output: &impl AsFd) -> Result<(), SessionError> {
        let mut buffer = vec![0; INPUT_BYTES];
        let (mut start, mut end, mut greeted) = (0, 0, false);
        loop {
            while let Some(packet) = whole_packet(buffer.get(start..end).unwrap_or_default())? {
                start += packet.len() + 4;
                if greeted {
                    if let Some(due) = self.due(packet) {
                        self.flush(output)?;
                        self.record.pause(due);
                    }
                    self.answer(packet)?;
                } else {
                    self.greet(packet)?;
                    greeted = true;
                }
                if self.output.waiting().len() >= OUTPUT_BYTES {
                    self.flush(output)?;
                }
            }
            self.flush(output)?;
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            if let Some(patience) = self.record.patience()
                && !comes_within(input, patience)
            {
                self.record.flush();
            }
            match self.receive(input, buffer.get_mut(end..).unwrap_or_default())? {
                0 if end == 0 => return Ok(()),
                0 => return Err(SessionError::Malformed),
                count => end += count,
            }
        }
    }

    /// A client that says nothing for some time keeps nothing from others.
    fn receive(&mut self, input: &impl AsFd, buffer: &mut [u8]) -> Result<usize, SessionError> {
        loop {
            match read(input, buffer) {
                Ok(count) => return Ok(count),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.limits.quota.settle(),
                Err(error) => return Err(SessionError::Read(error)),
            }
        }
    }

    /// How long a request has to wait for the pace of its file.
    fn due(&mut self, packet: &[u8]) -> Option<Duration> {
        if self.limits.rates.is_none() {
            return None;
        }
        let mut reader = Reader(packet);
        let (kind, _id) = (reader.byte().ok()?, reader.uint32().ok()?);
        match kind {
            packet::READ | packet::WRITE | packet::CLOSE => {
                self.handles.file(reader.string().ok()?).ok()?.transfer.due()
            }
            _ => None,
        }
    }

    fn flush(&mut self, output: &impl AsFd) -> Result<(), SessionError> {
        let mut rest = self.output.waiting();
        while !rest.is_empty() {
            match write(output, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(SessionError::Write(error)),
            }
        }
        self.output.clear();
        Ok(())
    }

    fn greet(&mut self, packet: &[u8]) -> Result<(), SessionError> {
        let mut reader = Reader(packet);
        if reader.byte() != Ok(packet::INIT) || reader.uint32().is_err() {
            return Err(SessionError::NoVersion);
        }
        self.output.begin_version(packet::VERSION);
        self.output.uint32(VERSION);
        for (name, version) in extensions::OFFERED {
            self.output.string(name.as_bytes());
            self.output.string(version.as_bytes());
        }
        self.output.end();
        Ok(())
    }

    fn answer(&mut self, packet: &[u8]) -> Result<(), SessionError> {
        let mut reader = Reader(packet);
        let (Ok(kind), Ok(id)) = (reader.byte(), reader.uint32()) else { return Err(SessionError::Malformed) };
        self.id = id;
        self.record.request();
        match self.dispatch(kind, reader) {
            Ok(Done::Replied) => {}
            Ok(Done::Ok) => self.status(status::OK, "Success"),
            Err(Failure::Malformed) => return Err(SessionError::Malformed),
            Err(failure) => {
                let failure = self.named(failure);
                self.status(failure.code(), &failure.message());
            }
        }
        Ok(())
    }

    fn named(&mut self, failure: Failure) -> Failure {
        match failure {
            Failure::Kernel(error) => self.limits.quota.named(error.into()).into(),
            failure => failure,
        }
    }

    pub fn require(&self, needed: FilePermission) -> Result<(), Failure> {
        Ok(self.limits.permissions.require(needed)?)
    }

    fn dispatch(&mut self, kind: u8, reader: Reader<'_>) -> Result<Done, Failure> {
        match kind {
            packet::OPEN => self.open(reader),
            packet::CLOSE => self.close(reader),
            packet::READ => self.read(reader),
            packet::WRITE => self.write(reader),
            packet::LSTAT => self.lstat(reader),
            packet::FSTAT => self.fstat(reader),
            packet::SETSTAT => self.setstat(reader),
            packet::FSETSTAT => self.fsetstat(reader),
            packet::OPENDIR => self.opendir(reader),
            packet::READDIR => self.readdir(reader),
            packet::REMOVE => self.remove(reader),
            packet::MKDIR => self.mkdir(reader),
            packet::RMDIR => self.rmdir(reader),
            packet::REALPATH => self.realpath(reader),
            packet::STAT => self.stat(reader),
            packet::RENAME => self.rename(reader),
            packet::READLINK => self.readlink(reader),
            packet::SYMLINK => self.symlink(reader),
            packet::EXTENDED => self.extended(reader),
            _ => Err(Failure::Unsupported),
        }
    }

    fn status(&mut self, code: u32, message: &str) {
        self.output.begin(packet::STATUS, self.id);
        self.output.uint32(code);
        self.output.string(message.as_bytes());
        self.output.string(b"en");
        self.output.end();
    }
}

/// The first packet of `bytes`, if all of it is there; its length is checked as soon as it is.
fn whole_packet(bytes: &[u8]) -> Result<Option<&[u8]>, SessionError> {
    let mut reader = Reader(bytes);
    let Ok(length) = reader.uint32() else { return Ok(None) };
    let length = length as usize;
    if length == 0 || length > MAX_PACKET {
        return Err(SessionError::PacketLength(length));
    }
    Ok(reader.0.get(..length))
}

/// Whether there is something to read within a time; an end is something, too.
fn comes_within(input: &impl AsFd, time: Duration) -> bool {
    let milliseconds = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
    poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], milliseconds) != Ok(0)
}
