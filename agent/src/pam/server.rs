//! PAM's socket: a thread for each connection, as long as there are places. Whoever is slow, or sends what is no
//! question, loses the connection.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use accountd_protocol::frame::{self, FrameError};
use accountd_protocol::pam_module::{PAM_CAP, PamAnswer, PamRequest, SOCKET_NAME};
use accountd_protocol::socket::{self, Peer};
use tracing::{debug, warn};

use super::peers::{Peers, Place, may_ask};
use crate::agent::Agent;
use crate::error::Error;
use crate::identity::permission::Permission;

/// A whole question has to be there so long after the connection, or after the last answer.
const QUESTION_DEADLINE: Duration = Duration::from_secs(5);
/// A peer has to take its answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// Makes the socket anew, beside the agent's other one. Everybody may connect.
pub fn listen(beside: &Path) -> Result<UnixListener, Error> {
    let path = beside.with_file_name(SOCKET_NAME);
    let failed = |source| Error::Listen { path: path.clone(), source };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).map_err(failed)?;
    Ok(listener)
}

/// Serves for ever, in a thread of its own.
pub fn serve(agent: &Arc<Agent>, listener: UnixListener) -> Result<(), Error> {
    let agent = agent.clone();
    let named = std::thread::Builder::new().name("pam".into());
    let thread = named.spawn(move || {
        let peers = Arc::new(Peers::default());
        loop {
            match listener.accept() {
                Ok((stream, _)) => admit(&agent, &peers, stream),
                Err(error) => {
                    warn!(%error, "cannot accept a connection of PAM");
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    });
    thread.map(drop).map_err(Error::Pam)
}

fn admit(agent: &Arc<Agent>, peers: &Arc<Peers>, stream: UnixStream) {
    let peer = match socket::peer(&stream) {
        Ok(peer) => peer,
        Err(error) => return warn!(%error, "cannot tell who a peer is"),
    };
    let Some(place) = peers.take(peer.uid) else {
        return debug!(uid = peer.uid.0, "too many connections of PAM; one is closed");
    };
    let (agent, peers) = (agent.clone(), peers.clone());
    let named = std::thread::Builder::new().name("pam peer".into());
    let spawned = named.spawn(move || converse(&agent, (&peers, place), (peer, stream)));
    if let Err(error) = spawned {
        warn!(%error, "cannot start a thread for a connection");
    }
}

fn converse(agent: &Agent, (peers, place): (&Peers, Place), (peer, mut stream): (Peer, UnixStream)) {
    match answer_all(agent, peers, (peer, &mut stream)) {
        Ok(()) => {}
        Err(FrameError::Io(error)) => debug!(%error, uid = peer.uid.0, "a connection of PAM broke"),
        Err(error) => {
            debug!(%error, uid = peer.uid.0, "a peer of PAM sent what it should not; its connection is ended")
        }
    }
    drop(place);
}

fn answer_all(agent: &Agent, peers: &Peers, (peer, stream): (Peer, &mut UnixStream)) -> Result<(), FrameError> {
    stream.set_write_timeout(Some(WRITE_DEADLINE))?;
    let read = |stream: &UnixStream| {
        let mut timed = Timed { stream, end: Instant::now() + QUESTION_DEADLINE };
        frame::read::<PamRequest>(&mut timed, PAM_CAP)
    };
    while let Some(request) = read(stream)? {
        let answer = match (may_ask(peer, &request.question), peers.ask(peer.uid, Instant::now())) {
            (Permission::Denied, _) => PamAnswer::NotPermitted,
            (Permission::Granted, Err(wait)) => {
                warn!(uid = peer.uid.0, "a user's programs ask too often");
                PamAnswer::TooOften { seconds: wait.as_secs() + 1 }
            }
            (Permission::Granted, Ok(())) => agent.answer_pam(peer, &request),
        };
        frame::write(stream, &answer, PAM_CAP)?;
    }
    Ok(())
}

/// A stream that can be read from until a moment, however its bytes come.
struct Timed<'a> {
    stream: &'a UnixStream,
    end: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        (&mut &*self.stream).read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn bytes_that_come_one_by_one_do_not_make_the_time_longer() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let end = Instant::now() + Duration::from_millis(200);
        let sending = std::thread::spawn(move || {
            while theirs.write_all(&[0]).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut timed = Timed { stream: &ours, end };
        let error = timed.read_exact(&mut [0; 4096]).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{error}");
        drop(ours);
        sending.join().unwrap();
    }
}
