//! The calls of the agent that go to files, and strace(1) attached to it.
//!
//! strace counts `when=N` for each thread by itself, and only from when it is attached. So a
//! place is a thread, a call and a number, and only the threads of that place are traced:
//!
//! - the writer, in which all commits happen;
//! - the threads of connections, in which homes are prepared. They are several, but a client
//!   that asks one thing at a time is served by one of them;
//! - the threads of jobs, where the same is done for a batch;
//! - for the children that work in homes strace has to follow every thread. There the N-th call
//!   of a child fails, and of any thread that gets so far; a child has few calls.
//!
//! The thread that watches `/etc` is never traced: it only looks, and when it does is chance.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::wait_for;

/// What is done to a call before the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// kill -9 of the process that makes the call.
    Kill,
    /// The call fails with this error and has done nothing.
    Error(&'static str),
}

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    Request,
    Job,
    Writer,
    Child,
}

/// Whether a call could change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    Looks,
    Changes,
}

/// A call that goes to a file: the `number`-th of its name by that actor in a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub actor: Actor,
    pub name: String,
    pub number: usize,
    pub effect: Effect,
    /// The file as strace shows it, for reports.
    pub what: String,
}

const TRACED: &str = "trace=/^(open|openat|openat2|creat|rename|renameat|renameat2|link|linkat|unlink|unlinkat|mkdir|\
                      mkdirat|rmdir|symlink|symlinkat|readlink|readlinkat|write|writev|pwrite64|pwritev|read|readv|\
                      pread64|preadv|copy_file_range|sendfile|fsync|fdatasync|sync_file_range|syncfs|truncate|\
                      ftruncate|fallocate|chown|lchown|fchown|fchownat|chmod|fchmod|fchmodat|fchmodat2|setxattr|\
                      lsetxattr|fsetxattr|getxattr|lgetxattr|fgetxattr|listxattr|llistxattr|flistxattr|\
                      removexattr|lremovexattr|fremovexattr|stat|lstat|fstat|newfstatat|statx|access|faccessat|\
                      faccessat2|getdents64|fcntl|flock|utimensat|statfs|fstatfs|lseek|execve)$";
const SAMBA: [&str; 2] = ["/smbstatus\"", "/smbcontrol\""];
const LOOKING: [&str; 24] = [
    "readlink",
    "readlinkat",
    "read",
    "readv",
    "pread64",
    "preadv",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "getdents64",
    "statfs",
    "fstatfs",
    "lseek",
];

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill => out.write_str("KILL"),
            Fault::Error(name) => out.write_str(name),
        }
    }
}

/// strace, attached to threads of the agent.
#[derive(Debug)]
pub struct Strace {
    child: Child,
    output: PathBuf,
}

impl Strace {
    /// Notes every call of every thread and of its children.
    pub fn note(agent: Pid, output: &Path) -> Self {
        Self::attach(agent, &[], &["-f", "-y", "-e", TRACED], output)
    }

    /// Lets `fault` happen at `call`.
    pub fn inject(agent: Pid, call: &Call, fault: Fault, output: &Path) -> Self {
        let Call { name, number, .. } = call;
        let how = match fault {
            Fault::Kill => "signal=KILL".to_owned(),
            Fault::Error(error) => format!("error={error}"),
        };
        let (trace, inject) = (format!("trace={name}"), format!("inject={name}:{how}:when={number}"));
        let options = ["-y", "-e", &trace, "-e", &inject];
        match call.actor {
            Actor::Writer => Self::attach(agent, &threads(agent, "writer"), &options, output),
            Actor::Request => Self::attach(agent, &threads(agent, "connection"), &options, output),
            Actor::Job => Self::attach(agent, &threads(agent, "job"), &options, output),
            Actor::Child => Self::attach(agent, &[], &[&["-f"], &options[..]].concat(), output),
        }
    }

    /// To these threads, or to all.
    fn attach(agent: Pid, threads: &[Pid], options: &[&str], output: &Path) -> Self {
        let mut command = Command::new("strace");
        command.arg("-qq").args(options).arg("-o").arg(output);
        let process = [agent];
        for thread in if threads.is_empty() { &process } else { threads } {
            command.args(["-p", &thread.to_string()]);
        }
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let tracer = format!("TracerPid:\t{}\n", child.id());
        // One that has ended since it was looked for has nothing to be traced.
        let is_traced = |thread: &Pid| {
            let status = fs::read_to_string(format!("/proc/{agent}/task/{thread}/status"));
            status.map_or(true, |status| status.contains(&tracer))
        };
        let all = || if threads.is_empty() { tasks(agent) } else { threads.to_vec() };
        wait_for("strace to be attached", || all().iter().all(is_traced));
        Self { child, output: output.to_owned() }
    }

