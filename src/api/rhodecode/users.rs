//! The methods of users.

use accountd_core::Caller;
use accountd_protocol::agent::{User, Window};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::list::{Direction, Filter, KeyTexts, SortBy, SortKey};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::role::Role;
use serde_json::{Value, json};

use super::arguments::Reference;
use super::call::{Call, is_shown, there};
use super::error::Error;
use super::new_user::new_user;
use super::parameter::Argument;
use super::user_change::user_change;
use super::{anonymous, output};

pub async fn list(call: &Call) -> Result<Value, Error> {
    let users = all(&call.caller).await.map_err(Error::of)?;
    let shown = users.iter().map(output::user);
    Ok([anonymous::shown()].into_iter().chain(shown).collect())
}

pub async fn show(call: &Call) -> Result<Value, Error> {
    let reference = call.arguments.reference(Argument::User);
    if is_anonymous(reference.as_ref()) {
        // Whoever may see nobody does not see it either.
        call.caller.find_users(Window::part(0, 0, Vec::new())).await.map_err(Error::of)?;
        return Ok(json!(anonymous::shown()));
    }
    let found = match call.arguments.has(Argument::User) {
        true => call.user(Argument::User).await,
        false => call.caller.find_user(AccountRef::Caller).await.map(Some),
    };
    match found.map_err(Error::of)? {
        Some(user) => Ok(json!(output::user(&user))),
        None => call.words.missing_user(&call.arguments.shown(Argument::User)).map_err(Error::Said),
    }
}

/// An account that is there is never changed by this, whatever case its name is in.
pub async fn create(call: &Call) -> Result<Value, Error> {
    let (caller, words) = (&call.caller, call.words);
    let name = call.arguments.shown(Argument::NewUserName);
    let failed = || words.user_not_created(&name);
    let Ok((new, roles)) = new_user(&call.arguments) else {
        let exists = name == anonymous::NAME || is_taken(caller, &name).await.map_err(Error::or_said(failed()))?;
        return Err(call.refused(if exists { words.user_exists(&name) } else { failed() }).await);
    };
    if is_taken(caller, &name).await.map_err(Error::or_said(failed()))? {
        return Err(Error::Said(words.user_exists(&name)));
    }
    let email = new.email.as_str().to_owned();
    if has_email(caller, (&email, None)).await.map_err(Error::or_said(failed()))? {
        return Err(Error::Said(words.email_exists(&email, &name)));
    }
    if !roles.is_empty() {
        may_give_roles(caller).await?;
    }
    let mut user = caller.create_user(new).await.map_err(|error| match is_duplicate(&error) {
        true => Error::Said(words.user_exists(&name)),
        false => Error::or_said(failed())(error),
    })?;
    if !roles.is_empty() {
        user = match caller.set_roles(user.id, roles, Precondition::None).await {
            Ok(user) => user,
            Err(error) => {
                take_back(caller, user.id).await;
                return Err(Error::or_said(failed())(error));
            }
        };
    }
    Ok(words.user_created((user.id, &user.name), json!(output::user(&user))))
}

pub async fn update(call: &Call) -> Result<Value, Error> {
    let (caller, words) = (&call.caller, call.words);
    let called = call.arguments.shown(Argument::User);
    let failed = || words.user_not_updated(&called);
    let found = call.user(Argument::User).await.map_err(Error::or_said(failed()))?;
    let Some(user) = found else {
        return Err(Error::Said(words.no_user(&called)));
    };
    let Ok((change, roles)) = user_change(&user, &call.arguments) else {
        return Err(call.refused(failed()).await);
    };
    let email = change.email.as_ref().map(|email| email.as_str().to_owned()).unwrap_or_default();
    if has_email(caller, (&email, Some(user.id))).await.map_err(Error::or_said(failed()))? {
        return Err(Error::Said(failed()));
    }
    let before = user.roles.iter().copied().collect();
    if let Some(roles) = roles.clone() {
        caller.set_roles(user.id, roles, Precondition::None).await.map_err(Error::or_said(failed()))?;
    }
    let updated = match caller.update_user(user.id, change, Precondition::None).await {
        Ok(updated) => updated,
        Err(error) => {
            if roles.is_some()
                && let Err(error) = caller.set_roles(user.id, before, Precondition::None).await
            {
                tracing::error!(%error, user = user.name, "roles stay as they were asked for, the rest does not");
            }
            return Err(Error::or_said(failed())(error));
        }
    };
    Ok(words.user_updated((updated.id, &updated.name), json!(output::user(&updated))))
}

