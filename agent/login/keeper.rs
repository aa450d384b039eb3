//! The keeper of one session: root, one thread, nothing open but what it needs.
//!
//! It is the subreaper (prctl(2)) of whatever the session starts, so that a process that has
//! called setsid(2) and lost its parent is found and ended all the same.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use accountd_protocol::frame;
use accountd_protocol::login::{Ending, Streams};
use accountd_protocol::session_policy::Leftovers;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, pipe2};

use crate::children::children;
use crate::keepers::{LEFT_RUNNING, NOTHING_LEFT};
use crate::order::{MAX_ORDER, Order, Report};
use crate::session::{Descriptors, become_session};
use crate::spawner::{Given, Handover};
use crate::sys;
use crate::sys::logins::{self, Event};
use crate::word::{Farewell, Word};

/// After SIGHUP and SIGTERM, how long until SIGKILL.
const GRACE: Duration = Duration::from_millis(300);

/// The keeper's whole life; returns its exit status.
pub fn keep(order: &Order, open: Handover, program: &OwnedFd) -> i32 {
    let Handover { control, given } = open;
    let control = UnixStream::from(control);
    match start(order, &control, &given, program) {
        Ok((child, signals)) => {
            let login = Login::of(order, &given.streams, child);
            // The session's ends: as long as they are open here, nobody hears that it has closed them.
            drop(given);
            report(&control, &Report::Started);
            login.iter().for_each(|login| login.record(Event::Begun));
            let ending = Watch { order, child, control: &control, signals: &signals }.until_end();
            let status = end_leftovers(order.leftovers, &ending);
            login.iter().for_each(|login| login.record(Event::Ended));
            report(&control, &Report::Ended(ending));
            status
        }
        Err(reason) => {
            end_all();
            report(&control, &Report::NotStarted(reason));
            NOTHING_LEFT
        }
    }
}

/// What a session leaves goes with it, unless the account's policy keeps it; what was cut short goes
/// in any case. Returns the keeper's exit status.
fn end_leftovers(leftovers: Leftovers, ending: &Ending) -> i32 {
    match (leftovers, ending) {
        (Leftovers::Keep, Ending::Exited(_) | Ending::Killed(_)) => LEFT_RUNNING,
        (Leftovers::Keep, Ending::Revoked | Ending::Interrupted) | (Leftovers::End, _) => {
            let left = children();
            if !left.is_empty() {
                ask_to_end(&left);
            }
            end_all();
            NOTHING_LEFT
        }
    }
}

/// What takes no notice is killed after this.
fn ask_to_end(left: &[Pid]) {
    for signal in [Signal::SIGHUP, Signal::SIGTERM] {
        for pid in left {
            // It may have ended meanwhile.
            let _ = kill(*pid, signal);
        }
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {}
        if children().is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Says on a control socket that there is no session.
pub fn refuse(control: &OwnedFd, reason: &str) {
    if let Ok(control) = control.try_clone() {
        report(&UnixStream::from(control), &Report::NotStarted(reason.to_owned()));
    }
}

fn report(control: &UnixStream, report: &Report) {
    // Nobody there to hear it: then nobody is waiting either.
    let _ = frame::write(&mut &*control, report, MAX_ORDER);
}

fn start(order: &Order, control: &UnixStream, given: &Given, program: &OwnedFd) -> Result<(Pid, SignalFd), String> {
    let fail = |doing: &'static str| move |error: Errno| format!("cannot {doing}: {error}");
    prctl::set_name(c"login-keeper").map_err(fail("name the keeper"))?;
    prctl::set_child_subreaper(true).map_err(fail("become a subreaper"))?;
    let signals = child_signals().map_err(fail("wait for signals"))?;
    let errors = match order.streams {
        // Nobody is there to read what a file session says besides its answers.
        Streams::Socket => Some(nothing().map_err(fail("open /dev/null"))?),
        Streams::Pipes | Streams::Terminal => None,
    };
    // Closes without a word when the program is executed.
    let (failed, say_failed) = pipe2(OFlag::O_CLOEXEC).map_err(fail("make a pipe"))?;
    let keeper = Pid::this();
    match sys::fork_single_threaded().map_err(fail("fork"))? {
        ForkResult::Child => {
            let open = Descriptors { given, errors: errors.as_ref(), program };
            let reason = match become_session(order, open, keeper) {
                Ok(never) => match never {},
                Err(reason) => reason,
            };
            let _ = nix::unistd::write(&say_failed, reason.as_bytes());
            sys::end_child(127)
        }
        ForkResult::Parent { child } => {
            drop(say_failed);
            wait_for_start(child, failed, control).map(|()| (child, signals))
        }
    }
}

/// Until the child has executed its program, has said why it can't, or is wanted no more: it may
/// hang in a home that doesn't answer.
fn wait_for_start(child: Pid, failed: OwnedFd, control: &UnixStream) -> Result<(), String> {
    let mut events = [PollFd::new(failed.as_fd(), PollFlags::POLLIN), PollFd::new(control.as_fd(), PollFlags::POLLIN)];
    while let Ok(0) | Err(Errno::EINTR) = poll(&mut events, PollTimeout::NONE) {}
    if events[1].any() == Some(true) {
        let _ = kill(child, Signal::SIGKILL);
        return Err("it was told to end before it had begun".to_owned());
    }
    let mut reason = String::new();
    // What can't be read is not said; the end of the child is heard of in any case.
    let _ = std::fs::File::from(failed).read_to_string(&mut reason);
    if reason.is_empty() { Ok(()) } else { Err(reason) }
}

fn child_signals() -> nix::Result<SignalFd> {
    sys::reset_signals();
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    for deaf in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        set.add(deaf);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&set), None)?;
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn nothing() -> nix::Result<OwnedFd> {
    open("/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// A session that runs.
struct Watch<'a> {
    order: &'a Order,
    child: Pid,
    control: &'a UnixStream,
    signals: &'a SignalFd,
}

impl Watch<'_> {
    /// Until the session's program ends, or somebody on the control socket wants it to: in a word,
    /// or by the end of whoever is there.
    fn until_end(&self) -> Ending {
        let mut told = None;
        loop {
            if let Some(ending) = reap(self.child) {
                return match told {
                    Some(Farewell::Revoked) => Ending::Revoked,
                    Some(Farewell::Interrupted) => Ending::Interrupted,
                    Some(Farewell::Closed) | None => ending,
                };
            }
            let mut events = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if told.is_none() {
                events.push(PollFd::new(self.control.as_fd(), PollFlags::POLLIN));
            }
            // A signal that came before the poll is in the descriptor.
            let _ = poll(&mut events, PollTimeout::NONE);
            let ordered = events.get(1).and_then(PollFd::any).unwrap_or(false);
            while let Ok(Some(_)) = self.signals.read_signal() {}
            if ordered {
                match heard(self.control) {
                    Word::Signal(number) => self.signal(number),
                    Word::End(farewell) => {
                        told = Some(farewell);
                        end_session(self.child);
                    }
                }
            }
        }
    }

    /// Signals the session's process group as its user, who may not signal what runs as another.
    fn signal(&self, number: u8) {
        let Ok(signal) = Signal::try_from(i32::from(number)) else { return };
        // Without a process for it, the signal is lost, as signals are.
        if let Ok(ForkResult::Child) = sys::fork_single_threaded() {
            let assumed = self.order.identity().assume().is_ok();
            let sent = assumed && kill(Pid::from_raw(-self.child.as_raw()), signal).is_ok();
            sys::end_child(i32::from(!sent));
        }
    }
}

/// What has come on a control socket that is readable or closed.
fn heard(mut control: &UnixStream) -> Word {
    let mut bytes = [0; 2];
    Word::of(control.read_exact(&mut bytes).is_ok().then_some(bytes))
}

/// A login at a terminal, as who(1) and last(1) show it.
struct Login<'a> {
    order: &'a Order,
    line: String,
    pid: Pid,
}