    /// Lets go of what is traced, and gives what was noted. The kernel does the first when the
    /// tracer dies (ptrace(2)); asked to end, it could wait for a thread that never stops.
    pub fn end(mut self) -> String {
        // It has ended by itself when what it traced has.
        let _ = self.child.kill();
        self.child.wait().unwrap();
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Like [`Strace::end`], once everything is written: what is noted comes late otherwise.
    pub fn finish(mut self) -> String {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
        wait_for("strace to end", || self.child.try_wait().unwrap().is_some());
        self.end()
    }
}

fn tasks(agent: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{agent}/task")).unwrap().map(|task| task.unwrap().file_name());
    tasks.map(|name| Pid::from_raw(name.to_str().unwrap().parse().unwrap())).collect()
}

/// The threads of the agent with a name.
fn threads(agent: Pid, name: &str) -> Vec<Pid> {
    let named =
        |task: &Pid| fs::read_to_string(format!("/proc/{agent}/task/{task}/comm")).unwrap_or_default().trim() == name;
    let found: Vec<Pid> = tasks(agent).into_iter().filter(named).collect();
    assert!(!found.is_empty(), "the agent has no thread called {name}");
    found
}

/// Whether a fault has met one of SQLite's locks in shared memory instead of the call that was meant:
/// how many there are before it differs from run to run.
pub fn met_shared_memory(noted: &str) -> bool {
    noted.lines().any(|line| line.contains("INJECTED") && line.contains("-shm>"))
}

/// The calls to files that strace has noted; `agent` is still the same process.
pub fn calls(agent: Pid, noted: &str) -> Vec<Call> {
    let [writers, connections, jobs] = ["writer", "connection", "job"].map(|name| threads(agent, name));
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut children: Vec<&str> = Vec::new();
    let mut found: BTreeMap<(Actor, String, usize), Call> = BTreeMap::new();
    for (thread, text) in noted.lines().filter_map(|line| line.split_once(' ')) {
        let Some((name, arguments)) = text.trim_start().split_once('(') else { continue };
        if name.contains(' ') || name.starts_with(['<', '+', '-']) {
            continue;
        }
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        if name == "execve" {
            // What the new program does is counted with what the fork did before. What Samba's programs
            // do in files of their own is not looked at: they are many calls, and no part of a change.
            if !SAMBA.iter().any(|program| arguments.contains(program)) {
                children.push(thread);
            }
            continue;
        }
        let number = Pid::from_raw(thread.parse().unwrap());
        let actor = match () {
            () if writers.contains(&number) => Actor::Writer,
            () if connections.contains(&number) => Actor::Request,
            () if jobs.contains(&number) => Actor::Job,
            () if children.contains(&thread) => Actor::Child,
            () => continue,
        };
        if let Some(effect) = effect_on_a_file(name, arguments) {
            let call = Call { actor, name: name.to_owned(), number: *count, effect, what: shown(arguments) };
            found.entry((actor, name.to_owned(), *count)).or_insert(call);
        }
    }
    found.into_values().collect()
}

/// `None` for a call that goes to no file: to a socket, a pipe, the kernel.
fn effect_on_a_file(name: &str, arguments: &str) -> Option<Effect> {
    let first = arguments.split(',').next().unwrap_or_default();
    let is_path = first.starts_with('"') || first.starts_with("AT_FDCWD") || first.contains("</");
    let is_the_systems = ["/proc/", "/sys/", "/dev/", "/usr/", "/lib"].iter().any(|part| {
        arguments.split('"').nth(1).is_some_and(|path| path.starts_with(part)) || first.contains(&format!("<{part}"))
    });
    // Rust asks for the flags of descriptors that it closes, in builds with debug assertions.
    // SQLite's locks in shared memory: giving one back touches no disk and does not fail, and SQLite
    // would hold one that did against its own process.
    let is_shared_memory = name == "fcntl" && first.contains("-shm");
    // Where `make coverage` counts: no part of a change.
    let is_a_count = arguments.contains(".profraw");
    if !is_path || is_the_systems || is_shared_memory || is_a_count || (name == "fcntl" && !arguments.contains("LK")) {
        return None;
    }
    let opens = matches!(name, "open" | "openat" | "openat2");
    let writes = ["O_CREAT", "O_WRONLY", "O_RDWR"].iter().any(|flag| arguments.contains(flag));
    Some(if LOOKING.contains(&name) || (opens && !writes) { Effect::Looks } else { Effect::Changes })
}

fn shown(arguments: &str) -> String {
    arguments.split(", {").next().unwrap_or_default().chars().take(70).collect()
}
