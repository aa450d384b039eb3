//! Where orders come in, one packet each, and what they have begun: the inside of the spawner, and of whoever opens
//! the sessions of one login behind PAM. Both have one thread for ever, so that fork is safe in them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::socket;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::ForkResult;

use crate::error::Error;
use crate::keeper;
use crate::keepers::Keepers;
use crate::order::{MAX_ORDER, Wanted};
use crate::spawner::Handover;
use crate::sys;

/// What has come, with its descriptors.
pub type Arrived = (Wanted, Vec<OwnedFd>);

#[derive(Debug)]
pub struct Orders {
    socket: OwnedFd,
    signals: SignalFd,
    keepers: Keepers,
    buffer: Vec<u8>,
}

impl Orders {
    pub fn of(socket: OwnedFd) -> Result<Self, Error> {
        Ok(Self { socket, signals: child_signals()?, keepers: Keepers::default(), buffer: vec![0; MAX_ORDER] })
    }

    /// What was started before is nobody's to end.
    pub fn keep_present(&mut self) {
        self.keepers.keep_present();
    }

    /// The next one; what has ended meanwhile is collected. `None`: whoever gives them has gone.
    pub fn next(&mut self) -> Result<Option<Arrived>, Error> {
        loop {
            let mut ready = [
                PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, PollTimeout::NONE) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(Error::kernel("wait for orders")(error)),
            }
            let (ordered, ended) = (ready[0].any() == Some(true), ready[1].any() == Some(true));
            if ended {
                self.collect();
            }
            if !ordered {
                continue;
            }
            let (count, descriptors) = match socket::receive(&self.socket.as_fd(), &mut self.buffer) {
                Ok((0, _)) => return Ok(None),
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Spawner(error)),
            };
            // One that is not understood is answered by its control socket being closed.
            if let Ok(wanted) = serde_json::from_slice(self.buffer.get(..count).unwrap_or_default()) {
                return Ok(Some((wanted, descriptors)));
            }
        }
    }

    fn collect(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        self.keepers.collect();
    }

    /// Until whatever was begun here has ended.
    pub fn wait_for_keepers(&mut self) {
        while self.keepers.are_running() {
            let mut ready = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut ready, PollTimeout::NONE);
            self.collect();
        }
    }

    /// Forks a process that lives `life` and ends with what that returns. It has neither the orders nor the signals:
    /// with them open there, nobody could tell that this process has ended.
    pub fn begin(mut self, control: OwnedFd, life: impl FnOnce(OwnedFd) -> i32) -> Self {
        match sys::fork_single_threaded() {
            Ok(ForkResult::Parent { child }) => self.keepers.begun(child),
            Ok(ForkResult::Child) => {
                drop(self);
                sys::end_child(life(control))
            }
            Err(error) => keeper::refuse(&control, &format!("no process for it: {error}")),
        }
        self
    }

    /// Forks the keeper of a session.
    pub fn begin_session(self, order: &crate::order::Order, open: Handover, program: &OwnedFd) -> Self {
        let Handover { control, given } = open;
        self.begin(control, |control| keeper::keep(order, Handover { control, given }, program))
    }
}

/// SIGINT of a terminal is for the server alone; the end of a child becomes readable.
fn child_signals() -> Result<SignalFd, Error> {
    let child = SigSet::from_iter([Signal::SIGCHLD]);
    let blocked = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGINT]);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None).map_err(Error::kernel("block signals"))?;
    SignalFd::with_flags(&child, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(Error::kernel("wait for signals"))
}
