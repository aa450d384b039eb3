//! The methods of users groups, which are the groups of group(5).

use std::collections::{BTreeMap, HashMap};

use accountd_protocol::agent::{Group, NewGroup, SharedGid, User, Window};
use accountd_protocol::id::{AccountId, AccountRef, Gid};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::list::{Direction, Filter, KeyTexts, SortBy, SortKey};
use accountd_protocol::name::NewGroupName;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::sudo::SudoCommands;
use serde_json::{Value, json};

use super::call::{Call, is_shown, there};
use super::error::Error;
use super::parameter::Argument;
use super::{output, users};

/// All but those that each user has alone.
pub async fn list(call: &Call) -> Result<Value, Error> {
    let sort = vec![SortKey { by: SortBy::Id, direction: Direction::Ascending }];
    let window = Window { filters: vec![Filter::Builtin(false)], ..Window::part(0, usize::MAX, sort) };
    let groups = call.caller.groups(window).await.map_err(Error::of)?.items;
    let users = users::all(&call.caller).await.map_err(Error::of)?;
    let everybody = Everybody::of(&users);
    let shared = groups.iter().filter(|group| !everybody.has_alone(group));
    Ok(shared.map(|group| output::group(group, everybody.members(group).into_values())).collect())
}

/// Users by what group(5) and passwd(5) put them into groups by.
struct Everybody<'a> {
    by_name: HashMap<&'a str, &'a User>,
    by_gid: HashMap<Gid, Vec<&'a User>>,
}

impl<'a> Everybody<'a> {
    fn of(users: &'a [User]) -> Self {
        let mut by_gid: HashMap<Gid, Vec<&User>> = HashMap::new();
        users.iter().for_each(|user| by_gid.entry(user.gid).or_default().push(user));
        Self { by_name: users.iter().map(|user| (user.name.as_str(), user)).collect(), by_gid }
    }

    /// By id, each once.
    fn members(&self, group: &Group) -> BTreeMap<AccountId, &'a User> {
        let named = group.members.iter().filter_map(|name| self.by_name.get(name.as_str()));
        let primary = self.by_gid.get(&group.gid).into_iter().flatten();
        named.chain(primary).map(|user| (user.id, *user)).collect()
    }

    /// Whether it is the private group of a user.
    fn has_alone(&self, group: &Group) -> bool {
        self.by_name.get(group.name.as_str()).is_some_and(|user| user.gid == group.gid)
    }
}

pub async fn show(call: &Call) -> Result<Value, Error> {
    let Some(group) = call.group().await.map_err(Error::of)? else {
        return call.words.missing_group(&call.arguments.shown(Argument::Group)).map_err(Error::Said);
    };
    let members = members(call, &group).await.map_err(Error::of)?;
    Ok(json!(output::group(&group, &members)))
}

/// A group that is not active would be one whose members are in it all the same: there is none.
pub async fn create(call: &Call) -> Result<Value, Error> {
    let (caller, words) = (&call.caller, call.words);
    let name = call.arguments.shown(Argument::NewGroupName);
    let failed = || words.group_not_created(&name);
    let is_active = call.arguments.boolean(Argument::Active).is_ok_and(|active| active != Some(false));
    let is_text = call.arguments.required_text(Argument::NewGroupName).is_ok();
    let found = there(caller.find_group(AccountRef::Name(name.clone())).await).map_err(Error::or_said(failed()))?;
    if is_text && found.is_some() {
        return Err(call.refused(words.group_exists(&name)).await);
    }
    let Some(new_name) = NewGroupName::new(name.clone()).ok().filter(|_| is_active && is_text) else {
        return Err(call.refused(failed()).await);
    };
    let (sudo, limits) = (SudoCommands::default(), LimitsChange::default());
    let new = NewGroup { name: new_name, gid: None, shared_gid: SharedGid::Refused, sudo, limits };
    let group = caller.create_group(new).await.map_err(|error| match is_duplicate(&error) {
        true => Error::Said(words.group_exists(&name)),
        false => Error::or_said(failed())(error),
    })?;
    Ok(words.group_created((group.id, &group.name), json!(output::group(&group, &[]))))
}

/// The users that are in a group, be it their primary one or not.
async fn members(call: &Call, group: &Group) -> Result<Vec<User>, accountd_core::Error> {
    let sort = vec![SortKey { by: SortBy::Id, direction: Direction::Ascending }];
    let window = Window {
        filters: vec![Filter::Group(group.name.clone())],
        keys: KeyTexts::LeftOut,
        ..Window::part(0, usize::MAX, sort)
    };
    Ok(call.caller.users(window).await?.items.into_iter().filter(is_shown).collect())
}

/// Whether somebody else was quicker.
fn is_duplicate(error: &accountd_core::Error) -> bool {
    let accountd_core::Error::Refused(Refusal::Invalid(invalid)) = error else { return false };
    let taken = |one: &Invalid| one.field == Field::GroupName && matches!(one.problem, Problem::Duplicate(_));
    invalid.iter().any(taken)
}