/// The home stays.
pub async fn delete(call: &Call) -> Result<Value, Error> {
    let called = call.arguments.shown(Argument::User);
    let Some(user) = call.user(Argument::User).await.map_err(Error::of)? else {
        return Err(Error::Said(call.words.no_user(&called)));
    };
    let subject = (user.id, user.name.as_str());
    let left = (DeletedHome::Keep, OtherProcesses::Left);
    let deleted = call.caller.delete_user(user.id, left, Precondition::None).await;
    deleted.map_err(Error::or_said(call.words.user_not_deleted(subject)))?;
    Ok(call.words.user_deleted(subject))
}

/// Every user of this API, by id.
pub async fn all(caller: &Caller) -> Result<Vec<User>, accountd_core::Error> {
    let root = there(caller.find_user(AccountRef::Number(0)).await)?;
    let sort = vec![SortKey { by: SortBy::Id, direction: Direction::Ascending }];
    let window =
        Window { filters: vec![Filter::Builtin(false)], keys: KeyTexts::LeftOut, ..Window::part(0, usize::MAX, sort) };
    let others = caller.users(window).await?.items;
    let mut users: Vec<User> = root.into_iter().filter(is_shown).chain(others).collect();
    users.sort_by_key(|user| user.id);
    users.dedup_by_key(|user| user.id);
    Ok(users)
}

pub fn is_anonymous(reference: Option<&Reference>) -> bool {
    match reference {
        Some(Reference::Id(id)) => *id == anonymous::ID,
        Some(Reference::Name(name)) => name == anonymous::NAME || Reference::as_number(name) == Some(anonymous::ID),
        None => false,
    }
}

/// Whether anybody has just this name, the system's own accounts too.
async fn is_taken(caller: &Caller, name: &str) -> Result<bool, accountd_core::Error> {
    Ok(there(caller.find_user(AccountRef::Name(name.to_owned())).await)?.is_some())
}

/// A mail address is one user's here. Looked for before the change: of two that come at the same time both may
/// get it, which hurts nothing but this rule.
async fn has_email(caller: &Caller, (email, own): (&str, Option<AccountId>)) -> Result<bool, accountd_core::Error> {
    if email.is_empty() {
        return Ok(false);
    }
    let window = Window { filters: vec![Filter::Email(email.to_owned())], ..Window::part(0, 2, Vec::new()) };
    let page = caller.find_users(window).await?;
    Ok(page.items.iter().any(|user| Some(user.id) != own))
}

/// So that no account is made in vain: the core asks again when the role is given.
async fn may_give_roles(caller: &Caller) -> Result<(), Error> {
    let own = caller.find_user(AccountRef::Caller).await.map_err(Error::of)?;
    if own.roles.contains(&Role::Administrator) { Ok(()) } else { Err(Error::Denied) }
}

/// An account that could not be made whole.
async fn take_back(caller: &Caller, id: AccountId) {
    let left = (DeletedHome::Keep, OtherProcesses::Left);
    if let Err(error) = caller.delete_user(id, left, Precondition::None).await {
        tracing::error!(%error, %id, "an account that could not be made whole stays");
    }
}

/// Whether somebody else was quicker.
fn is_duplicate(error: &accountd_core::Error) -> bool {
    let accountd_core::Error::Refused(Refusal::Invalid(invalid)) = error else { return false };
    let taken = |one: &Invalid| one.field == Field::UserName && matches!(one.problem, Problem::Duplicate(_));
    invalid.iter().any(taken)
}
