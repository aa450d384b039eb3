//! The second factor of an account.

use accountd_protocol::agent::Operation;
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::secret::Secret;
use accountd_protocol::two_factor::{Enrolment, TwoFactor};

use super::{Caller, done, open};
use crate::error::Error;

impl Caller {
    pub async fn two_factor(&self, user: AccountId) -> Result<TwoFactor, Error> {
        open!(self.operate(Operation::GetTwoFactor(user)).await?, TwoFactor)
    }

    /// What is to be shown to the caller's authenticator; it counts once it is confirmed.
    pub async fn begin_two_factor(&self, user: AccountId) -> Result<Enrolment, Error> {
        open!(self.operate(Operation::BeginTwoFactor(user)).await?, Enrolment)
    }

    /// The recovery codes, which are said here and never again. A secret that is given has to be the one that
    /// was begun.
    pub async fn confirm_two_factor(
        &self,
        user: AccountId,
        secret: Option<Secret>,
        code: Secret,
    ) -> Result<Vec<Secret>, Error> {
        open!(self.operate(Operation::ConfirmTwoFactor { user, secret, code }).await?, RecoveryCodes)
    }

    pub async fn cancel_two_factor(&self, user: AccountId, only_if: Precondition) -> Result<(), Error> {
        self.operate(Operation::CancelTwoFactor { user, only_if }).await.and_then(done)
    }
}
