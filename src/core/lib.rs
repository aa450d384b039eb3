//! The operations that every dialect of the REST front calls.
//!
//! Nothing here knows HTTP, and nothing here decides: [`Core`] keeps connections to the agent and
//! remembers for a short time which credential stands for which handle; a [`Caller`] sends one
//! operation after the other in the name of that credential.

mod caller;
mod credential;
mod error;
mod handles;
mod parts;
mod pool;
#[cfg(test)]
mod scripted_agent;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use accountd_protocol::agent::{AgentRequest, Answer, Handle};
use accountd_protocol::secret::Secret;

pub use caller::Caller;
pub use error::Error;

use credential::{Credential, DigestKey};
use handles::{Handles, Slot};
use pool::Pool;

/// The way to the agent, shared by all requests. Clones share everything.
#[derive(Clone, Debug)]
pub struct Core {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: Arc<Pool>,
    key: DigestKey,
    handles: Handles,
}

impl Core {
    /// Connects when the first request needs it, so the agent may start later.
    pub fn new(agent_socket: impl Into<PathBuf>) -> Result<Self, Error> {
        let inner = Inner {
            pool: Arc::new(Pool::new(agent_socket.into())),
            key: DigestKey::random()?,
            handles: Handles::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Who shows this credential. Checked by the agent, or remembered from a moment ago.
    pub async fn caller(&self, user: &str, password: Secret, source: IpAddr) -> Result<Caller, Error> {
        let credential = Credential::new(user, password, source, &self.inner.key);
        let slot = self.inner.handles.slot(&credential.digest, Instant::now());
        let handle = self.open(&credential, &slot).await?;
        Ok(Caller::new(self.clone(), credential, slot, handle))
    }

    /// Who has got this handle from the agent itself; it is asked whether it is good now.
    pub async fn caller_of_handle(&self, handle: Handle) -> Result<Caller, Error> {
        Caller::of_handle(self.clone(), handle).await
    }

    /// Whether the agent answers.
    pub async fn ready(&self) -> Result<(), Error> {
        match self.inner.pool.call(AgentRequest::Ping).await?.reply? {
            Answer::Done => Ok(()),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    /// The handle of a slot, fetched once however many requests wait for it.
    async fn open(&self, credential: &Credential, slot: &Arc<Slot>) -> Result<Handle, Error> {
        let opened = slot.handle.get_or_try_init(|| self.show(credential)).await.cloned();
        if opened.is_err() {
            self.inner.handles.forget(&credential.digest, slot);
        }
        opened
    }

    /// Another handle for a credential whose handle the agent no longer knows.
    async fn reopen(&self, credential: &Credential, stale: &Arc<Slot>) -> Result<Handle, Error> {
        self.inner.handles.forget(&credential.digest, stale);
        let slot = self.inner.handles.slot(&credential.digest, Instant::now());
        self.open(credential, &slot).await
    }

    async fn show(&self, credential: &Credential) -> Result<Handle, Error> {
        let request = AgentRequest::OpenHandle {
            user: credential.user.clone(),
            password: credential.password.clone(),
            source: credential.source,
        };
        match self.inner.pool.call(request).await?.reply? {
            Answer::Handle(handle) => Ok(handle),
            _ => Err(Error::UnexpectedAnswer),
        }
    }
}
