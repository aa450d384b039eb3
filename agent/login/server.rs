//! The socket: the front's connections, each in a thread of its own.

use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use accountd_protocol::id::Uid;
use accountd_protocol::notify::{State, notify};
use accountd_protocol::socket;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::User;
use tracing::{info, warn};

use crate::connection::{self, Shared};
use crate::error::Error;

/// One for each SSH connection that has begun to authenticate.
const MOST_CONNECTIONS: usize = 1024;
const STACK_BYTES: usize = 256 * 1024;
const END_LIMIT: Duration = Duration::from_secs(3);

/// SIGTERM and SIGINT become readable; to be called before any thread is started.
pub fn stop_signals() -> Result<SignalFd, Error> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block().map_err(Error::kernel("block signals"))?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).map_err(Error::kernel("wait for signals"))
}

/// The SSH front's user, looked up until there is one: it may be made after the start.
#[derive(Debug)]
pub struct Front {
    name: String,
    found: OnceLock<User>,
}

impl Front {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), found: OnceLock::new() }
    }

    fn user(&self) -> Option<&User> {
        match self.found.get() {
            Some(user) => Some(user),
            None => User::from_name(&self.name).ok().flatten().map(|user| self.found.get_or_init(|| user)),
        }
    }

    /// Root may connect too.
    fn may_connect(&self, stream: &UnixStream) -> bool {
        let Ok(peer) = socket::peer(stream) else { return false };
        peer.uid == Uid::ROOT || self.user().is_some_and(|user| user.uid.as_raw() == peer.uid.0)
    }
}

/// Makes the socket anew, for root and the front's group. Who may connect is decided by the
/// peer's uid; the mode keeps everybody else from trying, as soon as there is such a group.
pub fn listen(path: &Path, front: &Front) -> Result<UnixListener, Error> {
    let failed = |source| Error::Listen { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let mode = match front.user() {
        Some(user) => {
            chown(path, Some(0), Some(user.gid.as_raw())).map_err(failed)?;
            0o660
        }
        None => 0o666,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    Ok(listener)
}

/// Serves until a stop signal, or until the spawner has ended: a new one takes a new process.
/// Then ends all sessions.
pub fn serve(listener: &UnixListener, stop: &SignalFd, shared: Shared, front: &Front) -> Result<(), Error> {
    let open = Arc::new(AtomicUsize::new(0));
    notify(State::Ready);
    info!("sessions are opened");
    loop {
        let mut ready = [
            PollFd::new(stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(shared.spawner.as_fd(), PollFlags::empty()),
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(Error::kernel("wait for connections")(error)),
        }
        if ready[0].any() == Some(true) {
            notify(State::Stopping);
            shared.registry.end_all(END_LIMIT);
            return Ok(());
        }
        if ready[1].any() == Some(true) {
            shared.registry.end_all(END_LIMIT);
            return Err(Error::SpawnerEnded);
        }
        match listener.accept() {
            Ok((stream, _)) => admit(stream, &open, &shared, front),
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn admit(stream: UnixStream, open: &Arc<AtomicUsize>, shared: &Shared, front: &Front) {
    if !front.may_connect(&stream) {
        return warn!("a process that is not the SSH front was turned away");
    }
    let place = Place(open.clone());
    if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
        return warn!("too many connections; one is closed");
    }
    let shared = shared.clone();
    let named = std::thread::Builder::new().name("connection".into()).stack_size(STACK_BYTES);
    let spawned = named.spawn(move || {
        connection::serve(stream, shared);
        drop(place);
    });
    if let Err(error) = spawned {
        warn!(%error, "cannot start a thread for a connection");
    }
}

/// One of the [`MOST_CONNECTIONS`], given back when dropped, after a panic too.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_the_fronts_group_alone_as_soon_as_there_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("login.sock");
        let mode = |front: &str| {
            let _listener = listen(&path, &Front::new(front)).unwrap();
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode("nobody-of-this-name"), 0o666);
        assert_eq!(mode("root"), 0o660);
    }
}
