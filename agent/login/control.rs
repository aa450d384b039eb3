//! The server's end of a keeper's control socket.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use accountd_protocol::frame::{self, FrameError};
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};

use crate::counters::Close;
use crate::order::{MAX_ORDER, Report};
use crate::word::{Farewell, Word};

#[derive(Debug)]
pub struct Control {
    socket: UnixStream,
    told: AtomicBool,
    /// Told that its client wants it no more.
    closed: AtomicBool,
}

impl Control {
    pub fn new(socket: UnixStream) -> Self {
        Self { socket, told: AtomicBool::new(false), closed: AtomicBool::new(false) }
    }

    /// Has the keeper end its session. That is said once and never waited for, because it is said
    /// under the registry's lock. Where there is no room for it, hearing no more is as good.
    pub fn tell(&self, why: Farewell) {
        if self.told.swap(true, Ordering::AcqRel) {
            return;
        }
        self.closed.store(why == Farewell::Closed, Ordering::Release);
        if self.say(Word::End(why)).is_err() {
            // A keeper that has gone hears nothing in any case.
            let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
        }
    }

    /// Whether its client has had the session ended.
    pub fn close(&self) -> Close {
        if self.closed.load(Ordering::Acquire) { Close::Wanted } else { Close::NotWanted }
    }

    /// Passes a signal on. One that there is no room for is lost, as signals are.
    pub fn signal(&self, number: u8) {
        let _ = self.say(Word::Signal(number));
    }

    fn say(&self, word: Word) -> nix::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        send(self.socket.as_raw_fd(), &word.bytes(), flags)
    }

    /// The keeper's next word; `None` when it has ended.
    pub fn report(&self, limit: Option<Duration>) -> Result<Option<Report>, FrameError> {
        self.socket.set_read_timeout(limit)?;
        frame::read(&mut &self.socket, MAX_ORDER)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_keeper_is_told_once_and_one_that_does_not_read_is_not_waited_for() {
        let (ours, mut keeper) = UnixStream::pair().unwrap();
        while send(ours.as_raw_fd(), &[0; 4096], MsgFlags::MSG_DONTWAIT).is_ok() {}
        let full = Control::new(ours);
        full.signal(15);
        full.tell(Farewell::Revoked);
        // It ends although nothing is dropped.
        keeper.read_to_end(&mut Vec::new()).unwrap();
        let (ours, mut keeper) = UnixStream::pair().unwrap();
        let control = Control::new(ours);
        control.signal(2);
        control.tell(Farewell::Closed);
        control.tell(Farewell::Revoked);
        drop(control);
        let mut heard = Vec::new();
        keeper.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, [Word::Signal(2).bytes(), Word::End(Farewell::Closed).bytes()].concat());
    }
}
