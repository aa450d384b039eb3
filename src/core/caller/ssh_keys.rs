//! SSH keys of a user, one by one.

use accountd_protocol::agent::{Answer, Operation};
use accountd_protocol::id::AccountId;
use accountd_protocol::ssh_key::{KeyTitle, SshKey, SshKeyId};

use super::{Caller, done, open};
use crate::error::Error;

impl Caller {
    /// In the order in which they were added.
    pub async fn ssh_keys(&self, user: AccountId) -> Result<Vec<SshKey>, Error> {
        open!(self.operate(Operation::ListSshKeys(user)).await?, SshKeys)
    }

    /// Adds one line to the key file.
    pub async fn add_ssh_key(&self, user: AccountId, title: KeyTitle, line: String) -> Result<SshKey, Error> {
        open!(self.operate(Operation::AddSshKey { user, title, line }).await?, SshKey).map(|key| *key)
    }

    pub async fn delete_ssh_key(&self, user: AccountId, id: SshKeyId) -> Result<(), Error> {
        self.operate(Operation::DeleteSshKey { user, id }).await.and_then(done)
    }

    /// Whose key it is; `None` for one that is not there.
    pub async fn ssh_key_owner(&self, id: SshKeyId) -> Result<Option<AccountId>, Error> {
        match self.operate(Operation::FindSshKey(id)).await? {
            Answer::Resolved(owners) => Ok(owners.into_iter().next().flatten()),
            _ => Err(Error::UnexpectedAnswer),
        }
    }
}
