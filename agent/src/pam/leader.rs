//! The process that leads a session of another program (sshd, login, su), and the end of it with all that it has
//! started: stopped, until all of it is found; SIGHUP and SIGTERM, some time, SIGKILL. Which processes these are, proc(5) says.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::sys::pidfd;

/// How long processes have to end by themselves, and how long the kernel has to end what was killed. su(1) takes two
/// seconds.
const GRACE: Duration = Duration::from_secs(3);
const KILLED: Duration = Duration::from_secs(2);
/// How long processes have to be stopped before what they have started is taken for all.
const STOPPED: Duration = Duration::from_millis(500);
const GOING_ON: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(2);

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
    /// Stopped, or at its end.
    is_still: bool,
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
        pidfd::has_ended(&self.process)
    }
}

/// Ends these leaders and whatever they have started, as far as it has a parent among them still.
pub fn end_all(leaders: &[&Leader]) {
    let own = |leader: &&Leader| Some((leader.pid, leader.process.try_clone().ok()?));
    let mut running = Running(leaders.iter().filter_map(own).collect());
    running.forget_ended();
    running.stop();
    // Shells end by the one, programs that wait for a shell by the other, and close their session then.
    running.signal(Signal::SIGHUP);
    running.signal(Signal::SIGTERM);
    let end = Instant::now() + GRACE;
    while !running.0.is_empty() && Instant::now() < end {
        // su(1) stops itself once more when it hears that its shell was stopped.
        running.signal(Signal::SIGCONT);
        running.wait(GOING_ON);
    }
    // What those that live on have started since.
    running.stop();
    running.signal(Signal::SIGKILL);
    running.wait(KILLED);
    if !running.0.is_empty() {
        tracing::warn!(processes = running.0.len(), "processes of a session that has to end can not be killed");
    }
}

/// Processes by their numbers, as long as they have not ended.
#[derive(Debug, Default)]
struct Running(HashMap<i32, OwnedFd>);

impl Running {
    /// Stops them, so that none starts another one and ends before that is seen; and so all that they have started.
    fn stop(&mut self) {
        let end = Instant::now() + STOPPED;
        loop {
            self.signal(Signal::SIGSTOP);
            let all = processes();
            let are_still = self.0.keys().all(|pid| all.get(pid).is_none_or(|stat| stat.is_still));
            let new = descendants(&all, self.0.keys().copied().collect());
            let new: HashSet<i32> = new.into_iter().filter(|pid| !self.0.contains_key(pid)).collect();
            if (new.is_empty() && are_still) || Instant::now() > end {
                return;
            }
            self.add(new, &all);
            std::thread::sleep(LOOK);
            self.forget_ended();
        }
    }

    /// Opened first and looked at then: it is the one that was found, or none.
    fn add(&mut self, new: HashSet<i32>, all: &HashMap<i32, Stat>) {
        for pid in new {
            let Ok(process) = pidfd::open(pid) else { continue };
            let started = |stat: &Stat| stat.started;
            if stat_of(pid).as_ref().map(started) == all.get(&pid).map(started) {
                self.0.insert(pid, process);
            }
        }
    }

    /// What has ended meanwhile needs none.
    fn signal(&self, signal: Signal) {
        for process in self.0.values() {
            match pidfd::send_signal(process, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => tracing::warn!(%error, "a process of a session that has to end can not be told so"),
            }
        }
    }

    /// Until all have ended, at most `limit`.
    fn wait(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        self.forget_ended();
        while let Some(first) = self.0.values().next() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            // An interruption is looked at like an end.
            let _ = poll(&mut [PollFd::new(first.as_fd(), PollFlags::POLLIN)], patience);
            self.forget_ended();
        }
    }

    fn forget_ended(&mut self) {
        self.0.retain(|_, process| !pidfd::has_ended(process));
    }
}

/// These, and all that have a parent among them.
fn descendants(all: &HashMap<i32, Stat>, mut found: HashSet<i32>) -> HashSet<i32> {
    let mut new: Vec<i32> = found.iter().copied().collect();
    while let Some(parent) = new.pop() {
        let children = all.iter().filter(|(pid, stat)| stat.parent == parent && !found.contains(pid));
        let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
        found.extend(&children);
        new.extend(children);
    }
    found
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
    Some(Stat { parent, is_still: matches!(state, "T" | "t" | "Z" | "X"), started })
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
        assert_eq!(stat, Stat { parent: 1, is_still: false, started: 12345 });
        assert!(parse(&format!("77 (a) Z {rest}")).unwrap().is_still);
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
