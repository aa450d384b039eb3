//! Passwords that the agent makes for somebody, and says once, in its answer.

use accountd_protocol::agent::{Answer, NewPassword, NewUser, RandomPassword, Reply, UserChange};
use accountd_protocol::audit::Actor;
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use crate::agent::Agent;
use crate::error::Error;
use crate::identity::random_password;

impl Agent {
    pub(crate) fn create_with_password(&self, by: &Actor, mut new: NewUser) -> Reply {
        let made = match new.password {
            NewPassword::Random => {
                let made = self.make_password()?;
                new.password = NewPassword::Clear(made.clone());
                Some(made)
            }
            NewPassword::Clear(_) | NewPassword::Hashed(_) | NewPassword::Disabled => None,
        };
        let user = Box::new(self.create_user(by, new)?);
        Ok(match made {
            Some(made) => Answer::UserWithPassword(user, made),
            None => Answer::User(user),
        })
    }

    pub(crate) fn update_with_password(
        &self,
        by: &Actor,
        id: AccountId,
        change: UserChange,
        only_if: &Precondition,
    ) -> Reply {
        match change.random_password {
            RandomPassword::No => self.update_user(by, id, change, only_if).map(|user| Answer::User(Box::new(user))),
            RandomPassword::Made if change.password.is_some() => {
                Err(Refusal::invalid(Field::RandomPassword, Problem::MustBeAbsent))
            }
            RandomPassword::Made => {
                let made = self.make_password()?;
                let change = UserChange { password: Some(made.clone()), ..change };
                let user = self.update_user(by, id, change, only_if)?;
                Ok(Answer::UserWithPassword(Box::new(user), made))
            }
        }
    }

    fn make_password(&self) -> Result<Secret, Refusal> {
        let policy = self.password_policy(&*self.database.certain_view()?);
        random_password::make(&policy).map_err(|error| Error::RandomPassword(error).into_refusal())
    }
}
