//! The modules of one login, as the server has them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::{Said, Told, hear, say};
use crate::error::Error;
use crate::events::{Events, Waited};
use crate::order::ModulesOrder;
use crate::spawner::Spawner;
use crate::sys;

/// Dropped, they end: at once, or when they have closed the session that they have opened.
#[derive(Debug)]
pub struct Modules {
    line: Arc<Spawner>,
    /// The process that they run in.
    process: OwnedFd,
    seconds: u32,
    session: Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    NotYet,
    Open,
}

impl Modules {
    /// Has a process started for them, which begins with what is asked.
    pub fn start(spawner: &Spawner, order: &ModulesOrder, front: &Events) -> Result<Self, Error> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(Error::kernel("make a socket for the modules of PAM"))?;
        let line = Spawner::of(ours)?;
        spawner.spawn_modules(order, &theirs)?;
        drop(theirs);
        let seconds = order.service.seconds;
        match heard(&line, front, seconds)? {
            (Said::Begun, mut descriptors) if descriptors.len() == 1 => {
                let process = descriptors.remove(0);
                Ok(Self { line: Arc::new(line), process, seconds, session: Session::NotYet })
            }
            _ => Err(Error::ModulesEnded(seconds)),
        }
    }

    /// Their next word, as long as the client is there.
    pub fn hear(&self, front: &Events) -> Result<Said, Error> {
        heard(&self.line, front, self.seconds).map(|(said, _)| said)
    }

    pub fn tell(&self, told: &Told) -> Result<(), Error> {
        say(&*self.line, told, &[]).map_err(|_| Error::ModulesEnded(self.seconds))
    }

    /// Has the session opened, once; the first time takes as long as the modules do. Gives where its orders go.
    pub fn open_session(&mut self, front: &Events) -> Result<Arc<Spawner>, Error> {
        if self.session == Session::Open {
            return Ok(self.line.clone());
        }
        self.tell(&Told::OpenSession)?;
        loop {
            match self.hear(front)? {
                Said::SessionOpen => {
                    self.session = Session::Open;
                    return Ok(self.line.clone());
                }
                Said::SessionNotOpen(why) => return Err(Error::SessionRefused(why)),
                // Nobody is asked any more.
                Said::Asks(_) => self.tell(&Told::Answers(None))?,
                Said::Begun | Said::Judged(_) => return Err(Error::ModulesEnded(self.seconds)),
            }
        }
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        match self.session {
            // They hear that there are no more orders.
            Session::Open => {}
            Session::NotYet => sys::kill_by_descriptor(self.process.as_fd()),
        }
    }
}

fn heard(line: &Spawner, front: &Events, seconds: u32) -> Result<(Said, Vec<OwnedFd>), Error> {
    match front.wait_for(line.as_fd()) {
        Waited::Ready => {}
        Waited::Gone => return Err(Error::ClientGone),
    }
    hear(line).ok().flatten().ok_or(Error::ModulesEnded(seconds))
}
