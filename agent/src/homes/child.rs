//! A child at work on a whole home: told once what to do, then listened to, and ended if need be.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdout, Command};
use std::sync::{Arc, Mutex, PoisonError};

use super::transfer::Report;
use super::worker::{NO_HOME, WorkError};

#[derive(Debug)]
pub struct Child {
    process: Arc<Mutex<std::process::Child>>,
    reports: BufReader<ChildStdout>,
    fault: ChildStderr,
}

/// Ends the child, from another thread.
#[derive(Clone, Debug)]
pub struct Ender(Arc<Mutex<std::process::Child>>);

impl Ender {
    pub fn end(&self) {
        // One that has ended by itself is not there to be killed.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

impl Child {
    pub(super) fn start(command: &mut Command, order: &[u8]) -> Result<Self, WorkError> {
        let mut process = command.spawn().map_err(WorkError::Start)?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(mut input), Some(reports), Some(fault)) = pipes else {
            return Err(WorkError::Start(std::io::ErrorKind::BrokenPipe.into()));
        };
        // A child that has died says why on its standard error.
        let _ = input.write_all(order);
        Ok(Self { process: Arc::new(Mutex::new(process)), reports: BufReader::new(reports), fault })
    }

    pub fn ender(&self) -> Ender {
        Ender(self.process.clone())
    }

    /// The next report; `None` when there will be no more.
    pub fn report(&mut self) -> Option<Report> {
        let mut line = String::new();
        self.reports.read_line(&mut line).ok().filter(|read| *read > 0)?;
        serde_json::from_str(&line).ok()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Result<(), WorkError> {
        let mut fault = String::new();
        let _ = (&mut self.fault).take(4096).read_to_string(&mut fault);
        let status = self.process.lock().unwrap_or_else(PoisonError::into_inner).wait().map_err(WorkError::Start)?;
        match status.code() {
            Some(0) => Ok(()),
            Some(code) if code == i32::from(NO_HOME) => Err(WorkError::NoHome),
            Some(_) | None => {
                let fault = fault.trim();
                Err(WorkError::Failed(fault.strip_prefix("accountd-agent: ").unwrap_or(fault).to_owned()))
            }
        }
    }
}
