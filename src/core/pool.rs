//! A bounded number of blocking connections to the agent, used from the runtime's blocking threads.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, Reply};
use accountd_protocol::client::{AgentClient, ClientError};
use accountd_protocol::frame::FrameError;
use tokio::sync::Semaphore;

use crate::error::Error;

/// The most requests that the agent has from us at a time.
const CONNECTIONS: usize = 32;
/// How long a request waits for one of them.
const WAIT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Pool {
    socket: PathBuf,
    idle: Mutex<Vec<AgentClient>>,
    places: Arc<Semaphore>,
}

/// A request that was answered, given back because it can't be copied.
#[derive(Debug)]
pub struct Answered {
    pub request: AgentRequest,
    pub reply: Reply,
}

impl Pool {
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, idle: Mutex::default(), places: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Sends a request and waits for its answer. When the caller gives up, the exchange is
    /// finished all the same, so that its connection stays in step.
    pub async fn call(self: &Arc<Self>, request: AgentRequest) -> Result<Answered, Error> {
        let waiting = tokio::time::timeout(WAIT, self.places.clone().acquire_owned());
        let place = waiting.await.map_err(|_| Error::Saturated)?.map_err(|_| Error::Saturated)?;
        let pool = self.clone();
        let exchange = tokio::task::spawn_blocking(move || {
            let reply = pool.exchange(&request);
            drop(place);
            reply.map(|reply| Answered { request, reply })
        });
        exchange.await.map_err(Error::Task)?
    }

    fn exchange(&self, request: &AgentRequest) -> Result<Reply, Error> {
        if let Some(client) = self.take() {
            match self.exchange_on(client, request) {
                Err(error) if never_sent(&error) => self.idle().clear(),
                result => return Ok(result?),
            }
        }
        Ok(self.exchange_on(AgentClient::connect(&self.socket)?, request)?)
    }

    /// The connection is kept only after a whole answer.
    fn exchange_on(&self, mut client: AgentClient, request: &AgentRequest) -> Result<Reply, ClientError> {
        let reply = client.call(request)?;
        self.idle().push(client);
        Ok(reply)
    }

    fn take(&self) -> Option<AgentClient> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<AgentClient>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only a write fails with EPIPE (write(2), never read(2)), and a frame that is not there whole is
/// never acted on: the agent has been started anew since this connection was made.
fn never_sent(error: &ClientError) -> bool {
    match error {
        ClientError::Frame(FrameError::Io(error)) => error.kind() == ErrorKind::BrokenPipe,
        ClientError::Frame(FrameError::TooLong { .. } | FrameError::Content(_))
        | ClientError::Connect { .. }
        | ClientError::Closed => false,
    }
}
