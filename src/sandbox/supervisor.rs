//! Starts the four programs in their order, keeps them running, ends them together.
//!
//! A program that dies is started again after a moment, as a service manager would. While
//! `/run/accountd/NAME.hold` exists, NAME is not: so that a test can look at what a dead agent
//! leaves behind.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::os::fd::AsFd;
use tracing::warn;

use super::administrator;
use super::error::SandboxError;
use super::programs::Programs;
use super::sys;

const RUN: &str = "/run/accountd";
const READY_DEADLINE: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);
const RESTART_PAUSE: Duration = Duration::from_millis(100);

pub struct Options {
    pub api_listen: SocketAddr,
    pub ssh_listen: SocketAddr,
    pub quiet: bool,
    /// The scratch root, as it is called outside.
    pub root: PathBuf,
    /// The administrator's, where the sandbox is new.
    pub new_password: Option<String>,
    /// How this program was called.
    pub program: String,
}

/// The programs, in the order in which they are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Agent,
    Login,
    Ssh,
    Api,
}

impl Name {
    const ALL: [Name; 4] = [Name::Agent, Name::Login, Name::Ssh, Name::Api];

    fn text(self) -> &'static str {
        match self {
            Name::Agent => "agent",
            Name::Login => "login",
            Name::Ssh => "ssh",
            Name::Api => "api",
        }
    }

    fn file(self, ending: &str) -> PathBuf {
        Path::new(RUN).join(format!("{}.{ending}", self.text()))
    }
}

struct Running {
    name: Name,
    child: Option<Child>,
    /// When it may be started again.
    again: Instant,
}

struct Supervisor<'a> {
    programs: &'a Programs,
    options: Options,
    running: Vec<Running>,
}

/// Runs until SIGTERM or SIGINT.
pub fn run(programs: &Programs, options: Options) -> Result<(), SandboxError> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD]);
    signals.thread_block().map_err(SandboxError::kernel("block signals"))?;
    let events = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(SandboxError::kernel("wait for signals"))?;
    let mut supervisor = Supervisor { programs, options, running: Vec::new() };
    let result = supervisor.start_all().and_then(|()| {
        supervisor.announce();
        supervisor.watch(&events)
    });
    supervisor.end_all();
    result
}

