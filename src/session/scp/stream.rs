//! The two directions of a run: lines, bytes and data in, whatever out.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::unistd::{read, write};

/// The longest record: the fields, and a name that could be a path.
pub const MAX_LINE: usize = 4096 + 4096;
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a run is over before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// The client has gone.
    Lost,
    /// One side has said that it can't go on.
    Fatal,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Without its end.
    Whole(Vec<u8>),
    TooLong,
    /// The client has closed.
    End,
}

#[derive(Debug)]
pub struct Stream<'a> {
    input: BorrowedFd<'a>,
    output: BorrowedFd<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// For what is read to be sent; made when it is needed.
    outgoing: Vec<u8>,
}

impl<'a> Stream<'a> {
    pub fn new(input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Self {
        Self { input, output, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, outgoing: Vec::new() }
    }

    /// `None` when the client has closed.
    pub fn byte(&mut self) -> Result<Option<u8>, Abort> {
        Ok(self.data(1)?.first().copied())
    }

    /// What has come, at least one byte and at most so many; nothing when the client has closed.
    pub fn data(&mut self, most: usize) -> Result<&[u8], Abort> {
        if self.start == self.end {
            (self.start, self.end) = (0, self.receive()?);
        }
        let start = self.start;
        self.start = self.end.min(start.saturating_add(most));
        Ok(self.buffer.get(start..self.start).unwrap_or_default())
    }

    fn receive(&mut self) -> Result<usize, Abort> {
        loop {
            match read(self.input, &mut self.buffer) {
                Ok(count) => return Ok(count),
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Abort::Lost),
            }
        }
    }

    /// A line that the client stops in the middle of is lost.
    pub fn line(&mut self) -> Result<Line, Abort> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                None if line.is_empty() => return Ok(Line::End),
                None => return Err(Abort::Lost),
                Some(b'\n') => return Ok(Line::Whole(line)),
                Some(_) if line.len() == MAX_LINE => return Ok(Line::TooLong),
                Some(byte) => line.push(byte),
            }
        }
    }

    /// The rest of a message, however long it is.
    pub fn skip_line(&mut self) -> Result<(), Abort> {
        loop {
            match self.byte()? {
                None => return Err(Abort::Lost),
                Some(b'\n') => return Ok(()),
                Some(_) => {}
            }
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Abort> {
        send(self.output, bytes)
    }

    /// A buffer for what is to be sent, and where to.
    pub fn outgoing(&mut self) -> (&mut [u8], BorrowedFd<'a>) {
        self.outgoing.resize(BUFFER_BYTES, 0);
        (self.outgoing.as_mut_slice(), self.output)
    }
}

/// All of it.
pub fn send(output: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Abort> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(output, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(_) => return Err(Abort::Lost),
        }
    }
    Ok(())
}
