//! A sandbox for one test: the shipped programs on a scratch root.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub const PASSWORD: &str = "the administrator's";
/// For what happens within moments on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(120);
/// They refuse while any process of the machine has the uid, as those of other tests may.
const REFUSE_THE_BUSY: [&str; 2] = ["userdel", "usermod"];
const SEEING_NO_PROCESSES: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];
/// How much of the log a failed test shows.
const LOG_LINES: usize = 40;

#[derive(Debug)]
pub struct World {
    /// `root`, what the sandbox has; `client`, what its clients have; `log`.
    directory: TempDir,
    sandbox: Child,
    api: String,
    ssh: SocketAddr,
    /// Whether a test has damaged the audit trail, or the store that it is in.
    is_damaged: AtomicBool,
}

impl World {
    pub fn start() -> Self {
        Self::start_below(&std::env::temp_dir())
    }

    /// With its files in a new directory below `parent`.
    pub fn start_below(parent: &Path) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "the tests need root");
        let directory = tempfile::Builder::new().prefix("accountd-test-").tempdir_in(parent).unwrap();
        // The sandbox's users have to reach what is theirs.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(directory.path().join("client")).unwrap();
        let password = directory.path().join("client/password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let (sandbox, api, ssh) = launch(directory.path());
        Self { directory, sandbox, api, ssh, is_damaged: AtomicBool::new(false) }
    }

    /// With these settings (accountd.toml(5)).
    pub fn start_with(config: &str) -> Self {
        let mut world = Self::start();
        fs::write(world.root().join("etc/accountd/accountd.toml"), config).unwrap();
        world.restart();
        world
    }

    /// Ends the sandbox and starts it again on the same root.
    pub fn restart(&mut self) {
        end(&mut self.sandbox);
        (self.sandbox, self.api, self.ssh) = launch(self.directory.path());
    }

    /// `http://HOST:PORT` of REST.
    pub fn api(&self) -> String {
        self.api.clone()
    }

    pub fn ssh(&self) -> SocketAddr {
        self.ssh
    }

    pub fn admin_password(&self) -> String {
        PASSWORD.to_owned()
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// A file of the clients.
    pub fn client_file(&self, name: &str) -> PathBuf {
        self.directory.path().join("client").join(name)
    }

    /// Prepares a command that runs inside the sandbox.
    pub fn inside(&self, command: &[&str]) -> Command {
        let mut prepared = Command::new(accountd());
        prepared.args(["sandbox", "--root"]).arg(self.root()).arg("--exec");
        if command.first().is_some_and(|program| REFUSE_THE_BUSY.contains(program)) {
            prepared.args(SEEING_NO_PROCESSES);
        }
        prepared.args(command);
        prepared
    }

    pub fn exec(&self, command: &[&str]) -> Output {
        self.inside(command).stdin(Stdio::null()).output().unwrap()
    }

    /// The same, which has to succeed; gives what it said.
    #[track_caller]
    pub fn run(&self, command: &[&str]) -> String {
        let output = self.exec(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The process of one of `agent`, `login`, `ssh` and `api`.
    pub fn process(&self, program: &str) -> Pid {
        let text = fs::read_to_string(self.run_file(program, "pid")).unwrap();
        Pid::from_raw(text.parse().unwrap())
    }

    /// From now on the program isn't started again when it has ended.
    pub fn hold(&self, program: &str) {
        File::create(self.run_file(program, "hold")).unwrap();
    }

    pub fn kill(&self, program: &str) {
        let process = self.process(program);
        kill(process, Signal::SIGKILL).unwrap();
        wait_for("the end of a killed program", || !Path::new(&format!("/proc/{process}/stat")).exists());
    }

    /// Lets a held program start again, and waits until it answers.
    pub fn release(&self, program: &str) {
        let before = self.process(program);
        fs::remove_file(self.run_file(program, "hold")).unwrap();
        self.wait_for_another(program, before);
    }

    /// Waits until a program that was `before` is another process, which answers.
    pub fn wait_for_another(&self, program: &str, before: Pid) {
        wait_for("a program that is started again", || {
            self.process(program) != before && UnixStream::connect(self.run_file(program, "sock")).is_ok()
        });
    }

    fn run_file(&self, program: &str, ending: &str) -> PathBuf {
        self.root().join(format!("run/accountd/{program}.{ending}"))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl World {
    /// The audit trail need not be whole at the end.
    pub fn damages_the_audit_trail(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// What the agent's program says of the trail, whether an agent runs or not.
    pub fn audit_verified(&self) -> (bool, String) {
        let mut command = Command::new(accountd().with_file_name("accountd-agent"));
        command.args(["--audit-verify", "--state"]).arg(self.root().join("var/lib/accountd/state.sqlite"));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }
}

/// Whatever a test has done to the accounts, the trail of it is whole.
impl Drop for World {
    fn drop(&mut self) {
        end(&mut self.sandbox);
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("log of the sandbox:\n{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
            remove(&mut self.directory);
            return;
        }
        let (is_whole, said) = self.audit_verified();
        remove(&mut self.directory);
        assert!(
            is_whole || self.is_damaged.load(Ordering::Relaxed),
            "the audit trail of this test is not whole: {said}"
        );
    }
}

/// With rm(1): a tree may be deeper than the stack of a thread allows, which is what the library
/// needs.
fn remove(directory: &mut TempDir) {
    keep_counts(directory.path());
    directory.disable_cleanup(true);
    let _ = Command::new("rm").args(["-rf", "--one-file-system", "--"]).arg(directory.path()).status();
}

/// What programs have counted that were built by `make coverage` goes where the others are. Numbers of processes,
/// which files of counts are named by, come again in other sandboxes.
fn keep_counts(directory: &Path) {
    let sandbox = directory.file_name().unwrap_or_default().to_string_lossy();
    let tmp = directory.join("root/tmp");
    for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "profraw") {
            let name = format!("accountd-{sandbox}-{}", entry.file_name().display());
            fs::rename(&path, Path::new("/tmp").join(name)).unwrap();
        }
    }
}

/// The program that cargo has built for this test.
pub fn accountd() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_accountd"))
}

fn launch(directory: &Path) -> (Child, String, SocketAddr) {
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let mut sandbox = Command::new(accountd())
        .args(["sandbox", "--api-listen", "127.0.0.1:0", "--ssh-listen", "127.0.0.1:0", "--root"])
        .arg(directory.join("root"))
        .arg("--admin-password-file")
        .arg(directory.join("client/password"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(sandbox.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses = line.trim().strip_prefix("ready api=").and_then(|rest| rest.split_once(" ssh="));
    let Some((api, ssh)) = addresses else {
        // Its output has ended, so it has ended or is about to.
        let status = sandbox.wait();
        panic!("no sandbox, {status:?}: {}", fs::read_to_string(directory.join("log")).unwrap_or_default());
    };
    (sandbox, api.to_owned(), ssh.parse().unwrap())
}

fn end(sandbox: &mut Child) {
    if let Ok(None) = sandbox.try_wait() {
        let _ = kill(Pid::from_raw(i32::try_from(sandbox.id()).unwrap()), Signal::SIGTERM);
    }
    let _ = sandbox.wait();
}

/// Fails when it takes too long.
#[track_caller]
pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
