//! The operations that every dialect of the REST front calls.
//!
//! Nothing here knows HTTP, and nothing here decides: [`Core`] keeps connections to the agent and
//! remembers for a short time which credential stands for which handle; a [`Caller`] sends one
//! operation after the other in the name of that credential.

mod caller;
mod credential;
mod dialects;
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
use accountd_protocol::dialects::Dialects;
use accountd_protocol::secret::Secret;

pub use caller::Caller;
pub use error::Error;

use credential::{Credential, DigestKey, Proof};
use dialects::KnownDialects;
use handles::{Handles, Opened, Slot};
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
    dialects: KnownDialects,
}

impl Core {
    /// Connects when the first request needs it, so the agent may start later.
    pub fn new(agent_socket: impl Into<PathBuf>) -> Result<Self, Error> {
        let inner = Inner {
            pool: Arc::new(Pool::new(agent_socket.into())),
            key: DigestKey::random()?,
            handles: Handles::default(),
            dialects: KnownDialects::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Who shows this credential. Checked by the agent, or remembered from a moment ago; with a code, which
    /// is used up by it, always checked.
    pub async fn caller(
        &self,
        user: &str,
        password: Secret,
        code: Option<Secret>,
        source: IpAddr,
    ) -> Result<Caller, Error> {
        self.caller_of(Proof::Password { user: user.to_owned(), password, code }, source).await
    }

    /// The same for what a client of AList makes of the password: the SHA-256, in hexadecimal, of it and a
    /// fixed text behind it.
    pub async fn caller_of_static(
        &self,
        user: &str,
        digest: Secret,
        code: Option<Secret>,
        source: IpAddr,
    ) -> Result<Caller, Error> {
        self.caller_of(Proof::Static { user: user.to_owned(), digest, code }, source).await
    }

    /// Whose login token this is.
    pub async fn caller_of_token(&self, token: Secret, source: IpAddr) -> Result<Caller, Error> {
        self.caller_of(Proof::Token(token), source).await
    }

    /// Who shows nothing, where guests are let in.
    pub async fn caller_of_guest(&self, source: IpAddr) -> Result<Caller, Error> {
        self.caller_of(Proof::Guest, source).await
    }

    /// Whose API key this is. Checked or remembered in the same way.
    pub async fn caller_of_key(&self, key: Secret, source: IpAddr) -> Result<Caller, Error> {
        self.caller_of(Proof::ApiKey(key), source).await
    }

    async fn caller_of(&self, proof: Proof, source: IpAddr) -> Result<Caller, Error> {
        let credential = Credential::new(proof, source, &self.inner.key);
        if credential.proof.is_for_once() {
            return Ok(Caller::for_once(self.clone(), self.show(&credential).await?));
        }
        let slot = self.inner.handles.slot(&credential.digest, Instant::now());
        let opened = self.open(&credential, &slot).await?;
        Ok(Caller::new(self.clone(), (credential, slot), opened))
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

    /// Which dialects the front speaks, and what they go by, as the agent has it.
    pub async fn dialects(&self) -> Result<Dialects, Error> {
        let now = Instant::now();
        if let Some(dialects) = self.inner.dialects.at(now) {
            return Ok(dialects);
        }
        match self.inner.pool.call(AgentRequest::GetDialects).await?.reply? {
            Answer::Dialects(dialects) => {
                self.inner.dialects.set(dialects.clone(), now);
                Ok(dialects)
            }
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    /// The handle of a slot, fetched once however many requests wait for it.
    async fn open(&self, credential: &Credential, slot: &Arc<Slot>) -> Result<Opened, Error> {
        let opened = slot.opened.get_or_try_init(|| self.show(credential)).await.cloned();
        if opened.is_err() {
            self.inner.handles.forget(&credential.digest, slot);
        }
        opened
    }

    /// Another handle for a credential whose handle the agent no longer knows.
    async fn reopen(&self, credential: &Credential, stale: &Arc<Slot>) -> Result<Handle, Error> {
        self.inner.handles.forget(&credential.digest, stale);
        let slot = self.inner.handles.slot(&credential.digest, Instant::now());
        self.open(credential, &slot).await.map(|opened| opened.handle)
    }

    async fn show(&self, credential: &Credential) -> Result<Opened, Error> {
        let source = credential.source;
        let (request, shown) = match &credential.proof {
            Proof::Password { user, password, code } => {
                let (user, password, code) = (user.clone(), password.clone(), code.clone());
                (AgentRequest::OpenHandle { user: user.clone(), password, code, source }, Some(user))
            }
            Proof::Static { user, digest, code } => {
                let (user, digest, code) = (user.clone(), digest.clone(), code.clone());
                (AgentRequest::OpenHandleByStatic { user: user.clone(), digest, code, source }, Some(user))
            }
            Proof::ApiKey(key) => (AgentRequest::OpenHandleByKey { key: key.clone(), source }, None),
            Proof::Token(token) => (AgentRequest::OpenHandleByToken { token: token.clone(), source }, None),
            Proof::Guest => (AgentRequest::OpenGuestHandle { source }, None),
        };
        match (self.inner.pool.call(request).await?.reply?, shown) {
            (Answer::Handle(handle), Some(name)) | (Answer::NamedHandle(handle, name), None) => {
                Ok(Opened { handle, name })
            }
            _ => Err(Error::UnexpectedAnswer),
        }
    }
}
