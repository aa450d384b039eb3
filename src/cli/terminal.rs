//! The terminal that somebody types at: questions, and secrets without echo (termios(3)).

use std::io::{self, BufRead, IsTerminal, Stdin, Write};

use accountd_protocol::secret::Secret;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::os::fd::AsFd;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::text::harmless;

/// Whether somebody sees questions and can answer them.
pub fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether the answer is yes. Whatever is not, is no.
pub fn agreed(question: &str) -> Result<bool, Error> {
    ask(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Error::Typing)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES"))
}

/// One line, which is not shown while it is typed.
pub fn secret(question: &str) -> Result<Secret, Error> {
    loop {
        let silence = Silence::begin(io::stdin())?;
        ask(question)?;
        let typed = silence.wait()?;
        if let Typed::Line = typed {
            let mut line = Zeroizing::new(String::new());
            io::stdin().lock().read_line(&mut line).map_err(Error::Typing)?;
            drop(silence);
            ask("\n")?;
            let text = line.strip_suffix('\n').ok_or(Error::NothingTyped)?;
            return if text.is_empty() { Err(Error::NothingTyped) } else { Ok(Secret::new(text.to_owned())) };
        }
        // The signal is delivered now. After a stop (^Z) the question is asked again.
        drop(silence);
    }
}

/// A secret that is typed twice, so that it is the one that was meant.
pub fn new_secret(question: &str) -> Result<Secret, Error> {
    let first = secret(question)?;
    let second = secret("The same again: ")?;
    if first.reveal() == second.reveal() { Ok(first) } else { Err(Error::NotTheSame) }
}

fn ask(question: &str) -> Result<(), Error> {
    let mut out = io::stderr().lock();
    let shown = if question == "\n" { question.to_owned() } else { harmless(question) };
    out.write_all(shown.as_bytes()).and_then(|()| out.flush()).map_err(Error::Typing)
}

enum Typed {
    Line,
    /// Something wants to end or to stop this process.
    Signal,
}

/// A terminal without echo. Signals wait until the echo is back, however this ends.
struct Silence {
    terminal: Stdin,
    before: Termios,
    signals: SigSet,
    arrived: SignalFd,
}

impl Silence {
    fn begin(terminal: Stdin) -> Result<Self, Error> {
        let signals =
            SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGTSTP]);
        let before = tcgetattr(&terminal).map_err(Error::Terminal)?;
        let arrived = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).map_err(Error::Terminal)?;
        signals.thread_block().map_err(Error::Terminal)?;
        let silence = Self { terminal, before, signals, arrived };
        let mut without_echo = silence.before.clone();
        without_echo.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        tcsetattr(&silence.terminal, SetArg::TCSAFLUSH, &without_echo).map_err(Error::Terminal)?;
        Ok(silence)
    }

    fn wait(&self) -> Result<Typed, Error> {
        let mut ready = [
            PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.arrived.as_fd(), PollFlags::POLLIN),
        ];
        loop {
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Error::Terminal(error)),
                Ok(_) if ready[1].any().unwrap_or_default() => return Ok(Typed::Signal),
                Ok(_) => return Ok(Typed::Line),
            }
        }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        let _ = self.signals.thread_unblock();
    }
}
