//! One call of a method: who asks, with which arguments, in whose words it is answered.

use accountd_core::Caller;
use accountd_protocol::agent::{Group, User};
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{Repository, RepositoryFault, RepositoryId, RepositoryRef};
use serde_json::Value;

use super::arguments::{Arguments, Given, Reference};
use super::error::Error;
use super::method::Method;
use super::parameter::Argument;
use super::wording::Words;
use super::{grants, groups, members, pull, repositories, users};

pub struct Call {
    pub caller: Caller,
    pub words: Words,
    pub arguments: Arguments,
    method: Method,
}

impl Call {
    pub fn of(caller: Caller, words: Words, (method, given): (String, Given)) -> Result<Self, Error> {
        if method.starts_with('_') {
            return Err(Error::NotAllowed);
        }
        let Some(known) = Method::named(&method) else { return Err(Error::NoSuchMethod(method)) };
        let arguments = Arguments::of(given, known, words.0)?;
        Ok(Self { caller, words, arguments, method: known })
    }

    pub async fn perform(&self) -> Result<Value, Error> {
        match self.method {
            Method::GetUsers => users::list(self).await,
            Method::GetUser => users::show(self).await,
            Method::CreateUser => users::create(self).await,
            Method::UpdateUser => users::update(self).await,
            Method::DeleteUser => users::delete(self).await,
            Method::GetUsersGroups => groups::list(self).await,
            Method::GetUsersGroup => groups::show(self).await,
            Method::CreateUsersGroup => groups::create(self).await,
            Method::AddUserToUsersGroup => members::add(self).await,
            Method::RemoveUserFromUsersGroup => members::remove(self).await,
            Method::GetRepos => repositories::list(self).await,
            Method::GetRepo => repositories::show(self).await,
            Method::CreateRepo => repositories::create(self).await,
            Method::DeleteRepo => repositories::delete(self).await,
            Method::AddUserToRepo => grants::add_user(self).await,
            Method::AddUsersGroupToRepo => grants::add_group(self).await,
            Method::GrantUserPermission => grants::grant_user(self).await,
            Method::RevokeUserPermission => grants::revoke_user(self).await,
            Method::GrantUsersGroupPermission => grants::grant_group(self).await,
            Method::RevokeUsersGroupPermission => grants::revoke_group(self).await,
            Method::Pull => pull::pull(self).await,
        }
    }

    /// The user that an argument calls, by its name or else its number. Those that belong to the system are
    /// not there, but for its administrator.
    pub async fn user(&self, argument: Argument) -> Result<Option<User>, accountd_core::Error> {
        let Some(reference) = self.arguments.reference(argument) else { return Ok(None) };
        let by_id = |id| self.caller.find_user(AccountRef::Id(id));
        let found = match reference {
            Reference::Id(id) => there(by_id(id).await)?,
            Reference::Name(name) => {
                let called = there(self.caller.find_user(AccountRef::Name(name.clone())).await)?;
                match (called, Reference::as_number(&name)) {
                    (None, Some(id)) => there(by_id(id).await)?,
                    (called, _) => called,
                }
            }
        };
        Ok(found.filter(is_shown))
    }

    /// The same of a users group.
    pub async fn group(&self) -> Result<Option<Group>, accountd_core::Error> {
        let Some(reference) = self.arguments.reference(Argument::Group) else { return Ok(None) };
        let by_id = |id: AccountId| self.caller.find_group(AccountRef::Id(id));
        let found = match reference {
            Reference::Id(id) => there(by_id(id).await)?,
            Reference::Name(name) => {
                let called = there(self.caller.find_group(AccountRef::Name(name.clone())).await)?;
                match (called, Reference::as_number(&name)) {
                    (None, Some(id)) => there(by_id(id).await)?,
                    (called, _) => called,
                }
            }
        };
        Ok(found.filter(|group| !group.builtin))
    }

    /// The same of a repository, as far as the caller may know of it.
    pub async fn repository(&self) -> Result<Option<Repository>, accountd_core::Error> {
        let Some(reference) = self.arguments.reference(Argument::Repository) else { return Ok(None) };
        let find = |which| self.caller.repository(which);
        let by_id = |AccountId(id)| RepositoryRef::Id(RepositoryId(id));
        match reference {
            Reference::Id(id) => there(find(by_id(id)).await),
            Reference::Name(name) => {
                let called = there(find(RepositoryRef::Name(name.clone())).await)?;
                match (called, Reference::as_number(&name)) {
                    (None, Some(id)) => there(find(by_id(id)).await),
                    (called, _) => Ok(called),
                }
            }
        }
    }

    /// What is said where an argument is no good in itself, so that the core is not asked: whoever could not
    /// have had it done is told that instead, as by the core.
    pub async fn refused(&self, said: String) -> Error {
        match self.caller.find_user(AccountRef::Caller).await {
            Ok(user) if user.roles.is_empty() => Error::Denied,
            Ok(_) => Error::Said(said),
            Err(error) => Error::or_said(said)(error),
        }
    }
}

/// Of accounts that were there before this program, only root is one of this API's.
pub fn is_shown(user: &User) -> bool {
    !user.builtin || user.uid == Uid::ROOT
}

/// `None` where it is not there.
pub fn there<T>(found: Result<T, accountd_core::Error>) -> Result<Option<T>, accountd_core::Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(accountd_core::Error::Refused(Refusal::NotFound | Refusal::Repository(RepositoryFault::NotFound))) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
