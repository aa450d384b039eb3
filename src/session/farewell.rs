//! The end of a session that is told to end by a signal, where something of a quota is leased.
//!
//! SIGHUP and SIGTERM are what a keeper asks with before it insists. They end the client's stream
//! instead of the program, which finishes what it is at, gives back what it does not need, and exits.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::{Shutdown, shutdown};

const STACK_BYTES: usize = 64 * 1024;

/// To be called before any other thread is started.
pub fn end_with_stream(stream: OwnedFd) -> std::io::Result<()> {
    let signals = SigSet::from_iter([Signal::SIGHUP, Signal::SIGTERM]);
    signals.thread_block()?;
    let named = std::thread::Builder::new().name("farewell".into()).stack_size(STACK_BYTES);
    let thread = named.spawn(move || {
        let Ok(signal) = signals.wait() else { return };
        if shutdown(stream.as_raw_fd(), Shutdown::Both).is_err() {
            // No socket: then the signal means what it always means.
            std::process::exit(128 + signal as i32);
        }
    });
    thread.map(drop)
}
