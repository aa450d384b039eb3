//! The server's side of scp's own protocol, that of rcp: what `scp -O` and older clients speak.
//!
//! There is no standard; what OpenSSH's scp(1) does on the server is what clients expect, and what
//! is done here. One side sends control records, the other one answers each with a byte: 0, or 1
//! and a message. The program runs as the user, and the kernel decides what is allowed, and of that
//! the account's own permissions and its quota.

mod control;
mod folder;
mod options;
mod pattern;
mod receiving;
mod sink;
mod source;
mod stream;

use accountd_protocol::session_policy::Uploads;
use std::os::fd::AsFd;

use self::options::{Options, Side};
use self::stream::{Abort, Stream};
use crate::limits::Limits;
use crate::path::Tree;
use crate::record::Record;

pub const SUCCESS: u8 = 0;
const FAILURE: u8 = 1;
/// What a message to the client is cut off at; clients keep 2 KiB of it.
const MAX_MESSAGE: usize = 1024;

/// What a run is given.
#[derive(Debug)]
pub struct Settings {
    pub tree: Tree,
    pub uploads: Uploads,
    pub record: Record,
    pub limits: Limits,
}

/// One run of scp on the server.
struct Run<'a> {
    tree: Tree,
    uploads: Uploads,
    record: Record,
    limits: Limits,
    stream: Stream<'a>,
    errors: u64,
}

/// Serves one run of a client and gives the exit status that it has to see. `words` are what
/// stands behind `scp` in its command line, without the shell's quotes. `~` at the beginning of a
/// path is expanded, and so are patterns (glob(7)) of paths to be sent, unless something has just
/// that name; a backslash in a pattern protects what follows.
pub fn serve(settings: Settings, words: &[Vec<u8>], input: impl AsFd, output: impl AsFd) -> u8 {
    let Settings { tree, uploads, record, limits } = settings;
    let stream = Stream::new(input.as_fd(), output.as_fd());
    let mut run = Run { tree, uploads, record, limits, stream, errors: 0 };
    let ended = match Options::parse(words) {
        Ok(options) => match options.side {
            Side::Source => run.send_all(&options),
            Side::Sink => run.receive_all(&options),
        },
        Err(message) => run.fatal(&message),
    };
    run.limits.quota.settle();
    run.record.total();
    if ended.is_ok() && run.errors == 0 { SUCCESS } else { FAILURE }
}

impl Run<'_> {
    /// Tells the client what went wrong with one file; the others go on.
    fn complain(&mut self, message: &[u8]) -> Result<(), Abort> {
        self.errors += 1;
        let printable = |byte: &u8| if byte.is_ascii_control() { b'?' } else { *byte };
        let mut line = b"\x01scp: ".to_vec();
        line.extend(message.iter().take(MAX_MESSAGE).map(printable));
        line.push(b'\n');
        self.stream.send(&line)
    }

    fn complain_of(&mut self, path: &[u8], error: &str) -> Result<(), Abort> {
        self.complain(&[path, b": ", error.as_bytes()].concat())
    }

    /// The same, and the run is over.
    fn fatal(&mut self, message: &[u8]) -> Result<(), Abort> {
        self.complain(message)?;
        Err(Abort::Fatal)
    }

    /// What the other side says to a record: `false` when it won't have what the record is about.
    fn response(&mut self) -> Result<bool, Abort> {
        match self.stream.byte()?.ok_or(Abort::Lost)? {
            control::OK => Ok(true),
            kind => {
                self.errors += 1;
                self.stream.skip_line()?;
                if kind == control::FATAL { Err(Abort::Fatal) } else { Ok(false) }
            }
        }
    }
}
