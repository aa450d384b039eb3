//! A terminal with somebody at it: accountctl on a pty(7) of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};

use super::accountctl;
use crate::v2::Nas;

/// A session of its own with the terminal, as somebody has it. It stays when ^C ends the command, and
/// says in which state the command has left the terminal.
const SHELL: &str = "trap : INT; \"$0\" \"$@\"; status=$?; \
                     case $(stty -a) in *' -echo '*) echo echo is off;; *) echo echo is on;; esac; exit $status";
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Pty {
    master: File,
    /// Held open, so that what is on the terminal stays to be read.
    pub slave: OwnedFd,
    child: Child,
    seen: String,
    /// How much of it was expected already.
    read: usize,
}

impl Pty {
    /// accountctl at a terminal of so many lines and columns.
    pub fn start(nas: &Nas, size: (u16, u16), arguments: &[&str]) -> Self {
        let mut command = Command::new(accountctl());
        command.args(arguments);
        command.env("HOME", nas.world.client_file("home")).env_remove("ACCOUNTCTL_TOKEN");
        command.env("ACCOUNTCTL_URL", nas.world.api()).env("ACCOUNTCTL_SOCKET", nas.socket());
        Self::of(size, &command)
    }

    /// Any command at one.
    pub fn of((lines, columns): (u16, u16), inner: &Command) -> Self {
        let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let ends = openpty(Some(&size), None).unwrap();
        let end = || ends.slave.try_clone().unwrap();
        // Whoever runs the tests in the background may have ^C ignored.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT,QUIT", "setsid", "--ctty", "sh", "-c", SHELL])
            .arg(inner.get_program())
            .args(inner.get_args());
        command.stdin(end()).stdout(end()).stderr(end());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command.spawn().unwrap();
        Self { master: ends.master.into(), slave: ends.slave, child, seen: String::new(), read: 0 }
    }

    /// Waits until this is on the terminal, behind what was expected before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(place) = self.seen[self.read..].find(text) {
                self.read += place + text.len();
                return;
            }
            assert!(Instant::now() < end, "{text:?} is not in {:?}", self.seen);
            self.take(PollTimeout::from(100u8));
        }
    }

    /// Whatever is there within this time.
    fn take(&mut self, patience: PollTimeout) -> usize {
        let mut ready = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, patience).unwrap() == 0 {
            return 0;
        }
        let mut bytes = [0; 65536];
        // An error (EIO) when nobody is left at the other end.
        let length = self.master.read(&mut bytes).unwrap_or_default();
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
        length
    }

    /// The window has another size now.
    pub fn resize(&self, (lines, columns): (u16, u16)) {
        let size = rustix::termios::Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.master, size).unwrap();
    }

    pub fn type_line(&mut self, text: &str) {
        self.master.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    pub fn type_bytes(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Waits for its end; the exit status (of a signal: 128 and its number) and everything that was to
    /// be seen, the last line of it about the echo.
    pub fn end(mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            // Its output has to be read, or it waits for that.
            self.take(PollTimeout::from(20u8));
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end: {:?}", self.seen);
        };
        while self.take(PollTimeout::ZERO) > 0 {}
        (status.code().unwrap(), self.seen)
    }
}
