//! How far a transfer is: a line of JSON, now and then and at the end.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Fault;

const BETWEEN: Duration = Duration::from_millis(200);

/// Counts of one transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Entries that are as they are to be.
    pub files: u64,
    pub bytes: u64,
    pub bytes_total: u64,
    /// Entries that were not touched: of other owners or file systems, or in the way of another.
    pub left_alone: u64,
}

/// Says how far it is. What is not said to anybody is an error: then the agent has gone.
pub struct Reporter {
    pub counts: Report,
    out: Box<dyn Write>,
    last: Option<Instant>,
}

impl Reporter {
    pub fn new(out: impl Write + 'static) -> Self {
        Self { counts: Report::default(), out: Box::new(out), last: None }
    }

    /// Tells, unless that was done a moment ago.
    pub fn tell_sometimes(&mut self) -> Result<(), Fault> {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            return Ok(());
        }
        self.tell()
    }

    pub fn tell(&mut self) -> Result<(), Fault> {
        self.last = Some(Instant::now());
        let mut line = serde_json::to_vec(&self.counts).map_err(|_| Fault::Unheard)?;
        line.push(b'\n');
        self.out.write_all(&line).and_then(|()| self.out.flush()).map_err(|_| Fault::Unheard)
    }
}
