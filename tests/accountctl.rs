//! accountctl itself, beside what the API answers and what is on disk.

mod api_keys;
mod audit;
mod checks;
mod credentials;
mod groups;
mod hostile;
mod import;
mod keys;
mod lists;
mod passphrases;
pub mod pty;
mod refused;
mod settings;
mod terminal;
mod two_factor;
mod users;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::v2::Nas;

/// What a command has said, and its exit status.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// The program that cargo has built for this test.
pub fn accountctl() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_accountctl"))
}

impl Nas {
    /// As root, with neither a password nor a home of settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(accountctl());
        command.args(arguments).stdin(Stdio::null()).env("HOME", self.world.client_file("home"));
        command.env("ACCOUNTCTL_URL", self.world.api()).env("ACCOUNTCTL_SOCKET", self.socket());
        command.env_remove("ACCOUNTCTL_TOKEN");
        command
    }

    pub fn socket(&self) -> std::path::PathBuf {
        self.disk.path("/run/accountd/agent.sock")
    }

    pub fn ctl(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// The same with something on standard input.
    pub fn ctl_with(&self, input: &str, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may have ended before it read anything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Said::of(child.wait_with_output().unwrap())
    }

    /// What a command prints that has to succeed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let said = self.ctl(arguments);
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{arguments:?}: {said:?}");
        said.out
    }

    /// The JSON that it prints.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.done(&[&["--json"], arguments].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

impl Said {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts the exit status, that nothing was printed, and parts of the message.
    #[track_caller]
    pub fn fails(&self, status: i32, parts: &[&str]) {
        assert_eq!((self.status, self.out.as_str()), (status, ""), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part} is not in: {}", self.err);
        }
    }
}