impl Supervisor<'_> {
    fn start_all(&mut self) -> Result<(), SandboxError> {
        for name in Name::ALL {
            let child = self.start(name)?;
            self.running.push(Running { name, child: Some(child), again: Instant::now() });
            if name == Name::Agent
                && let Some(password) = self.options.new_password.take()
            {
                administrator::give_password(&name.file("sock"), &password)?;
            }
        }
        Ok(())
    }

    fn announce(&self) {
        let (api, ssh) = (self.options.api_listen, self.options.ssh_listen);
        println!("ready api=http://{api} ssh={ssh}");
        if self.options.quiet {
            return;
        }
        let (root, program) = (self.options.root.display(), &self.options.program);
        let ctl = Path::new(program).with_file_name("accountctl");
        eprintln!(
            "\nTry, with the administrator's password for PW:\n\n  \
             curl -u root:PW -H 'Content-Type: application/json' http://{api}/api/v1.0/account/users/ \\\n    \
             -d '{{\"bsdusr_username\":\"myuser\",\"bsdusr_creategroup\":true,\"bsdusr_full_name\":\"My User\",\
             \"bsdusr_password\":\"aa\",\"bsdusr_uid\":1111,\"bsdusr_home\":\"/mnt/tank/home\"}}'\n  \
             sftp -P {} myuser@{}\n  \
             ssh -p {} myuser@{} id\n  \
             {program} sandbox --root {root} --exec id myuser\n\nor as root, without a password:\n\n  \
             export ACCOUNTCTL_URL=http://{api} ACCOUNTCTL_SOCKET={root}/run/accountd/agent.sock\n  \
             {} user list\n\nFiles are below {root}. Ctrl-C ends it.\n",
            ssh.port(),
            ssh.ip(),
            ssh.port(),
            ssh.ip(),
            ctl.display()
        );
    }

    fn watch(&mut self, events: &SignalFd) -> Result<(), SandboxError> {
        loop {
            let waiting = self.running.iter().any(|running| running.child.is_none());
            let timeout = if waiting { PollTimeout::from(50u8) } else { PollTimeout::NONE };
            let mut ready = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, timeout) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(SandboxError::kernel("wait for signals")(error)),
            }
            while let Ok(Some(signal)) = events.read_signal() {
                if i32::try_from(signal.ssi_signo).is_ok_and(|number| number != Signal::SIGCHLD as i32) {
                    return Ok(());
                }
            }
            self.reap();
            self.restart();
        }
    }

    fn reap(&mut self) {
        for running in &mut self.running {
            let ended = running.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                warn!(program = running.name.text(), %status, "ended; it is started again");
                running.child = None;
                running.again = Instant::now() + RESTART_PAUSE;
            }
        }
    }

    fn restart(&mut self) {
        let due = |running: &Running| {
            running.child.is_none() && running.again <= Instant::now() && !running.name.file("hold").exists()
        };
        let names: Vec<Name> = self.running.iter().filter(|running| due(running)).map(|running| running.name).collect();
        for name in names {
            let started = self.start(name);
            let Some(running) = self.running.iter_mut().find(|running| running.name == name) else { continue };
            match started {
                Ok(child) => running.child = Some(child),
                Err(error) => {
                    warn!(program = name.text(), %error, "cannot be started again");
                    running.again = Instant::now() + RESTART_PAUSE * 5;
                }
            }
        }
    }

    /// Starts a program and waits until it answers.
    fn start(&mut self, name: Name) -> Result<Child, SandboxError> {
        let mut command = self.command(name);
        sys::end_with_parent(&mut command);
        command.stdin(Stdio::null()).current_dir("/");
        if self.options.quiet {
            command.stderr(Stdio::null());
        }
        let run = |source| SandboxError::Run { program: name.text().into(), source };
        let mut child = command.spawn().map_err(run)?;
        let (new, pid) = (name.file("pid.new"), name.file("pid"));
        std::fs::write(&new, child.id().to_string())
            .and_then(|()| std::fs::rename(&new, &pid))
            .map_err(SandboxError::file("write", &pid))?;
        let ready = match name {
            Name::Agent | Name::Login => answers(&name.file("sock"), &mut child),
            Name::Ssh => listens(&mut child, "").map(|address| self.options.ssh_listen = address),
            Name::Api => listens(&mut child, "http://").map(|address| self.options.api_listen = address),
        };
        if ready.is_none() {
            end(&mut child);
            return Err(SandboxError::NotReady(name.text()));
        }
        Ok(child)
    }

    fn command(&self, name: Name) -> Command {
        let (programs, options) = (self.programs, &self.options);
        let mut command = match name {
            Name::Agent => Command::new(programs.agent.path()),
            Name::Login => Command::new(programs.login.path()),
            Name::Ssh | Name::Api => Command::new(programs.accountd.path()),
        };
        match name {
            Name::Agent => &mut command,
            Name::Login => command.arg("--session-program").arg(programs.session.path()),
            Name::Ssh => {
                command.args(["ssh", "--user", "accountd-ssh", "--listen"]).arg(options.ssh_listen.to_string())
            }
            Name::Api => {
                command.args(["api", "--user", "accountd-api", "--listen"]).arg(options.api_listen.to_string())
            }
        };
        if matches!(name, Name::Ssh | Name::Api) {
            command.stdout(Stdio::piped());
        } else {
            let _ = std::fs::remove_file(name.file("sock"));
            command.stdout(Stdio::null());
        }
        command
    }

    /// The fronts first, the agent last.
    fn end_all(&mut self) {
        for running in self.running.iter_mut().rev() {
            if let Some(child) = &mut running.child {
                end(child);
            }
            let _ = std::fs::remove_file(running.name.file("pid"));
        }
    }
}

/// SIGTERM, and SIGKILL if that takes too long.
fn end(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Waits until something accepts on a Unix socket.
fn answers(socket: &Path, child: &mut Child) -> Option<()> {
    let deadline = Instant::now() + READY_DEADLINE;
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        if UnixStream::connect(socket).is_ok() {
            return Some(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Reads the line in which a front says where it listens.
fn listens(child: &mut Child, prefix: &str) -> Option<SocketAddr> {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut()?).read_line(&mut line).ok()?;
    line.trim().strip_prefix("ready ")?.strip_prefix(prefix)?.parse().ok()
}
