//! Whether this program answers, for the service manager.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::frame::{self, FrameError, LOGIN_CAP};
use accountd_protocol::login::{LoginEvent, LoginRequest};
use accountd_protocol::notify;

use crate::error::Error;
use crate::registry::Registry;

const ANSWER_LIMIT: Duration = Duration::from_secs(20);

pub fn start(socket: PathBuf, registry: Arc<Registry>) -> Result<(), Error> {
    notify::keep_watch(move || answers(&socket, &registry)).map_err(Error::Thread)
}

/// The registry can be had, and a connection is accepted and answered. One that is closed because there
/// are too many has been accepted too: a crowd is no reason to end everybody's sessions.
fn answers(socket: &Path, registry: &Registry) -> bool {
    let _ = registry.period(Duration::ZERO);
    match welcomed(socket) {
        Ok(()) => true,
        Err(FrameError::Io(error)) => is_of_a_closed_connection(error.kind()),
        Err(FrameError::TooLong { .. } | FrameError::Content(_)) => false,
    }
}

fn welcomed(socket: &Path) -> Result<(), FrameError> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    let nobody = ([127, 0, 0, 1], 0).into();
    let hello = LoginRequest::Hello { client: nobody, server: nobody, version: "watchdog".to_owned() };
    frame::write(&mut stream, &hello, LOGIN_CAP)?;
    frame::read::<LoginEvent>(&mut stream, LOGIN_CAP).map(|_| ())
}

fn is_of_a_closed_connection(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn whoever_answers_or_turns_away_is_there_and_a_socket_of_nobody_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("login.sock");
        let registry = Registry::default();
        let listener = UnixListener::bind(&path).unwrap();
        let serving = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let _: Option<LoginRequest> = frame::read(&mut stream, LOGIN_CAP).unwrap();
            frame::write(&mut stream, &LoginEvent::Welcome, LOGIN_CAP).unwrap();
        });
        assert!(answers(&path, &registry) && answers(&path, &registry));
        serving.join().unwrap();
        assert!(!answers(&path, &registry));
    }
}
