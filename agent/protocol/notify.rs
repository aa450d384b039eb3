//! Tells the service manager how far a program has come (sd_notify(3)), and that it still answers
//! (sd_watchdog_enabled(3)).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It serves; also after a reload.
    Ready,
    /// It reads its settings again.
    Reloading,
    /// It answers.
    Alive,
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

/// Starts a thread that says [`State::Alive`] for as long as the program answers, where somebody wants
/// to know. Whatever keeps `answers` from returning keeps that from being said.
pub fn keep_watch(answers: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
    let variable = |name: &str| std::env::var(name).ok();
    let limit = limit(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
    let Some(limit) = limit else { return Ok(()) };
    let named = std::thread::Builder::new().name("watchdog".into());
    let thread = named.spawn(move || {
        loop {
            if answers() {
                notify(State::Alive);
            }
            std::thread::sleep(limit / 4);
        }
    });
    thread.map(|_| ())
}

/// After how long a silence this program is ended.
fn limit(microseconds: Option<String>, of: Option<String>, own: u32) -> Option<Duration> {
    let is_own = of.is_none_or(|of| of.parse() == Ok(own));
    let microseconds: u64 = microseconds?.parse().ok()?;
    (is_own && microseconds > 0).then(|| Duration::from_micros(microseconds))
}

fn send(name: &OsString, state: State) -> io::Result<()> {
    let text: &[u8] = match state {
        State::Ready => b"READY=1",
        State::Reloading => b"RELOADING=1",
        State::Alive => b"WATCHDOG=1",
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
    fn the_watchdog_of_another_process_is_not_ours() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(limit(text("3000000"), text("7"), 7), Some(Duration::from_secs(3)));
        assert_eq!(limit(text("3000000"), None, 7), Some(Duration::from_secs(3)));
        for (microseconds, of) in
            [(None, text("7")), (text("3000000"), text("8")), (text("0"), None), (text("x"), None)]
        {
            assert_eq!(limit(microseconds, of, 7), None);
        }
    }

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
