//! Ending the processes of a uid (proc(5)): SIGTERM, some time, SIGKILL.
//!
//! A process is opened first and looked at then, so that a signal reaches the one that was looked
//! at, or none. It is the account's if its real uid is: programs with setuid bits that the user has
//! started are, services of root that act for the user for a while, such as smbd(8), are not.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use accountd_protocol::id::Uid;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::sys::pidfd;

/// How long they have to end by themselves.
const GRACE: Duration = Duration::from_secs(3);
/// How long the kernel has to end what was killed.
const KILLED: Duration = Duration::from_secs(2);
/// A process may make another one while it is being killed; for so long it is looked again.
const PATIENCE: Duration = Duration::from_secs(10);
const PROC: &str = "/proc";
const ZOMBIE: &str = "Z";

/// What has become of the processes of a uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub ended: u64,
    /// They could not be killed: waiting for a disk, as a rule.
    pub left: u64,
}

/// Ends every process whose real uid this is. Never to be called with one that is not one account's
/// alone; of root's, nothing is ended.
pub fn end_all(uid: Uid) -> io::Result<Outcome> {
    if uid == Uid::ROOT {
        return Err(io::Error::other("processes of root are not ended"));
    }
    let mut ended = 0;
    let mut running = of_uid(uid)?;
    let told = running.len();
    signal_all(&running, Signal::SIGTERM)?;
    wait(&mut running, GRACE)?;
    ended += count(told - running.len());
    let end = Instant::now() + PATIENCE;
    loop {
        running = of_uid(uid)?;
        if running.is_empty() || Instant::now() > end {
            return Ok(Outcome { ended, left: count(running.len()) });
        }
        let killed = running.len();
        signal_all(&running, Signal::SIGKILL)?;
        wait(&mut running, KILLED)?;
        ended += count(killed - running.len());
    }
}

fn count(number: usize) -> u64 {
    number as u64
}

/// Those that run now.
fn of_uid(uid: Uid) -> io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(PROC)? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let process = match pidfd::open(pid) {
            Err(Errno::ESRCH) => continue,
            process => process?,
        };
        // What can't be read has ended.
        let Ok(status) = fs::read_to_string(format!("{PROC}/{pid}/status")) else { continue };
        if runs_as(&status, uid) {
            found.push(process);
        }
    }
    Ok(found)
}

fn runs_as(status: &str, uid: Uid) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    field("State:") != Some(ZOMBIE) && field("Uid:").and_then(|real| real.parse().ok()) == Some(uid.0)
}

fn signal_all(processes: &[OwnedFd], signal: Signal) -> io::Result<()> {
    for process in processes {
        match pidfd::send_signal(process, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Until all have ended, at most `limit`; leaves those that have not.
fn wait(processes: &mut Vec<OwnedFd>, limit: Duration) -> io::Result<()> {
    let end = Instant::now() + limit;
    while let Some(first) = processes.first() {
        let left = end.saturating_duration_since(Instant::now());
        let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(first.as_fd(), PollFlags::POLLIN)], patience) {
            Err(Errno::EINTR) => continue,
            ready => _ = ready?,
        }
        processes.retain(|process| !pidfd::has_ended(process));
        if left.is_zero() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_its_real_users_as_long_as_it_runs() {
        let status =
            |state: &str, uids: &str| format!("Name:\tUid: 7\nUmask:\t0022\nState:\t{state}\nUid:\t{uids}\nGid:\t7\n");
        assert!(runs_as(&status("S (sleeping)", "3001\t0\t0\t0"), Uid(3001)));
        assert!(!runs_as(&status("S (sleeping)", "0\t3001\t0\t3001"), Uid(3001)));
        assert!(!runs_as(&status("Z (zombie)", "3001\t3001\t3001\t3001"), Uid(3001)));
        assert!(!runs_as("", Uid(0)));
    }

    /// Whoever ignores SIGTERM says so when it does.
    fn start(uid: u32, script: &str) -> Child {
        let id = uid.to_string();
        let line = ["--reuid", &id, "--regid", &id, "--clear-groups", "sh", "-c", script];
        let mut child = Command::new("setpriv").args(line).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 1];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        child
    }

    #[test]
    fn all_of_a_uid_end_and_nobody_elses() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let mut hers =
            [start(47_111, "echo; exec sleep 600"), start(47_111, "trap '' TERM; echo; sleep 600; sleep 600")];
        let mut other = start(47_112, "echo; exec sleep 600");
        let outcome = end_all(Uid(47_111)).unwrap();
        assert_eq!(outcome.left, 0);
        // The second one's sleep ends by SIGTERM, and the next is made.
        assert!(outcome.ended >= 3, "{outcome:?}");
        for child in &mut hers {
            assert!(!child.wait().unwrap().success());
        }
        assert_eq!(other.try_wait().unwrap(), None);
        assert_eq!(end_all(Uid(47_111)).unwrap(), Outcome { ended: 0, left: 0 });
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(end_all(Uid::ROOT).is_err());
    }
}
