//! Keys for programs.

use accountd_protocol::agent::{Answer, Operation};
use accountd_protocol::api_key::{ApiKey, ApiKeyId, NewApiKey};
use accountd_protocol::id::AccountId;
use accountd_protocol::secret::Secret;

use super::{Caller, done, open};
use crate::error::Error;

impl Caller {
    pub async fn api_keys(&self, user: AccountId) -> Result<Vec<ApiKey>, Error> {
        open!(self.operate(Operation::ListApiKeys(user)).await?, ApiKeys)
    }

    /// With the key itself, which is said here and never again.
    pub async fn create_api_key(&self, user: AccountId, new: NewApiKey) -> Result<(ApiKey, Secret), Error> {
        match self.operate(Operation::CreateApiKey { user, new }).await? {
            Answer::NewApiKey(key, secret) => Ok((*key, secret)),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    pub async fn delete_api_key(&self, user: AccountId, id: ApiKeyId) -> Result<(), Error> {
        self.operate(Operation::DeleteApiKey { user, id }).await.and_then(done)
    }
}
