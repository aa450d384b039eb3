//! What a program writes and syncs, counted by strace(1).

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::wait_for;

/// Of files; sockets and pipes are not counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub syncs: usize,
    pub bytes: u64,
}

/// strace with its log in `log`; what it runs or watches is still to be said.
pub fn strace(log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-q",
        "-y",
        "-e",
        "trace=write,pwrite64,writev,fsync,fdatasync,copy_file_range",
        "-e",
        "signal=none",
    ]);
    command.args(["-s", "0", "-o"]).arg(log);
    command
}

/// What `process` writes while `work` runs.
pub fn attached(process: Pid, log: &Path, work: impl FnOnce()) -> Written {
    let mut tracer = strace(log).args(["-p", &process.to_string()]).stderr(Stdio::null()).spawn().unwrap();
    let attached = format!("TracerPid:\t{}\n", tracer.id());
    wait_for("strace to be attached to every thread", || {
        let mut tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
        tasks.all(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap().contains(&attached))
    });
    work();
    kill(Pid::from_raw(i32::try_from(tracer.id()).unwrap()), Signal::SIGINT).unwrap();
    tracer.wait().unwrap();
    count(&std::fs::read_to_string(log).unwrap())
}

/// Adds up the calls on files: `1234 write(5</etc/passwd+>, ""..., 4096) = 4096`.
pub fn count(log: &str) -> Written {
    log.lines().fold(Written::default(), |mut sum, line| {
        let on_file = line.split_once('<').is_some_and(|(_, path)| path.starts_with('/') && !path.starts_with("/dev/"));
        let result = line.rsplit_once(" = ").and_then(|(_, result)| result.split(' ').next()?.parse::<u64>().ok());
        if let (true, Some(result)) = (on_file, result) {
            if line.contains("sync(") { sum.syncs += 1 } else { sum.bytes += result }
        }
        sum
    })
}
