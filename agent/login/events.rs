//! The way back to the front on one connection.

use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use accountd_protocol::frame::{self, LOGIN_CAP};
use accountd_protocol::login::{LoginEvent, SessionId};
use accountd_protocol::socket;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use crate::error::Error;

/// For the thread of the connection, and those that wait for sessions to end.
pub struct Events {
    stream: UnixStream,
    /// Held by whoever sends.
    sending: Mutex<()>,
    ended: Mutex<Vec<SessionId>>,
}

/// What was waited for, or nobody waits any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    Ready,
    Gone,
}

impl Events {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, sending: Mutex::default(), ended: Mutex::default() }
    }

    pub fn send(&self, event: &LoginEvent, descriptors: &[OwnedFd]) -> Result<(), Error> {
        let bytes = frame::encode(event, LOGIN_CAP)?;
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(socket::send_all(&self.stream, &bytes, descriptors).map_err(frame::FrameError::Io)?)
    }

    /// Has the front close its connection, and hears it no more. Waits for nobody: to a front that
    /// takes nothing, the end of the stream says the same.
    pub fn hang_up(&self) {
        let how = match self.say_now(&LoginEvent::Disconnect) {
            Some(()) => Shutdown::Read,
            None => Shutdown::Both,
        };
        // A front that has gone has closed it.
        let _ = self.stream.shutdown(how);
    }

    /// `None`: there is no room for it, or somebody else is sending.
    fn say_now(&self, event: &LoginEvent) -> Option<()> {
        let bytes = frame::encode(event, LOGIN_CAP).ok()?;
        let _sending = match self.sending.try_lock() {
            Ok(sending) => sending,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = send(self.stream.as_raw_fd(), &bytes, flags).ok()?;
        (sent == bytes.len()).then_some(())
    }

    /// Keeps the client waiting, in this thread of its own; not for longer than it is there.
    pub fn wait(&self, time: Duration) {
        let Ok(milliseconds) = PollTimeout::try_from(time) else { return };
        // Whatever ends the wait early ends it for nobody else.
        let _ = poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::empty())], milliseconds);
    }

    /// Waits until something is to be read from `other`, not for longer than the client is there.
    pub fn wait_for(&self, other: BorrowedFd<'_>) -> Waited {
        loop {
            let mut ready =
                [PollFd::new(other, PollFlags::POLLIN), PollFd::new(self.stream.as_fd(), PollFlags::empty())];
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                Ok(_) if ready[0].any() == Some(true) => return Waited::Ready,
                Ok(_) | Err(_) => return Waited::Gone,
            }
        }
    }

    /// A session is over.
    pub fn note_end(&self, session: SessionId) {
        self.ended().push(session);
    }

    /// The sessions that are over since the last time.
    pub fn take_ended(&self) -> Vec<SessionId> {
        std::mem::take(&mut *self.ended())
    }

    fn ended(&self) -> MutexGuard<'_, Vec<SessionId>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_front_that_takes_nothing_is_hung_up_without_waiting() {
        let (ours, front) = UnixStream::pair().unwrap();
        let mut reader = ours.try_clone().unwrap();
        while send(ours.as_raw_fd(), &[0; 4096], MsgFlags::MSG_DONTWAIT).is_ok() {}
        Events::new(ours).hang_up();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        drop(front);
    }

    #[test]
    fn a_front_hears_that_it_is_hung_up_and_is_heard_no_more() {
        let (ours, mut front) = UnixStream::pair().unwrap();
        let mut reader = ours.try_clone().unwrap();
        let events = Events::new(ours);
        events.hang_up();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        let said: Option<LoginEvent> = frame::read(&mut front, LOGIN_CAP).unwrap();
        assert!(matches!(said, Some(LoginEvent::Disconnect)), "{said:?}");
        let (session, how) = (SessionId(1), accountd_protocol::login::Ending::Revoked);
        events.send(&LoginEvent::Ended { session, how }, &[]).unwrap();
        let said: Option<LoginEvent> = frame::read(&mut front, LOGIN_CAP).unwrap();
        assert!(matches!(said, Some(LoginEvent::Ended { .. })), "how its sessions end is said: {said:?}");
    }
}
