//! Users: their accounts, passwords, keys and memberships.

use std::collections::BTreeSet;

use accountd_protocol::agent::{
    Answer, Echoes, KeyFile, Membership, NewPassword, NewUser, Operation, Page, RandomPassword, User, UserChange,
    Window,
};
use accountd_protocol::ended::{Ended, OtherProcesses};
use accountd_protocol::home::HomeState;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::list::KeyTexts;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::role::Role;
use accountd_protocol::secret::Secret;

use super::{Caller, done, open};
use crate::error::Error;
use crate::parts::Parts;

impl Caller {
    /// Got in parts, whatever the window's size.
    pub async fn users(&self, window: Window) -> Result<Page<User>, Error> {
        let mut parts = Parts::of(window);
        while let Some(part) = parts.missing() {
            let page = open!(self.operate(Operation::ListUsers(part.clone())).await?, Users)?;
            parts.add(&part, page);
        }
        Ok(parts.into_page())
    }

    pub async fn user(&self, id: AccountId) -> Result<User, Error> {
        open!(self.operate(Operation::GetUser(id)).await?, User).map(|user| *user)
    }

    /// A part of a list in one exchange: for users without their key files.
    pub async fn find_users(&self, window: Window) -> Result<Page<User>, Error> {
        let window = Window { keys: KeyTexts::LeftOut, ..window };
        open!(self.operate(Operation::ListUsers(window)).await?, Users)
    }

    /// A user without its key file.
    pub async fn find_user(&self, who: AccountRef) -> Result<User, Error> {
        open!(self.operate(Operation::FindUser(who)).await?, User).map(|user| *user)
    }

    pub async fn create_user(&self, new: NewUser) -> Result<User, Error> {
        open!(self.operate(Operation::CreateUser(new)).await?, User).map(|user| *user)
    }

    /// All of them or none; gives their ids in the same order.
    pub async fn create_users(&self, new: Vec<NewUser>) -> Result<Vec<AccountId>, Error> {
        open!(self.operate(Operation::CreateUsers(new)).await?, Created)
    }

    pub async fn update_user(&self, id: AccountId, change: UserChange, only_if: Precondition) -> Result<User, Error> {
        open!(self.operate(Operation::UpdateUser { id, change, only_if }).await?, User).map(|user| *user)
    }

    /// With a password that the agent makes, which is said here and never again.
    pub async fn create_user_with_password(&self, new: NewUser) -> Result<(User, Secret), Error> {
        let new = NewUser { password: NewPassword::Random, ..new };
        with_password(self.operate(Operation::CreateUser(new)).await?)
    }

    /// The same for a user that is there.
    pub async fn update_user_with_password(
        &self,
        id: AccountId,
        change: UserChange,
        only_if: Precondition,
    ) -> Result<(User, Secret), Error> {
        let change = UserChange { random_password: RandomPassword::Made, ..change };
        with_password(self.operate(Operation::UpdateUser { id, change, only_if }).await?)
    }

    /// Gives what was ended of it.
    pub async fn delete_user(
        &self,
        id: AccountId,
        (home, processes): (DeletedHome, OtherProcesses),
        only_if: Precondition,
    ) -> Result<Ended, Error> {
        open!(self.operate(Operation::DeleteUser { id, home, processes, only_if }).await?, Ended)
    }

    /// Locks a user and ends what runs for it.
    pub async fn disable_user(
        &self,
        id: AccountId,
        processes: OtherProcesses,
        only_if: Precondition,
    ) -> Result<Ended, Error> {
        open!(self.operate(Operation::DisableUser { id, processes, only_if }).await?, Ended)
    }

    /// Sets owners and modes so that the keys of a user count.
    pub async fn repair_keys(&self, id: AccountId) -> Result<User, Error> {
        open!(self.operate(Operation::RepairKeys(id)).await?, User).map(|user| *user)
    }

    pub async fn set_password(&self, id: AccountId, password: Secret, only_if: Precondition) -> Result<User, Error> {
        open!(self.operate(Operation::SetPassword { id, password, only_if }).await?, User).map(|user| *user)
    }

    pub async fn keys(&self, id: AccountId) -> Result<KeyFile, Error> {
        open!(self.operate(Operation::ListKeys(id)).await?, Keys)
    }

    /// Replaces the text of the key file.
    pub async fn set_keys(&self, id: AccountId, keys: String, only_if: Precondition) -> Result<KeyFile, Error> {
        open!(self.operate(Operation::SetKeys { id, keys, only_if }).await?, Keys)
    }

    /// The caller's own.
    pub async fn change_own_password(&self, current: Secret, password: Secret) -> Result<(), Error> {
        self.operate(Operation::ChangeOwnPassword { current, password }).await.and_then(done)
    }

    /// The caller's own: another password, if one is given, and what dialects are to say again.
    pub async fn change_own_profile(&self, password: Option<Secret>, echoes: Echoes) -> Result<(), Error> {
        self.operate(Operation::ChangeOwnProfile { password, echoes }).await.and_then(done)
    }

    /// The home of a user, and how far a transfer of it is.
    pub async fn home(&self, id: AccountId) -> Result<HomeState, Error> {
        open!(self.operate(Operation::GetHome(id)).await?, Home).map(|home| *home)
    }

    /// The supplementary groups of a user.
    pub async fn memberships(&self, id: AccountId) -> Result<Vec<Membership>, Error> {
        open!(self.operate(Operation::ListMemberships(id)).await?, Memberships)
    }

    /// Replaces the supplementary groups of a user by those of these names that exist.
    pub async fn set_memberships(&self, id: AccountId, groups: Vec<String>) -> Result<Vec<Membership>, Error> {
        open!(self.operate(Operation::SetMemberships { id, groups }).await?, Memberships)
    }

    /// Puts a user into the groups that give these roles, and out of those that give others.
    pub async fn set_roles(&self, id: AccountId, roles: BTreeSet<Role>, only_if: Precondition) -> Result<User, Error> {
        open!(self.operate(Operation::SetRoles { id, roles, only_if }).await?, User).map(|user| *user)
    }
}

fn with_password(answer: Answer) -> Result<(User, Secret), Error> {
    match answer {
        Answer::UserWithPassword(user, password) => Ok((*user, password)),
        _ => Err(Error::UnexpectedAnswer),
    }
}
