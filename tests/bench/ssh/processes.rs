//! What processes and all their descendants cost.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

/// A control group of a server and of whatever it starts (cgroups(7)), which also counts what has
/// ended and was waited for by nobody.
#[derive(Debug)]
pub struct Meter {
    directory: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    /// `cpuacct.usage`, nanoseconds.
    One,
    /// `cpu.stat`, microseconds.
    Two,
}

impl Meter {
    /// Moves the processes and their descendants into a new group.
    pub fn new(name: &str, roots: &[Pid]) -> Self {
        let (parent, version) = [("/sys/fs/cgroup/cpuacct", Version::One), ("/sys/fs/cgroup", Version::Two)]
            .into_iter()
            .find(|(parent, _)| Path::new(parent).join("cgroup.procs").exists())
            .expect("there are control groups");
        let directory = Path::new(parent).join(format!("accountd-bench-{}-{name}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        for pid in family(roots) {
            fs::write(directory.join("cgroup.procs"), pid.to_string()).unwrap();
        }
        Self { directory, version }
    }

    /// User and system time in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let number = |text: &str| text.trim().parse::<f64>().unwrap();
        match self.version {
            Version::One => number(&fs::read_to_string(self.directory.join("cpuacct.usage")).unwrap()) / 1e9,
            Version::Two => {
                let text = fs::read_to_string(self.directory.join("cpu.stat")).unwrap();
                number(text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap()) / 1e6
            }
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        // It goes when its processes have.
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Memory in KiB, what is shared counted in parts (PSS, proc_pid_smaps(5)).
pub fn memory_kib(roots: &[Pid]) -> f64 {
    let pss = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    family(roots).into_iter().filter_map(pss).sum()
}

fn family(roots: &[Pid]) -> Vec<i32> {
    let mut parents: HashMap<i32, i32> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // Behind the name in parentheses: state, parent (proc_pid_stat(5)).
        let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
        parents.insert(pid, parent);
    }
    let belongs = |mut pid: i32| loop {
        if roots.contains(&Pid::from_raw(pid)) {
            return true;
        }
        match parents.get(&pid) {
            Some(parent) if *parent > 0 => pid = *parent,
            Some(_) | None => return false,
        }
    };
    parents.keys().copied().filter(|pid| belongs(*pid)).collect()
}
