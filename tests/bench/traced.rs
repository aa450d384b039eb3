//! What a program writes and syncs, counted by strace(1).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::wait_for;

const CALLS: &str = "trace=write,pwrite64,writev,fsync,fdatasync,copy_file_range";

/// Of files; sockets and pipes are not counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub syncs: usize,
    pub bytes: u64,
}

/// strace with a log for each thread in `directory`; what it runs or watches is still to be said.
pub fn strace(directory: &Path) -> Command {
    fs::create_dir_all(directory).unwrap();
    let mut command = Command::new("strace");
    command.args(["-ff", "-q", "-y", "-s", "0", "-e", "signal=none", "-e", CALLS, "-o"]).arg(directory.join("of"));
    command
}

/// What `process` writes while `work` runs.
pub fn attached(process: Pid, directory: &Path, work: impl FnOnce()) -> Written {
    let mut tracer = strace(directory).args(["-p", &process.to_string()]).stderr(Stdio::null()).spawn().unwrap();
    let attached = format!("TracerPid:\t{}\n", tracer.id());
    wait_for("strace to be attached to every thread", || {
        let mut tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        tasks.all(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap().contains(&attached))
    });
    work();
    kill(Pid::from_raw(i32::try_from(tracer.id()).unwrap()), Signal::SIGINT).unwrap();
    tracer.wait().unwrap();
    count(directory)
}

/// Adds up the logs in `directory` and removes them.
pub fn count(directory: &Path) -> Written {
    let logs = fs::read_dir(directory).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let sum = logs.fold(Written::default(), |sum, log| sum.and(&log));
    fs::remove_dir_all(directory).unwrap();
    sum
}

impl Written {
    /// With the calls on files of one log: `write(5</etc/passwd+>, ""..., 4096) = 4096`.
    fn and(self, log: &str) -> Self {
        log.lines().fold(self, |mut sum, line| {
            let file = line.split_once('<').map(|(_, path)| path).filter(|path| path.starts_with('/'));
            let result = line.rsplit_once(" = ").and_then(|(_, result)| result.split(' ').next()?.parse::<u64>().ok());
            if let (Some(path), Some(result)) = (file, result)
                && !path.starts_with("/dev/")
            {
                if line.contains("sync(") { sum.syncs += 1 } else { sum.bytes += result }
            }
            sum
        })
    }
}
