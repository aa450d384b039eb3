//! Tells the service manager how far a program has come (sd_notify(3)).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Ready,
    /// It ends.
    Stopping,
}

/// Says it to whoever has started this program and wants to know (`NOTIFY_SOCKET`); to nobody
/// else. That it could not be said is no reason to stop.
pub fn notify(state: State) {
    // Without an answer, systemd says itself what it has missed.
    let _ = tell(std::env::var_os("NOTIFY_SOCKET").as_ref(), state);
}

fn tell(name: Option<&OsString>, state: State) -> io::Result<()> {
    name.map_or(Ok(()), |name| send(name, state))
}

fn send(name: &OsString, state: State) -> io::Result<()> {
    let text: &[u8] = match state {
        State::Ready => b"READY=1",
        State::Stopping => b"STOPPING=1",
    };
    UnixDatagram::unbound()?.send_to_addr(text, &address(name)?).map(|_| ())
}

/// A path, or a name in the abstract namespace behind `@` (unix(7)).
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("accountd-test-{}", std::process::id());
        let sockets = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (
                OsString::from(format!("@{abstract_name}")),
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap(),
            ),
        ];
        for (name, socket) in sockets {
            for (state, said) in [(State::Ready, &b"READY=1"[..]), (State::Stopping, b"STOPPING=1")] {
                tell(Some(&name), state).unwrap();
                let mut heard = [0; 32];
                let count = socket.recv(&mut heard).unwrap();
                assert_eq!(&heard[..count], said);
            }
        }
        tell(None, State::Ready).unwrap();
        assert!(tell(Some(&directory.path().join("nobody").into()), State::Ready).is_err());
    }
}
