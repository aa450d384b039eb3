//! One file from its opening to its closing.

use std::time::{Duration, Instant};

use crate::pace::{Pace, Rates};

#[derive(Debug)]
pub struct Transfer {
    /// As the client has written it.
    pub path: Vec<u8>,
    pub direction: Direction,
    pub read: u64,
    pub written: u64,
    /// The first that went wrong.
    pub error: Option<String>,
    pub begun: Instant,
    /// The note of it that whoever reads the records has.
    pub noted: Option<Noted>,
    reading: Option<Pace>,
    writing: Option<Pace>,
}

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Read,
    /// Perhaps for reading too.
    Write,
}

/// That a transfer has been told of, under a number.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    pub id: u64,
    pub last: Instant,
}

impl Transfer {
    /// It begins now.
    pub fn new(path: &[u8], direction: Direction, rates: Rates) -> Self {
        let begun = Instant::now();
        Self {
            path: path.to_vec(),
            direction,
            read: 0,
            written: 0,
            error: None,
            begun,
            noted: None,
            reading: rates.pace(Direction::Read, begun),
            writing: rates.pace(Direction::Write, begun),
        }
    }

    /// Keeps the first error.
    pub fn failed(&mut self, error: &str) {
        self.error.get_or_insert_with(|| error.to_owned());
    }

    pub fn has_read(&mut self, bytes: u64) {
        self.read += bytes;
        if let Some(pace) = &mut self.reading {
            pace.spend(bytes, Instant::now());
        }
    }

    pub fn has_written(&mut self, bytes: u64) {
        self.written += bytes;
        if let Some(pace) = &mut self.writing {
            pace.spend(bytes, Instant::now());
        }
    }

    /// How long the transfer has to wait before it goes on, or ends.
    pub fn due(&self) -> Option<Duration> {
        let paces = [&self.reading, &self.writing].into_iter().flatten();
        paces.map(|pace| pace.due(Instant::now())).max().filter(|due| !due.is_zero())
    }

    /// The largest piece that keeps the pace even.
    pub fn piece(&self) -> usize {
        let paces = [&self.reading, &self.writing].into_iter().flatten();
        paces.map(Pace::piece).min().unwrap_or(usize::MAX)
    }

    /// Bytes so far, of what it was opened for.
    pub fn size(&self) -> u64 {
        match self.direction {
            Direction::Read => self.read,
            Direction::Write => self.written,
        }
    }
}
