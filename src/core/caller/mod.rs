//! One method for each operation of the agent, in the name of one credential.

mod api_keys;
mod connections;
mod groups;
mod jobs;
mod machine;
mod quotas;
mod records;
mod repositories;
mod second_factor;
mod ssh_keys;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

use std::sync::Arc;

use accountd_protocol::agent::{AgentRequest, Answer, Handle, Operation};
use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::Refusal;

use crate::credential::Credential;
use crate::error::Error;
use crate::handles::{Opened, Slot};
use crate::{Core, pool::Answered};

/// Somebody whose credential the agent has accepted. What they may is decided by the agent again
/// for each operation.
#[derive(Clone, Debug)]
pub struct Caller {
    core: Core,
    shown: Shown,
    handle: Handle,
}

/// How the caller has said who it is.
#[derive(Clone, Debug)]
enum Shown {
    /// By a credential, which can be shown again.
    Credential { credential: Credential, slot: Arc<Slot>, name: String },
    /// By a handle that the agent has given it itself, or by what is good once. This is the name of its account.
    Handle { name: String },
}

/// Opens the one answer that fits an operation.
macro_rules! open {
    ($answer:expr, $variant:ident) => {
        match $answer {
            accountd_protocol::agent::Answer::$variant(content) => Ok(content),
            _ => Err($crate::Error::UnexpectedAnswer),
        }
    };
}

use open;

impl Caller {
    pub(crate) fn new(
        core: Core,
        (credential, slot): (Credential, Arc<Slot>),
        Opened { handle, name }: Opened,
    ) -> Self {
        Self { core, shown: Shown::Credential { credential, slot, name }, handle }
    }

    /// For as long as one request takes: what was shown can't be shown again.
    pub(crate) fn for_once(core: Core, Opened { handle, name }: Opened) -> Self {
        Self { core, shown: Shown::Handle { name }, handle }
    }

    pub(crate) async fn of_handle(core: Core, handle: Handle) -> Result<Self, Error> {
        let unnamed = Self { core, shown: Shown::Handle { name: String::new() }, handle };
        let name = unnamed.find_user(AccountRef::Caller).await?.name;
        Ok(Self { shown: Shown::Handle { name }, ..unnamed })
    }

    /// The name that the credential was shown with, or that the account of a key or a handle has.
    pub fn name(&self) -> &str {
        match &self.shown {
            Shown::Credential { name, .. } | Shown::Handle { name } => name,
        }
    }

    /// A handle that the agent no longer knows costs one more try with the credential itself, where
    /// there is one.
    async fn operate(&self, operation: Operation) -> Result<Answer, Error> {
        let request = AgentRequest::Operate { caller: self.handle.clone(), operation: Box::new(operation) };
        let Answered { mut request, reply } = self.core.inner.pool.call(request).await?;
        if !matches!(reply, Err(Refusal::StaleHandle)) {
            return Ok(reply?);
        }
        let Shown::Credential { credential, slot, name: _ } = &self.shown else { return Ok(reply?) };
        let fresh = self.core.reopen(credential, slot).await?;
        if let AgentRequest::Operate { caller, .. } = &mut request {
            *caller = fresh;
        }
        Ok(self.core.inner.pool.call(request).await?.reply?)
    }
}

fn done(answer: Answer) -> Result<(), Error> {
    match answer {
        Answer::Done => Ok(()),
        _ => Err(Error::UnexpectedAnswer),
    }
}
