//! Passwords that the agent makes for somebody, and says once, in its answer.

use accountd_protocol::agent::{NewPassword, NewUser, RandomPassword, UserChange};
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use crate::agent::Agent;
use crate::error::Error;
use crate::identity::random_password;

impl Agent {
    /// Gives a new user that is to have one a password that is made.
    pub(super) fn make_for_new(&self, new: &mut NewUser) -> Result<Option<Secret>, Refusal> {
        match new.password {
            NewPassword::Random => {
                let made = self.make_password()?;
                new.password = NewPassword::Clear(made.clone());
                Ok(Some(made))
            }
            NewPassword::Clear(_) | NewPassword::Hashed(_) | NewPassword::Kept(_) | NewPassword::Disabled => Ok(None),
        }
    }

    /// The same for a user that is there.
    pub(super) fn make_for(&self, change: &mut UserChange) -> Result<Option<Secret>, Refusal> {
        match change.random_password {
            RandomPassword::No => Ok(None),
            RandomPassword::Made if change.password.is_some() => {
                Err(Refusal::invalid(Field::RandomPassword, Problem::MustBeAbsent))
            }
            RandomPassword::Made => {
                let made = self.make_password()?;
                change.password = Some(made.clone());
                Ok(Some(made))
            }
        }
    }

    fn make_password(&self) -> Result<Secret, Refusal> {
        let policy = self.password_policy(&*self.database.certain_view()?);
        random_password::make(&policy).map_err(|error| Error::RandomPassword(error).into_refusal())
    }
}
