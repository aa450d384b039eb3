//! Follows the agent's revocations for as long as the program runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, Answer, Revoked};
use accountd_protocol::client::{AgentClient, ClientError};
use tracing::{info, warn};

use crate::error::Error;
use crate::registry::Registry;

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

/// Without its thread, sessions would go on whatever became of their accounts: better no process.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

fn watch(socket: &Path, registry: &Registry) -> Result<(), ClientError> {
    let mut client = AgentClient::connect(socket)?;
    let Ok(Answer::Watching) = client.call(&AgentRequest::Watch)? else { return Err(ClientError::Closed) };
    registry.begin_period();
    info!("revocations are heard");
    loop {
        let revocation = client.next_revocation()?;
        let ended = registry.revoke(revocation.account, revocation.generation, END_LIMIT);
        client.acknowledge(Revoked { generation: revocation.generation, ended })?;
    }
}
