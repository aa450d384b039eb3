//! Login tokens.

use accountd_protocol::agent::Operation;
use accountd_protocol::secret::Secret;

use super::{Caller, done, open};
use crate::error::Error;

impl Caller {
    /// A token of the caller, good for so many seconds.
    pub async fn create_token(&self, lifetime: u32) -> Result<Secret, Error> {
        open!(self.operate(Operation::CreateToken { lifetime }).await?, Token)
    }

    /// Of the caller. One that is not good is void already.
    pub async fn revoke_token(&self, token: Secret) -> Result<(), Error> {
        self.operate(Operation::RevokeToken(token)).await.and_then(done)
    }
}
