//! The spawner: a process with one thread that makes keepers.
//!
//! Forked from `main` before any thread exists, so that fork is safe in it for ever; the server
//! with its threads sends it orders over a packet socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use accountd_protocol::socket;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, sendmsg, setsockopt, socketpair, sockopt,
};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::ForkResult;

use crate::arguments::Arguments;
use crate::error::Error;
use crate::keeper;
use crate::keepers::Keepers;
use crate::order::{MAX_ORDER, Order};
use crate::sys;

/// Seconds that an order may wait for a spawner which takes none.
const ORDER_DEADLINE: i64 = 5;

/// The server's end.
#[derive(Debug)]
pub struct Spawner {
    /// An order is one packet with its descriptors, so threads need no lock. It hangs up when
    /// the spawner has ended: nobody else has its other end open.
    socket: OwnedFd,
}

impl AsFd for Spawner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Forks the spawner. To be called before any thread is started.
pub fn start(arguments: &Arguments) -> Result<Spawner, Error> {
    let program = open_program(&arguments.session_program)?;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(Error::kernel("make a socket for the spawner"))?;
    match sys::fork_single_threaded().map_err(Error::kernel("fork the spawner"))? {
        ForkResult::Parent { .. } => {
            drop(theirs);
            // An order is one packet: as long as it may be.
            setsockopt(&ours, sockopt::SndBufForce, &(2 * MAX_ORDER)).map_err(Error::kernel("make room for orders"))?;
            setsockopt(&ours, sockopt::SendTimeout, &TimeVal::seconds(ORDER_DEADLINE))
                .map_err(Error::kernel("limit how long the spawner is waited for"))?;
            Ok(Spawner { socket: ours })
        }
        ForkResult::Child => {
            drop(ours);
            let code = match spawn_for_ever(theirs, &program) {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("accountd-login: spawner: {error}");
                    1
                }
            };
            sys::end_child(code)
        }
    }
}

fn open_program(path: &Path) -> Result<OwnedFd, Error> {
    // Not O_PATH: the sandbox names an open file of another process, which only opening resolves.
    open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|source| Error::Program { path: path.to_owned(), source: source.into() })
}

impl Spawner {
    /// Has a session started; what becomes of it is said on the other end of `control`.
    pub fn spawn(&self, order: &Order, open: &Handover) -> Result<(), Error> {
        let text = serde_json::to_vec(order).map_err(|error| Error::Spawner(error.into()))?;
        let Given { records, quota, streams } = &open.given;
        let all = [&open.control, records].into_iter().chain(quota).chain(streams);
        let descriptors: Vec<RawFd> = all.map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let parts = [io::IoSlice::new(&text)];
        sendmsg::<UnixAddr>(self.socket.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None)
            .map(|_| ())
            .map_err(|error| Error::Spawner(error.into()))
    }
}

#[cfg(test)]
impl Spawner {
    /// A server's end whose orders come to a test.
    pub fn pair() -> (Self, OwnedFd) {
        let kind = (AddressFamily::Unix, SockType::SeqPacket);
        let (ours, theirs) = socketpair(kind.0, kind.1, None, SockFlag::SOCK_CLOEXEC).unwrap();
        (Self { socket: ours }, theirs)
    }
}

/// What goes with an order.
#[derive(Debug)]
pub struct Handover {
    pub control: OwnedFd,
    pub given: Given,
}

/// What the session is given.
#[derive(Debug)]
pub struct Given {
    pub records: OwnedFd,
    /// Where the order has a quota.
    pub quota: Option<OwnedFd>,
    /// Its side of them.
    pub streams: Vec<OwnedFd>,
}

impl Handover {
    /// As they have been received.
    fn of(descriptors: Vec<OwnedFd>, order: &Order) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let (control, records) = (descriptors.next()?, descriptors.next()?);
        let quota = match order.quota {
            Some(_) => Some(descriptors.next()?),
            None => None,
        };
        let streams: Vec<OwnedFd> = descriptors.collect();
        let given = Given { records, quota, streams };
        (given.streams.len() == order.streams.count()).then_some(Self { control, given })
    }
}

/// Ends when the server does: its end of the socket closes.
fn spawn_for_ever(orders: OwnedFd, program: &OwnedFd) -> Result<(), Error> {
    prctl::set_name(c"login-spawner").map_err(Error::kernel("name the spawner"))?;
    prctl::set_dumpable(false).map_err(Error::kernel("become undumpable"))?;
    prctl::set_child_subreaper(true).map_err(Error::kernel("become a subreaper"))?;
    let signals = child_signals()?;
    let mut keepers = Keepers::default();
    let mut buffer = vec![0; MAX_ORDER];
    loop {
        let mut ready =
            [PollFd::new(orders.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(Error::kernel("wait for orders")(error)),
        }
        let (ordered, ended) = (ready[0].any() == Some(true), ready[1].any() == Some(true));
        if ended {
            while let Ok(Some(_)) = signals.read_signal() {}
            keepers.collect();
        }
        if !ordered {
            continue;
        }
        let (count, descriptors) = match socket::receive(&orders.as_fd(), &mut buffer) {
            Ok((0, _)) => return Ok(()),
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Spawner(error)),
        };
        let order: Result<Order, _> = serde_json::from_slice(buffer.get(..count).unwrap_or_default());
        let Some((order, open)) =
            order.ok().and_then(|order| Handover::of(descriptors, &order).map(|open| (order, open)))
        else {
            // Without its control socket the order is answered by that being closed.
            continue;
        };
        match sys::fork_single_threaded() {
            Ok(ForkResult::Parent { child }) => keepers.begun(child),
            Ok(ForkResult::Child) => {
                // With it open here, nobody could tell that the spawner has ended.
                drop((orders, signals));
                sys::end_child(keeper::keep(&order, open, program))
            }
            Err(error) => keeper::refuse(&open.control, &format!("no process for it: {error}")),
        }
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
