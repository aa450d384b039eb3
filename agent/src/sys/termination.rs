//! Being told to end, or to read the settings again (signal(7)).

use std::fs::File;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Where the handler writes: it can be given nothing else.
static WRITER: AtomicI32 = AtomicI32::new(-1);

extern "C" fn tell(signal: libc::c_int) {
    // Numbers of signals are small.
    let byte = [signal as u8];
    // SAFETY: write(2) may be called in a handler (signal-safety(7)); one byte of `byte` can be read. The
    // descriptor was opened before the handler was set and is never closed.
    unsafe { libc::write(WRITER.load(Ordering::Relaxed), byte.as_ptr().cast(), 1) };
}

/// What somebody has told this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    End,
    Reload,
}

impl Told {
    /// What a byte of [`told`] says.
    pub fn by(byte: u8) -> Self {
        if i32::from(byte) == Signal::SIGHUP as i32 { Told::Reload } else { Told::End }
    }
}

/// Gives what a byte can be read from after each SIGTERM, SIGINT or SIGHUP. The signals are not blocked,
/// because children would inherit that; a handler they do not inherit (execve(2)).
pub fn told() -> Result<File, Errno> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    WRITER.store(writer.into_raw_fd(), Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(tell), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: the handler does nothing but what may be done in one.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(reader.into())
}
