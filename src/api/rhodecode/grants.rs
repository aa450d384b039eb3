//! Who may do what with a repository. 1.2 has a method for it that gives and takes, later versions have two.

use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::{Problem, Refusal};
use accountd_protocol::repository::{Access, Grantee, GranteeRef, RepositoryId, RepositoryProblem, RepositoryRef};
use serde_json::Value;

use super::arguments::Reference;
use super::call::Call;
use super::error::Error;
use super::parameter::Argument;
use super::permission;
use super::users::is_anonymous;
use super::wording::{Grant, Whom};

/// Whom it is about, and by which argument.
#[derive(Clone, Copy)]
enum To {
    User,
    Group,
}

impl To {
    fn argument(self) -> Argument {
        match self {
            To::User => Argument::User,
            To::Group => Argument::Group,
        }
    }
}

/// What somebody is to have.
#[derive(Clone, Copy)]
enum Wanted {
    /// What the argument says: nothing, where it says nothing.
    Asked,
    Nothing,
}

pub async fn add_user(call: &Call) -> Result<Value, Error> {
    edit(call, To::User, Wanted::Asked).await.map(|()| Value::Null)
}

pub async fn add_group(call: &Call) -> Result<Value, Error> {
    edit(call, To::Group, Wanted::Asked).await.map(|()| Value::Null)
}

pub async fn grant_user(call: &Call) -> Result<Value, Error> {
    edit(call, To::User, Wanted::Asked).await.map(|()| said(call, To::User, Wanted::Asked))
}

pub async fn grant_group(call: &Call) -> Result<Value, Error> {
    edit(call, To::Group, Wanted::Asked).await.map(|()| said(call, To::Group, Wanted::Asked))
}

pub async fn revoke_user(call: &Call) -> Result<Value, Error> {
    edit(call, To::User, Wanted::Nothing).await.map(|()| said(call, To::User, Wanted::Nothing))
}

pub async fn revoke_group(call: &Call) -> Result<Value, Error> {
    edit(call, To::Group, Wanted::Nothing).await.map(|()| said(call, To::Group, Wanted::Nothing))
}

async fn edit(call: &Call, to: To, wanted: Wanted) -> Result<(), Error> {
    let (words, called) = (call.words, Called::of(call, to));
    let grant = called.grant(to);
    let failed = || words.permission_not_edited(&grant);
    let found = call.repository().await.map_err(Error::or_said(failed()))?;
    let repository = found.ok_or_else(|| Error::Said(words.no_repository_for_permission(&grant)))?;
    let grantee = grantee(call, to, repository.id).await.map_err(Error::or_said(failed()))?;
    let grantee = grantee.ok_or_else(|| Error::Said(words.nobody_for_permission(&grant)))?;
    let access = match wanted {
        Wanted::Nothing => Access::None,
        Wanted::Asked => asked(call).ok_or_else(|| Error::Said(words.no_permission(&grant)))?,
    };
    match call.caller.grant_repository(RepositoryRef::Id(repository.id), grantee, access).await {
        Ok(_) => Ok(()),
        // It has it.
        Err(error) if access == Access::Admin && is_of_owner(&error) => Ok(()),
        Err(error) => Err(Error::or_said(failed())(error)),
    }
}

async fn grantee(call: &Call, to: To, repository: RepositoryId) -> Result<Option<Grantee>, accountd_core::Error> {
    let seen = match to {
        To::User if is_anonymous(call.arguments.reference(Argument::User).as_ref()) => Ok(Some(Grantee::Others)),
        To::User => call.user(Argument::User).await.map(|user| user.map(|user| Grantee::User(user.id))),
        To::Group => call.group().await.map(|group| group.map(|group| Grantee::Group(group.id))),
    };
    match seen {
        Err(accountd_core::Error::Refused(Refusal::NotPermitted)) => unseen(call, to, repository).await,
        seen => seen,
    }
}

/// For whoever may give something and does not see accounts.
async fn unseen(call: &Call, to: To, repository: RepositoryId) -> Result<Option<Grantee>, accountd_core::Error> {
    let which = match call.arguments.reference(to.argument()) {
        None => Vec::new(),
        Some(Reference::Id(id)) => vec![AccountRef::Id(id)],
        Some(Reference::Name(name)) => {
            let number = Reference::as_number(&name).map(AccountRef::Id);
            [AccountRef::Name(name)].into_iter().chain(number).collect()
        }
    };
    for who in which {
        let whom = match to {
            To::User => GranteeRef::User(who),
            To::Group => GranteeRef::Group(who),
        };
        match call.caller.grantee(RepositoryRef::Id(repository), whom).await {
            Ok(grantee) => return Ok(Some(grantee)),
            Err(accountd_core::Error::Refused(Refusal::Invalid(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// An empty text is as good as null.
fn asked(call: &Call) -> Option<Access> {
    match call.arguments.text(Argument::Permission).ok()? {
        None | Some("") => Some(Access::None),
        Some(name) => permission::parse(name),
    }
}

fn is_of_owner(error: &accountd_core::Error) -> bool {
    let accountd_core::Error::Refused(Refusal::Invalid(invalid)) = error else { return false };
    invalid.iter().all(|one| one.problem == Problem::Repository(RepositoryProblem::IsOwner))
}

fn said(call: &Call, to: To, wanted: Wanted) -> Value {
    let called = Called::of(call, to);
    match wanted {
        Wanted::Asked => call.words.permission_granted(&called.grant(to)),
        Wanted::Nothing => call.words.permission_revoked(&called.grant(to)),
    }
}

/// What everything was called in the request.
struct Called {
    permission: String,
    who: String,
    repository: String,
}

impl Called {
    fn of(call: &Call, to: To) -> Self {
        let shown = |argument| call.arguments.shown(argument);
        Self {
            permission: shown(Argument::Permission),
            who: shown(to.argument()),
            repository: shown(Argument::Repository),
        }
    }

    fn grant(&self, to: To) -> Grant<'_> {
        let whom = match to {
            To::User => Whom::User(&self.who),
            To::Group => Whom::Group(&self.who),
        };
        Grant { permission: &self.permission, whom, repository: &self.repository }
    }
}
