//! Follows the agent's revocations for as long as the program runs.
//!
//! Sessions take some time to end. Those of one account are not waited for before those of the next
//! are told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use accountd_protocol::agent::{AgentRequest, Answer, Revoked};
use accountd_protocol::client::{AgentClient, ClientError};
use accountd_protocol::frame::FrameError;
use tracing::{debug, info, warn};

use crate::error::Error;
use crate::registry::{Registry, Revoking};

/// How long the sessions of a revoked account may take to end before that is said all the same.
const END_LIMIT: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(50);

/// Starts the thread. While the agent can't be heard, nothing starts: a change might be missed. What
/// goes on is held against the accounts when it can be heard again, or ends after `patience`.
pub fn follow(socket: PathBuf, registry: Arc<Registry>, patience: Duration) -> Result<(), Error> {
    let named = std::thread::Builder::new().name("revocations".into());
    let thread = named.spawn(move || {
        let _guard = AbortOnPanic;
        let mut unheard = None;
        loop {
            if let Err(error) = watch(&socket, &registry) {
                if registry.pause() {
                    warn!(%error, seconds = patience.as_secs(), "revocations can not be heard; none starts, and sessions go on for this long");
                    unheard = Some(Instant::now());
                }
                if unheard.take_if(|since| since.elapsed() >= patience).is_some() {
                    registry.end_all(END_LIMIT);
                    warn!(%error, "revocations could not be heard; all sessions have been ended");
                }
            }
            std::thread::sleep(RETRY);
        }
    });
    thread.map(|_| ()).map_err(Error::Thread)
}

/// Without its threads, sessions would go on whatever became of their accounts: better no process.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

fn watch(socket: &Path, registry: &Arc<Registry>) -> Result<(), ClientError> {
    let mut client = AgentClient::connect(socket)?;
    let Ok(Answer::Watching) = client.call(&AgentRequest::Watch)? else { return Err(ClientError::Closed) };
    let resumption = AgentRequest::Resume(registry.resumption());
    let Ok(Answer::Resumed(resumed)) = AgentClient::connect(socket)?.call(&resumption)? else {
        return Err(ClientError::Closed);
    };
    let (told, revokings) = channel();
    let (answering, theirs) = (client.try_clone()?, registry.clone());
    let named = std::thread::Builder::new().name("acknowledgements".into());
    // It ends with the channel, or with the connection.
    named.spawn(move || acknowledge(answering, &theirs, revokings)).map_err(FrameError::Io)?;
    registry.resume(&resumed);
    info!("revocations are heard");
    loop {
        let revocation = client.next_revocation()?;
        let revoking = registry.revoke(revocation.account, revocation.generation);
        told.send(revoking).map_err(|_| ClientError::Closed)?;
    }
}

/// Says which are over, in the order in which they have come.
fn acknowledge(mut agent: AgentClient, registry: &Registry, revokings: Receiver<Revoking>) {
    let _guard = AbortOnPanic;
    for revoking in revokings {
        let ended = registry.ended(revoking, END_LIMIT);
        if let Err(error) = agent.acknowledge(Revoked { generation: revoking.generation, ended }) {
            return debug!(%error, "the agent does not hear what has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use accountd_protocol::agent::{Generation, Reply};
    use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP};
    use accountd_protocol::resume::{Resumed, Resumption};

    use super::*;
    use crate::granted;
    use crate::registry::{HangUp, Login, Seating};

    fn exchange(listener: &UnixListener, answer: Answer) -> (UnixStream, AgentRequest) {
        let (mut stream, _) = listener.accept().unwrap();
        let request = frame::read(&mut stream, AGENT_REQUEST_CAP).unwrap().unwrap();
        frame::write(&mut stream, &Reply::Ok(answer), AGENT_ANSWER_CAP).unwrap();
        (stream, request)
    }

    /// The agent's side of a watcher that begins.
    fn watched(listener: &UnixListener) -> (UnixStream, Resumption) {
        let (watching, _) = exchange(listener, Answer::Watching);
        let resumed = Resumed { generation: Generation(1), changed: Vec::new() };
        match exchange(listener, Answer::Resumed(resumed)) {
            (_, AgentRequest::Resume(resumption)) => (watching, resumption),
            (_, other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_starts_without_an_agent_and_the_next_one_is_told_who_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let registry = Arc::new(Registry::default());
        follow(socket, registry.clone(), Duration::from_secs(600)).unwrap();
        let (watching, resumption) = watched(&listener);
        assert_eq!(resumption, Resumption::default());
        let first = registry.period(Duration::from_secs(60)).unwrap();
        drop(watching);
        let (watching, _) = exchange(&listener, Answer::Watching);
        assert_eq!(registry.period(Duration::ZERO), None, "it has said that it watches, and not yet who may go on");
        drop((watching, listener.accept().unwrap()));
        let _watching = watched(&listener);
        assert_ne!(registry.period(Duration::from_secs(60)), Some(first));
    }

    #[test]
    fn an_agent_that_does_not_say_who_may_go_on_is_asked_again_and_after_some_time_nobody_does() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let registry = Arc::new(Registry::default());
        follow(socket, registry.clone(), Duration::ZERO).unwrap();
        let (watching, _) = watched(&listener);
        let period = registry.period(Duration::from_secs(60)).unwrap();
        let (hung_up, heard) = channel();
        let client = "192.0.2.1:5000".parse().unwrap();
        let hang_up = HangUp(Arc::new(move || hung_up.send(()).unwrap()));
        let seated = registry.seat(&granted::grant(), period, Login { client, version: "SSH-2.0-Test", hang_up });
        assert!(matches!(seated, Seating::Seated(_)), "{seated:?}");
        drop(watching);
        heard.recv_timeout(Duration::from_secs(60)).unwrap();
        let (watching, _) = exchange(&listener, Answer::Watching);
        drop((watching, exchange(&listener, Answer::Done)));
        assert_eq!(registry.period(Duration::ZERO), None);
        let _watching = watched(&listener);
        assert!(registry.period(Duration::from_secs(60)).is_some());
    }
}