impl<'a> Login<'a> {
    fn of(order: &'a Order, streams: &[OwnedFd], pid: Pid) -> Option<Self> {
        let (Streams::Terminal, [terminal]) = (order.streams, streams) else { return None };
        let path = nix::unistd::ttyname(terminal).ok()?;
        let line = path.strip_prefix("/dev").ok()?.to_str()?.to_owned();
        Some(Self { order, line, pid })
    }

    fn record(&self, event: Event) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let (user, source) = (self.order.user.as_str(), self.order.source);
        logins::record(&logins::Login { user, pid: self.pid.as_raw(), line: &self.line, source }, event, now);
    }
}

/// Collects whatever has ended; says how the session's own program did, if it was among them.
fn reap(child: Pid) -> Option<Ending> {
    let mut ending = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => ending = Some(Ending::Exited(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => ending = Some(Ending::Killed(signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return ending,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return ending,
        }
    }
}

/// Asks first, insists soon.
fn end_session(child: Pid) {
    for signal in [Signal::SIGHUP, Signal::SIGTERM] {
        // The group may have gone already; what is left of the session is found afterwards.
        let _ = kill(Pid::from_raw(-child.as_raw()), signal);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if kill(Pid::from_raw(-child.as_raw()), None).is_err() || has_ended(child) {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = kill(Pid::from_raw(-child.as_raw()), Signal::SIGKILL);
}

/// Whether the child is there only to be collected.
fn has_ended(child: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let status = nix::sys::wait::waitid(nix::sys::wait::Id::Pid(child), flags);
    matches!(status, Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)))
}

/// Kills every descendant that is left. Each that dies hands its children to this process, so
/// this goes on until there is none.
fn end_all() {
    loop {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        match waitpid(None, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_that_hangs_before_its_program_is_ended_when_it_is_wanted_no_more() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let (failed, _say_failed) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (control, server) = UnixStream::pair().unwrap();
        drop(server);
        wait_for_start(pid, failed, &control).unwrap_err();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_program_has_started_when_nothing_is_said_and_has_not_when_something_is() {
        let (control, _server) = UnixStream::pair().unwrap();
        let (failed, say_failed) = pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(say_failed);
        assert_eq!(wait_for_start(Pid::this(), failed, &control), Ok(()));
        let (failed, say_failed) = pipe2(OFlag::O_CLOEXEC).unwrap();
        nix::unistd::write(&say_failed, b"no home").unwrap();
        drop(say_failed);
        assert_eq!(wait_for_start(Pid::this(), failed, &control), Err("no home".to_owned()));
    }
}
