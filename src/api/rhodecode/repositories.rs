//! The methods of repositories, but for those of their permissions.

use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::repository::{
    CloneUri, NewRepository, RepositoryField, RepositoryKind, RepositoryName, RepositoryRef,
};
use serde_json::{Value, json};

use super::arguments::{Arguments, Unusable};
use super::call::Call;
use super::error::Error;
use super::parameter::Argument;
use super::pull::{Came, fetch};
use super::repository_output as output;

/// Those that the caller may read.
pub async fn list(call: &Call) -> Result<Value, Error> {
    let mut repositories = call.caller.repositories().await.map_err(Error::of)?;
    repositories.sort_by_key(|repository| repository.id);
    Ok(repositories.iter().map(output::repository).collect())
}

pub async fn show(call: &Call) -> Result<Value, Error> {
    match call.repository().await.map_err(Error::of)? {
        Some(repository) => output::with_members(call, &repository).await.map(Value::Object).map_err(Error::of),
        None => call.words.missing_repository(&call.arguments.shown(Argument::Repository)).map_err(Error::Said),
    }
}

pub async fn create(call: &Call) -> Result<Value, Error> {
    let words = call.words;
    let name = call.arguments.shown(Argument::NewRepositoryName);
    let failed = || words.repository_not_created(&name);
    let owner = match call.arguments.has(Argument::Owner) {
        true => {
            let owner = call.user(Argument::Owner).await.map_err(Error::or_said(failed()))?;
            let called = call.arguments.shown(Argument::Owner);
            AccountRef::Id(owner.ok_or_else(|| Error::Said(words.no_owner(&called, &name)))?.id)
        }
        false => AccountRef::Caller,
    };
    let new = new_repository(&call.arguments, owner).map_err(|Unusable| Error::Said(failed()))?;
    let is_clone = new.clone_uri.is_some();
    let made = call.caller.create_repository(new).await.map_err(|error| match is_duplicate(&error) {
        true => Error::Said(words.repository_exists(&name)),
        false => Error::or_said(failed())(error),
    })?;
    if is_clone && !matches!(fetch(&call.caller, made.id).await, Ok(Came::All | Came::NotYet)) {
        // With nothing in it, it is not what was asked for.
        let deleted = call.caller.delete_repository(RepositoryRef::Id(made.id)).await;
        if let Err(error) = deleted {
            tracing::error!(%error, name, "a repository that could not be cloned stays, with nothing in it");
        }
        return Err(Error::Said(failed()));
    }
    Ok(words.repository_created(made.id, &made.name, json!(output::repository(&made))))
}

pub async fn delete(call: &Call) -> Result<Value, Error> {
    let (words, called) = (call.words, call.arguments.shown(Argument::Repository));
    let failed = || words.repository_not_deleted(&called);
    let found = call.repository().await.map_err(Error::or_said(failed()))?;
    let repository = found.ok_or_else(|| Error::Said(words.no_repository(&called)))?;
    let deleted = call.caller.delete_repository(RepositoryRef::Id(repository.id)).await;
    deleted.map_err(Error::or_said(failed()))?;
    Ok(words.repository_deleted(&repository.name))
}

/// One that is not described is called by the end of its name.
fn new_repository(arguments: &Arguments, owner: AccountRef) -> Result<NewRepository, Unusable> {
    let name =
        RepositoryName::new(arguments.required_text(Argument::NewRepositoryName)?).map_err(Unusable::logged("name"))?;
    let text = |argument| Ok(arguments.text(argument)?.filter(|text| !text.is_empty()));
    let kind = match text(Argument::RepositoryType)? {
        Some(kind) => RepositoryKind::parse(kind).ok_or(Unusable)?,
        None => RepositoryKind::Hg,
    };
    let description = match text(Argument::Description)? {
        Some(description) => description.to_owned(),
        None => name.components().last().unwrap_or_default().to_owned(),
    };
    let private = arguments.boolean(Argument::Private)?.unwrap_or(false);
    let clone_uri = text(Argument::CloneUri)?.map(CloneUri::new).transpose().map_err(Unusable::logged("clone_uri"))?;
    Ok(NewRepository { name, kind, owner, description, private, clone_uri })
}

fn is_duplicate(error: &accountd_core::Error) -> bool {
    let accountd_core::Error::Refused(Refusal::Invalid(invalid)) = error else { return false };
    let taken = |one: &Invalid| {
        one.field == Field::Repository(RepositoryField::Name) && matches!(one.problem, Problem::Duplicate(_))
    };
    invalid.iter().any(taken)
}
