//! A bounded number of blocking connections to the agent, used from the runtime's blocking threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, Reply};
use accountd_protocol::kept_clients::KeptClients;
use tokio::sync::Semaphore;

use crate::error::Error;

/// The most requests that the agent has from us at a time.
const CONNECTIONS: usize = 32;
/// How long a request waits for one of them.
const WAIT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Pool {
    clients: KeptClients,
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
        let clients = KeptClients::new(socket, CONNECTIONS);
        Self { clients, places: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Sends a request and waits for its answer. When the caller gives up, the exchange is
    /// finished all the same, so that its connection stays in step.
    pub async fn call(self: &Arc<Self>, request: AgentRequest) -> Result<Answered, Error> {
        let waiting = tokio::time::timeout(WAIT, self.places.clone().acquire_owned());
        let place = waiting.await.map_err(|_| Error::Saturated)?.map_err(|_| Error::Saturated)?;
        let pool = self.clone();
        let exchange = tokio::task::spawn_blocking(move || {
            let reply = pool.clients.call(&request);
            drop(place);
            Ok(Answered { request, reply: reply? })
        });
        exchange.await.map_err(Error::Task)?
    }
}
