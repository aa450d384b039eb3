//! The way to whoever counts: a socket whose other end is accountd-login's, which asks the agent.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use accountd_protocol::frame::{self, FrameError, QUOTA_CAP};
use accountd_protocol::quota::{QuotaAnswer, QuotaRequest};

use super::refusal::OverQuota;
use crate::sys;

#[derive(Debug)]
pub struct Relay {
    /// `None` once it has failed: then nobody knows what was leased.
    stream: Option<UnixStream>,
}

impl Relay {
    /// By the number of an open descriptor, which may be closed then.
    pub fn to(number: RawFd) -> io::Result<Self> {
        Ok(sys::copy_of(number)?.into())
    }

    /// Waits for the answer: login gives one, or closes.
    pub fn ask(&mut self, request: QuotaRequest) -> Result<QuotaAnswer, OverQuota> {
        let stream = self.stream.as_mut().ok_or(OverQuota::Unavailable)?;
        match exchange(stream, request) {
            Ok(Some(QuotaAnswer::Unavailable)) => Err(OverQuota::Unavailable),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => {
                self.stream = None;
                Err(OverQuota::Unavailable)
            }
        }
    }
}

impl From<OwnedFd> for Relay {
    fn from(socket: OwnedFd) -> Self {
        Self { stream: Some(socket.into()) }
    }
}

fn exchange(stream: &mut UnixStream, request: QuotaRequest) -> Result<Option<QuotaAnswer>, FrameError> {
    frame::write(stream, &request, QUOTA_CAP)?;
    frame::read(stream, QUOTA_CAP)
}
