//! Sessions of Samba: which processes of smbd(8) serve an account (smbstatus(1)), and their end
//! (smbcontrol(1)). One process serves one client machine; whoever else is logged in from there over
//! the same connection has to connect anew.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use accountd_protocol::id::Uid;

/// How long one of the programs may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the processes have to end.
const END: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum SambaError {
    #[error("{program} can not be run: {source}")]
    Run { program: &'static str, source: io::Error },
    #[error("{0} gave no answer")]
    Silent(&'static str),
    #[error("{program} failed: {message}")]
    Failed { program: &'static str, message: String },
    #[error("{0} sessions do not end")]
    Left(usize),
}

/// Ends them, and gives how many there were; `None` where Samba is not installed, or serves nobody.
pub fn end_all(uid: Uid) -> Result<Option<u64>, SambaError> {
    if !is_running() {
        return Ok(None);
    }
    let Some(first) = sessions(uid)? else { return Ok(None) };
    let (mut all, mut left) = (first.clone(), first);
    let end = Instant::now() + END;
    while !left.is_empty() {
        for process in &left {
            // One that has ended by itself meanwhile is no failure: it is looked again.
            run("smbcontrol", &[process, "shutdown"])?;
        }
        std::thread::sleep(LOOK);
        left = sessions(uid)?.unwrap_or_default();
        all.extend(left.iter().cloned());
        if Instant::now() > end && !left.is_empty() {
            return Err(SambaError::Left(left.len()));
        }
    }
    Ok(Some(all.len() as u64))
}

/// Whether there is a process of smbd(8). To look takes a millisecond, to run smbstatus(1) thirty: most of
/// a deletion.
fn is_running() -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    processes
        .flatten()
        .any(|entry| std::fs::read(entry.path().join("comm")).is_ok_and(|name| name.starts_with(b"smbd")))
}

fn sessions(uid: Uid) -> Result<Option<BTreeSet<String>>, SambaError> {
    let Some(Said { text, ok }) = run("smbstatus", &["--processes", "--numeric"])? else { return Ok(None) };
    if ok { Ok(Some(of_uid(&text, uid))) } else { Err(SambaError::Failed { program: "smbstatus", message: text }) }
}

/// The processes in a table of smbstatus whose second column is this uid. The first one is the
/// number, in a cluster with that of the node before it.
fn of_uid(table: &str, uid: Uid) -> BTreeSet<String> {
    let row = |line: &str| {
        let mut columns = line.split_whitespace();
        let (process, owner) = (columns.next()?, columns.next()?);
        let is_process = process.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        (is_process && owner.parse() == Ok(uid.0)).then(|| process.to_owned())
    };
    table.lines().filter_map(row).collect()
}

struct Said {
    text: String,
    ok: bool,
}

/// `None` where there is no such program.
fn run(program: &'static str, arguments: &[&str]) -> Result<Option<Said>, SambaError> {
    let spawned = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spawned => spawned.map_err(|source| SambaError::Run { program, source })?,
    };
    let (said, heard) = channel();
    let output = child.stdout.take();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.map_or(Ok(0), |mut output| output.read_to_end(&mut text));
        // Nobody waits any more after the limit.
        let _ = said.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()));
    });
    let heard = heard.recv_timeout(PATIENCE);
    if heard.is_err() {
        // It may have ended just now.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|source| SambaError::Run { program, source })?;
    let text = heard.map_err(|_| SambaError::Silent(program))?;
    Ok(Some(Said { text: text.map_err(|source| SambaError::Run { program, source })?, ok: status.success() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
Samba version 4.17.12-Debian
PID     Username     Group        Machine                                   Protocol Version  Encryption           Signing
----------------------------------------------------------------------------------------------------------------------------------------
1234    3001         3001         127.0.0.1 (ipv4:127.0.0.1:45678)          SMB3_11           -                    partial(AES-128-GMAC)
1234    3001         3001         127.0.0.1 (ipv4:127.0.0.1:45678)          SMB3_11           -                    partial(AES-128-GMAC)
1:77    3001         3001         10.0.0.7 (ipv4:10.0.0.7:50000)            SMB3_11           -                    -
99      30011        3001         3001 (ipv4:10.0.0.8:50000)                SMB3_11           -                    -
98      -1           -1           10.0.0.9 (ipv4:10.0.0.9:50000)            SMB3_11           -                    -
";

    #[test]
    fn each_process_that_serves_the_uid_is_found_once() {
        assert_eq!(of_uid(TABLE, Uid(3001)), BTreeSet::from(["1234".to_owned(), "1:77".to_owned()]));
        assert_eq!(of_uid(TABLE, Uid(4)), BTreeSet::new());
        assert_eq!(of_uid("", Uid(0)), BTreeSet::new());
    }

    #[test]
    fn a_program_that_is_not_there_is_no_failure() {
        assert!(run("accountd-no-such-program", &[]).unwrap().is_none());
        assert!(run("false", &[]).unwrap().is_some_and(|said| !said.ok));
    }
}
