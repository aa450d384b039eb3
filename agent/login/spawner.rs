//! The spawner: a process with one thread that makes keepers.
//!
//! Forked from `main` before any thread exists, so that fork is safe in it for ever; the server
//! with its threads sends it orders over a packet socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, sendmsg, setsockopt, socketpair, sockopt,
};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::ForkResult;

use crate::arguments::Arguments;
use crate::error::Error;
use crate::order::{MAX_ORDER, ModulesOrder, Order, Wanted};
use crate::orders::Orders;
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
            Spawner::of(ours)
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
    /// Whoever opens the sessions of one login.
    pub fn of(socket: OwnedFd) -> Result<Self, Error> {
        // An order is one packet: as long as it may be.
        setsockopt(&socket, sockopt::SndBufForce, &(2 * MAX_ORDER)).map_err(Error::kernel("make room for orders"))?;
        setsockopt(&socket, sockopt::SendTimeout, &TimeVal::seconds(ORDER_DEADLINE))
            .map_err(Error::kernel("limit how long orders wait"))?;
        Ok(Self { socket })
    }

    /// Has a session started; what becomes of it is said on the other end of `control`.
    pub fn spawn(&self, order: &Order, open: &Handover) -> Result<(), Error> {
        let Given { records, quota, streams } = &open.given;
        let all = [&open.control, records].into_iter().chain(quota).chain(streams);
        let descriptors: Vec<RawFd> = all.map(AsRawFd::as_raw_fd).collect();
        self.order(&Wanted::Session(order), &descriptors)
    }

    /// Has a process started for the modules of PAM, which is spoken to on the other end of `control`.
    pub fn spawn_modules(&self, order: &ModulesOrder, control: &OwnedFd) -> Result<(), Error> {
        self.order(&Wanted::Modules(order), &[control.as_raw_fd()])
    }

    fn order(&self, wanted: &Wanted<&Order, &ModulesOrder>, descriptors: &[RawFd]) -> Result<(), Error> {
        let text = serde_json::to_vec(wanted).map_err(|error| Error::Spawner(error.into()))?;
        let rights = [ControlMessage::ScmRights(descriptors)];
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
    pub fn of(descriptors: Vec<OwnedFd>, order: &Order) -> Option<Self> {
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
    let mut orders = Orders::of(orders)?;
    while let Some((wanted, descriptors)) = orders.next()? {
        orders = match wanted {
            Wanted::Session(order) => match Handover::of(descriptors, &order) {
                Some(open) => orders.begin_session(&order, open, program),
                None => orders,
            },
            Wanted::Modules(order) => match descriptors.into_iter().next() {
                Some(control) => orders.begin(control, |control| crate::pam::serve(&order, control, program)),
                None => orders,
            },
        };
    }
    Ok(())
}
