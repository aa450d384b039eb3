//! The agent at the other end of its socket: one question, one answer, within a time.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use accountd_protocol::frame::{self, FrameError};
use accountd_protocol::pam_module::{PAM_CAP, PamAnswer, PamQuestion, PamRequest, cut};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use pam::items::{RHost, Service, Tty};
use pam::module::PamHandle;

use crate::arguments::Arguments;

/// Whom it is asked about, and where.
pub struct Agent {
    socket: PathBuf,
    timeout: Duration,
    user: String,
    service: String,
    terminal: Option<String>,
    host: Option<String>,
}

impl Agent {
    pub fn of(handle: &PamHandle, user: &str, arguments: &Arguments) -> Self {
        let text = |bytes: &[u8]| cut(&String::from_utf8_lossy(bytes));
        let service = handle.get_item::<Service<'_>>().ok().flatten().map(|item| text(item.to_bytes()));
        let terminal = handle.get_item::<Tty<'_>>().ok().flatten().map(|item| text(item.to_bytes()));
        let host = handle.get_item::<RHost<'_>>().ok().flatten().map(|item| text(item.to_bytes()));
        Self {
            socket: arguments.socket.clone(),
            timeout: arguments.timeout,
            user: cut(user),
            service: service.unwrap_or_default(),
            terminal: terminal.filter(|terminal| !terminal.is_empty()),
            host: host.filter(|host| !host.is_empty()),
        }
    }

    /// An error where it is away, or takes too long.
    pub fn ask(&self, question: PamQuestion) -> Result<PamAnswer, FrameError> {
        let end = Instant::now() + self.timeout;
        let request = PamRequest {
            user: self.user.clone(),
            service: self.service.clone(),
            terminal: self.terminal.clone(),
            host: self.host.clone(),
            question,
        };
        let mut stream = Timed { stream: reach(&self.socket, end)?, end };
        frame::write(&mut stream, &request, PAM_CAP)?;
        let gone = || FrameError::Io(io::ErrorKind::UnexpectedEof.into());
        frame::read(&mut stream, PAM_CAP)?.ok_or_else(gone)
    }
}

/// Without waiting longer than until `end` where as many wait already as there are places for.
fn reach(path: &Path, end: Instant) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let stream = UnixStream::from(descriptor);
    let address = UnixAddr::new(path)?;
    loop {
        match connect(std::os::fd::AsRawFd::as_raw_fd(&stream), &address) {
            Ok(()) => return Ok(stream),
            // Here nothing says when there is a place.
            Err(nix::errno::Errno::EAGAIN) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A stream that is waited for until a moment, however its bytes come and go. A program's own signals do not end that.
struct Timed {
    stream: UnixStream,
    end: Instant,
}

impl Timed {
    fn when(&self, ready: PollFlags) -> io::Result<()> {
        let left = self.end.saturating_duration_since(Instant::now());
        let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(self.stream.as_fd(), ready)], patience) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => Ok(()),
            Err(nix::errno::Errno::EINTR) => self.when(ready),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.when(PollFlags::POLLIN)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    /// A peer that has gone must not end the program (SIGPIPE).
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.when(PollFlags::POLLOUT)?;
        accountd_protocol::socket::send(&self.stream, buffer, &[])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_waited_for_longer_than_the_time() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let begun = Instant::now();
        let mut timed = Timed { stream: ours, end: begun + Duration::from_millis(50) };
        assert_eq!(timed.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        // poll(2) is told whole milliseconds.
        assert!(begun.elapsed() >= Duration::from_millis(49));
        drop(theirs);
        timed.end = Instant::now() + Duration::from_secs(60);
        assert_eq!(timed.read(&mut [0]).unwrap(), 0);
        assert_eq!(timed.write(&[0]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(reach(Path::new("/nonexistent/pam.sock"), Instant::now()).is_err());
    }
}
