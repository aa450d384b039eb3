//! The process that leads a session of another program (sshd, login, su), and the end of it with all that it has
//! started: SIGHUP, some time, SIGKILL. Which processes these are, proc(5) says.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::sys::pidfd;

/// How long processes have to end by themselves, and how long the kernel has to end what was killed.
const GRACE: Duration = Duration::from_secs(2);
const KILLED: Duration = Duration::from_secs(2);
/// A process may make others while it is being ended; so often it is looked again.
const ROUNDS: usize = 3;

/// Is one process and no later one of its number.
#[derive(Debug)]
pub struct Leader {
    pub pid: i32,
    /// In clock ticks since the machine has started (proc(5), `stat`).
    pub started: u64,
    process: OwnedFd,
}

/// What proc(5) says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    is_zombie: bool,
    started: u64,
}

impl Leader {
    /// The process that has this number now.
    pub fn of(pid: i32) -> io::Result<Self> {
        let process = pidfd::open(pid)?;
        let stat = stat_of(pid).ok_or(Errno::ESRCH)?;
        Ok(Self { pid, started: stat.started, process })
    }

    /// The same one as before; `None` where it has ended.
    pub fn again(pid: i32, started: u64) -> Option<Self> {
        Self::of(pid).ok().filter(|leader| leader.started == started && !leader.has_ended())
    }

    pub fn has_ended(&self) -> bool {
        has_ended(&self.process)
    }
}

/// Ends these leaders and whatever they have started, as far as it has a parent among them still.
pub fn end_all(leaders: &[&Leader]) {
    for round in 0..ROUNDS {
        let mut running = with_descendants(leaders);
        if running.is_empty() {
            return;
        }
        // One that is new since does not get the time of those that were asked to end.
        if round == 0 {
            signal_all(&running, Signal::SIGHUP);
            // A process that was stopped hears nothing before it goes on.
            signal_all(&running, Signal::SIGCONT);
            wait(&mut running, GRACE);
            let new = with_descendants(leaders);
            running.extend(new);
        }
        signal_all(&running, Signal::SIGKILL);
        wait(&mut running, KILLED);
    }
}

/// Looked for anew each time, from the leaders down. What a leader that has ended has left has another parent.
fn with_descendants(leaders: &[&Leader]) -> Vec<OwnedFd> {
    let all = processes();
    let living = leaders.iter().filter(|leader| !leader.has_ended());
    let mut found: HashSet<i32> = living.map(|leader| leader.pid).collect();
    let mut new: Vec<i32> = found.iter().copied().collect();
    while let Some(parent) = new.pop() {
        let children = all.iter().filter(|(pid, stat)| stat.parent == parent && !found.contains(pid));
        let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
        found.extend(&children);
        new.extend(children);
    }
    let open = |pid: &i32| {
        let process = pidfd::open(*pid).ok()?;
        // Opened first and looked at then: it is the one that was found, or none.
        let before = all.get(pid)?;
        stat_of(*pid).is_some_and(|now| now.started == before.started && !now.is_zombie).then_some(process)
    };
    found.iter().filter_map(open).collect()
}

fn processes() -> HashMap<i32, Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter_map(|pid| Some((pid, stat_of(pid)?))).collect()
}

fn stat_of(pid: i32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of a program, in the second field, may have anything in it.
fn parse(stat: &str) -> Option<Stat> {
    let (_, behind_the_name) = stat.rsplit_once(')')?;
    let mut fields = behind_the_name.split_whitespace();
    let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
    // The 22nd of all.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, is_zombie: matches!(state, "Z" | "X"), started })
}

/// What has ended meanwhile needs no signal.
fn signal_all(processes: &[OwnedFd], signal: Signal) {
    for process in processes {
        match pidfd::send_signal(process, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(%error, "a process of a session that has to end can not be told so"),
        }
    }
}

/// Until all have ended, at most `limit`; leaves those that have not.
fn wait(processes: &mut Vec<OwnedFd>, limit: Duration) {
    let end = Instant::now() + limit;
    processes.retain(|process| !has_ended(process));
    while let Some(first) = processes.first() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        // An interruption is looked at like an end.
        let _ = poll(&mut [PollFd::new(first.as_fd(), PollFlags::POLLIN)], patience);
        processes.retain(|process| !has_ended(process));
    }
}

/// A pidfd can be read from when its process has ended.
fn has_ended(process: &OwnedFd) -> bool {
    let mut events = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut events, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn the_name_of_a_program_may_look_like_its_fields() {
        let rest = "1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9";
        let stat = parse(&format!("77 (a) R 1) S {rest}")).unwrap();
        assert_eq!(stat, Stat { parent: 1, is_zombie: false, started: 12345 });
        assert!(parse(&format!("77 (a) Z {rest}")).unwrap().is_zombie);
        assert_eq!(parse("77 (a"), None);
        assert_eq!(parse("77 (a) S 1 2"), None);
    }

    /// Says the number of its own child, which ignores SIGHUP, and waits for it.
    fn start() -> (Child, i32) {
        let script = "sh -c 'trap \"\" HUP; echo $$; sleep 600; sleep 600' & wait";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (child, line.trim().parse().unwrap())
    }

    #[test]
    fn a_leader_ends_with_what_it_has_started_and_nobody_else() {
        let ((mut first, inner), (mut other, _)) = (start(), start());
        let leader = Leader::of(i32::try_from(first.id()).unwrap()).unwrap();
        let inner = Leader::of(inner).unwrap();
        assert!(Leader::again(leader.pid, leader.started).is_some());
        assert!(Leader::again(leader.pid, leader.started + 1).is_none());
        end_all(&[&leader]);
        assert!(leader.has_ended() && inner.has_ended());
        assert!(!first.wait().unwrap().success());
        assert_eq!(other.try_wait().unwrap(), None);
        assert!(Leader::again(leader.pid, leader.started).is_none());
        end_all(&[&Leader::of(i32::try_from(other.id()).unwrap()).unwrap()]);
        other.wait().unwrap();
    }
}
