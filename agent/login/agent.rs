//! Questions to the agent, over a few connections that are kept.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use accountd_protocol::agent::{AgentRequest, Answer, Decision, KeyOffer, Reply};
use accountd_protocol::client::{AgentClient, ClientError};
use accountd_protocol::login::Proof;
use accountd_protocol::metrics::LoginReport;
use tracing::{debug, warn};

/// The most connections that are kept for later.
const KEPT: usize = 8;

/// The way to the agent. When it can't be reached, the answer is no.
#[derive(Debug)]
pub struct Agent {
    socket: PathBuf,
    idle: Mutex<Vec<AgentClient>>,
}

impl Agent {
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, idle: Mutex::default() }
    }

    pub fn key_acceptable(&self, user: String, key: Vec<u8>, source: IpAddr, offer: KeyOffer) -> bool {
        let request = AgentRequest::OfferKey { user, key, source, offer };
        matches!(self.ask(&request), Ok(Ok(Answer::KeyAcceptable(true))))
    }

    pub fn decide(&self, user: String, proof: Proof, source: IpAddr) -> Decision {
        match self.ask(&AgentRequest::Decide { user, proof, source }) {
            Ok(Ok(Answer::Decision(decision))) => decision,
            Ok(answer) => {
                warn!(?answer, "the agent did not answer with a decision; the login is refused");
                Decision::Refused { wait_milliseconds: 0 }
            }
            Err(error) => {
                warn!(%error, "the agent can not be asked; the login is refused");
                Decision::Refused { wait_milliseconds: 0 }
            }
        }
    }

    /// What has been counted. An agent that can't be asked is told the next time.
    pub fn report(&self, report: LoginReport) {
        match self.ask(&AgentRequest::ReportNumbers(Box::new(report))) {
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => debug!(%refusal, "the agent does not take the numbers"),
            Err(error) => debug!(%error, "the agent can not be told the numbers"),
        }
    }

    /// A kept connection may be one to an agent that has ended: then once more on a new one.
    fn ask(&self, request: &AgentRequest) -> Result<Reply, ClientError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut client) = kept
            && let Ok(reply) = client.call(request)
        {
            self.keep(client);
            return Ok(reply);
        }
        let mut client = AgentClient::connect(&self.socket)?;
        let reply = client.call(request)?;
        self.keep(client);
        Ok(reply)
    }

    fn keep(&self, client: AgentClient) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(client);
        }
    }
}
