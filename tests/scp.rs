//! scp's own protocol: the session program with OpenSSH's client, and record by record.

mod records;
mod transfers;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

use crate::raw::{USER, as_user, session_program};
use crate::running::Running;

/// What OpenSSH's client starts in place of ssh: the words of the command line that it would send,
/// as a shell without patterns understands them.
const WRAPPER: &str = "#!/bin/bash
for line; do :; done
set -f
eval \"words=($line)\"
cd \"$REMOTE\" && umask 022 && exec setpriv --reuid \"$REMOTE_USER\" --regid \"$REMOTE_USER\" --clear-groups \
    \"$PROGRAM\" scp $OPTIONS -- \"${words[@]:1}\"
";

/// A directory of the server's user, and one of the client's.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("accountd-scp-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self { directory };
        for name in ["remote", "local"] {
            fs::create_dir(place.directory.path().join(name)).unwrap();
        }
        fs::write(place.wrapper(), WRAPPER).unwrap();
        fs::set_permissions(place.wrapper(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(place.remote(""), Some(USER), Some(USER)).unwrap();
        place
    }

    fn wrapper(&self) -> PathBuf {
        self.directory.path().join("wrapper")
    }

    pub fn remote(&self, name: &str) -> PathBuf {
        self.directory.path().join("remote").join(name)
    }

    pub fn local(&self, name: &str) -> PathBuf {
        self.directory.path().join("local").join(name)
    }

    /// A file of the server's user.
    pub fn put_remote(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.remote(name), content).unwrap();
        chown(self.remote(name), Some(USER), Some(USER)).unwrap();
    }

    pub fn make_remote(&self, directory: &str) {
        fs::create_dir_all(self.remote(directory)).unwrap();
        chown(self.remote(directory), Some(USER), Some(USER)).unwrap();
    }

    /// OpenSSH's client in the local directory, with options of the session program.
    pub fn scp_with(&self, options: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("scp");
        command.args(["-O", "-S"]).arg(self.wrapper()).args(arguments).current_dir(self.local(""));
        command.env("REMOTE", self.remote("")).env("REMOTE_USER", USER.to_string()).env("OPTIONS", options);
        command.env("PROGRAM", session_program()).stdin(Stdio::null()).output().unwrap()
    }

    /// The same, which has to succeed without a word.
    #[track_caller]
    pub fn scp(&self, arguments: &[&str]) {
        let output = self.scp_with("", arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {:?} {said}", output.status);
    }

    /// The same, which has to fail; gives what was said.
    #[track_caller]
    pub fn scp_fails(&self, arguments: &[&str]) -> String {
        let output = self.scp_with("", arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// A run whose records are written by hand; `arguments` are those of the session program.
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::start(&session_program(), &self.remote(""), &[&["scp"], arguments].concat())
    }
}

/// A server's side of scp over pipes.
pub struct Run {
    pub program: Running,
    pub input: Option<ChildStdin>,
    output: ChildStdout,
}

impl Run {
    pub fn start(program: &Path, directory: &Path, arguments: &[&str]) -> Self {
        let mut command = as_user(program, directory);
        command.args(arguments);
        Self::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut program = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (input, output) = (program.stdin.take(), program.stdout.take().unwrap());
        Self { program, input, output }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.input.as_mut().unwrap().write_all(bytes.as_ref()).unwrap();
    }

    /// The next byte has to be that of an answer that all is well.
    #[track_caller]
    pub fn ok(&mut self) {
        let answer = self.take(1);
        let rest = if answer == [0] { String::new() } else { String::from_utf8_lossy(&self.line()).into_owned() };
        assert_eq!(answer, [0], "{rest}");
    }

    /// Sends a record that has to be taken.
    #[track_caller]
    pub fn record(&mut self, record: impl AsRef<[u8]>) {
        self.send(record);
        self.send("\n");
        self.ok();
    }

    /// The next answer has to be a message.
    #[track_caller]
    pub fn refused(&mut self) -> String {
        let line = self.line();
        assert_eq!(line.first(), Some(&1), "{line:?}");
        String::from_utf8(line[1..].to_vec()).unwrap()
    }

    pub fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        loop {
            match self.take(1)[..] {
                [b'\n'] | [] => return line,
                ref byte => line.extend_from_slice(byte),
            }
        }
    }

    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.output.by_ref().take(count as u64).read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// The client closes; gives what is left of the output and the exit status.
    pub fn end(mut self) -> (Vec<u8>, i32) {
        drop(self.input.take());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        (rest, self.program.wait().unwrap().code().unwrap_or(-1))
    }
}
