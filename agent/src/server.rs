//! The agent's socket: who is there, what they may, one answer for each request.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, QuotaEnd, Reply};
use accountd_protocol::client::AgentClient;
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP, FrameError};
use accountd_protocol::id::Gid;
use accountd_protocol::notify::{self, State, notify};
use accountd_protocol::socket;
use tracing::{debug, warn};

use crate::agent::Agent;
use crate::error::Error;
use crate::identity::permission::{PeerRole, Permission};
use crate::places::Places;

/// A peer has to take its answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// How long keepers take to end sessions that nobody has a word for any more.
const SESSIONS_END: Duration = Duration::from_secs(1);

/// Makes the socket anew, for root and the group of the REST front. What a peer may is decided by
/// its uid; the mode keeps everybody else from taking places.
pub fn listen(path: &Path, front: Option<Gid>) -> Result<UnixListener, Error> {
    let failed = |source| Error::Listen { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let mode = if front.is_some() { 0o660 } else { 0o600 };
    chown(path, None, front.map(|gid| gid.0)).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    Ok(listener)
}

/// For the service manager: the accounts can be looked at, and a connection to the socket is accepted and
/// answered. A change that waits for the password lock is no reason to be ended.
pub fn keep_watch(agent: &Arc<Agent>, socket: PathBuf) -> Result<(), Error> {
    let agent = agent.clone();
    let answers = move || {
        drop(agent.database.known_view());
        AgentClient::connect(&socket).and_then(|mut client| client.call(&AgentRequest::Ping)).is_ok()
    };
    notify::keep_watch(answers).map_err(Error::Watchdog)
}

/// Serves for ever, a thread for each connection.
pub fn serve(agent: &Arc<Agent>, listener: &UnixListener) -> Result<(), Error> {
    let places = Arc::new(Places::default());
    notify(State::Ready);
    loop {
        match listener.accept() {
            Ok((stream, _)) => admit(agent, &places, stream),
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn admit(agent: &Arc<Agent>, places: &Arc<Places>, stream: UnixStream) {
    let role = match socket::peer(&stream) {
        Ok(peer) => PeerRole::of(peer, agent.api_uid()),
        Err(error) => return warn!(%error, "cannot tell who a peer is"),
    };
    if role == PeerRole::Stranger {
        return warn!("a process that is no peer of the agent was turned away");
    }
    let Some(place) = places.take(role) else { return warn!(?role, "too many connections; one is closed") };
    let (agent, places) = (agent.clone(), places.clone());
    let spawned = std::thread::Builder::new().name("connection".into()).spawn(move || {
        converse(&agent, &places, (role, stream));
        drop(place);
    });
    if let Err(error) = spawned {
        warn!(%error, "cannot start a thread for a connection");
    }
}

fn converse(agent: &Agent, places: &Places, (role, mut stream): (PeerRole, UnixStream)) {
    match answer_all(agent, places, (role, &mut stream)) {
        Ok(()) => {}
        Err(FrameError::Io(error)) => debug!(%error, "a connection broke"),
        Err(error) => warn!(%error, role = role.to_string(), "a peer sent what it should not; its connection is ended"),
    }
}

/// Whoever opens sessions has gone, and they end with it, unless it comes back and says that they go on. What
/// they had leased of quotas is counted once that is so.
fn sessions_are_lost(agent: &Agent, watcher: u64) {
    let lost = agent.quotas.open_sessions();
    if !lost.is_empty() {
        std::thread::sleep(SESSIONS_END);
        let lost = lost.into_iter().filter(|session| !agent.goes_on(watcher, *session));
        lost.for_each(|session| agent.quotas.session_ended(session, QuotaEnd::Lost));
    }
}

fn answer_all(agent: &Agent, places: &Places, (role, stream): (PeerRole, &mut UnixStream)) -> Result<(), FrameError> {
    stream.set_write_timeout(Some(WRITE_DEADLINE))?;
    while let Some(length) = frame::read_length(stream, AGENT_REQUEST_CAP)? {
        let _room = places.room(role, length);
        let request: AgentRequest = frame::read_body(stream, length)?;
        let Permission::Granted = role.may_send(&request) else {
            warn!(role = role.to_string(), "a peer asked for what it may not; its connection is ended");
            return Ok(());
        };
        if let AgentRequest::Watch = request {
            let watcher = agent.revocations().subscribe();
            let served = agent.revocations().serve(watcher, stream);
            sessions_are_lost(agent, watcher);
            return served;
        }
        if let AgentRequest::AnswerQuestions = request {
            return agent.open_sessions.keep(stream.try_clone()?);
        }
        let reply: Reply = agent.answer(request);
        frame::write(stream, &reply, AGENT_ANSWER_CAP)?;
    }
    Ok(())
}
