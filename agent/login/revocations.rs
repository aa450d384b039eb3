//! Follows the agent's revocations for as long as the program runs.
//!
//! Sessions take some time to end. Those of one account are not waited for before those of the next
//! are told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, Answer, Revoked};
use accountd_protocol::client::{AgentClient, ClientError};
use accountd_protocol::frame::FrameError;
use tracing::{debug, info, warn};

use crate::error::Error;
use crate::registry::{Registry, Revoking};

/// How long the sessions of a revoked account may take to end before that is said all the same.
const END_LIMIT: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(50);

/// Starts the thread. While the agent can't be heard, nothing starts: a change might be missed.
pub fn follow(socket: PathBuf, registry: Arc<Registry>) -> Result<(), Error> {
    let named = std::thread::Builder::new().name("revocations".into());
    let thread = named.spawn(move || {
        let _guard = AbortOnPanic;
        loop {
            if let Err(error) = watch(&socket, &registry) {
                let heard = registry.period(Duration::ZERO).is_some();
                registry.end_period(END_LIMIT);
                if heard {
                    warn!(%error, "revocations could not be heard; all sessions have been ended and none starts");
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
    let (told, revokings) = channel();
    let (answering, theirs) = (client.try_clone()?, registry.clone());
    let named = std::thread::Builder::new().name("acknowledgements".into());
    // It ends with the channel, or with the connection.
    named.spawn(move || acknowledge(answering, &theirs, revokings)).map_err(FrameError::Io)?;
    registry.begin_period();
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
