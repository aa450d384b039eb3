//! Who is in a users group: the member list of group(5).

use accountd_protocol::agent::{Group, User};
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use serde_json::{Value, json};

use super::call::Call;
use super::error::Error;
use super::parameter::Argument;

/// So often a list is read again that somebody else has changed meanwhile.
const TRIES: usize = 50;

/// What is to become of a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
}

/// What has.
enum Changed {
    Yes,
    NotNeeded,
}

/// In the list, or in the group by passwd(5).
fn is_member(group: &Group, user: &User) -> bool {
    group.gid == user.gid || group.members.contains(&user.name)
}

pub async fn add(call: &Call) -> Result<Value, Error> {
    let failed = call.words.member_not_added(&call.arguments.shown(Argument::Group));
    let (group, user) = subjects(call, &failed).await?;
    let names = (user.name.as_str(), group.name.as_str());
    let id = membership(group.id, user.id);
    match change(call, (&group, &user), Change::Added).await.map_err(Error::or_said(failed))? {
        Changed::Yes => Ok(call.words.member_added(id, names)),
        Changed::NotNeeded => Ok(call.words.member_already(id, names)),
    }
}

pub async fn remove(call: &Call) -> Result<Value, Error> {
    let failed = call.words.member_not_removed(&call.arguments.shown(Argument::Group));
    let (group, user) = subjects(call, &failed).await?;
    if user.gid == group.gid {
        // Everybody is in some group.
        return Err(Error::Said(failed));
    }
    match change(call, (&group, &user), Change::Removed).await.map_err(Error::or_said(failed))? {
        Changed::Yes => Ok(call.words.member_removed((&user.name, &group.name))),
        Changed::NotNeeded => Ok(call.words.no_member()),
    }
}

async fn subjects(call: &Call, failed: &str) -> Result<(Group, User), Error> {
    let (words, arguments) = (call.words, &call.arguments);
    let group_called = arguments.shown(Argument::Group);
    let group = call.group().await.map_err(Error::or_said(failed.to_owned()))?;
    let group = group.ok_or_else(|| Error::Said(words.no_group(&group_called)))?;
    let user = call.user(Argument::User).await.map_err(Error::or_said(failed.to_owned()))?;
    let user =
        user.ok_or_else(|| Error::Said(words.no_member_to_be(&group_called, &arguments.shown(Argument::User))))?;
    Ok((group, user))
}

/// The list is replaced as a whole, and only if it is still the one that was read.
async fn change(call: &Call, (group, user): (&Group, &User), change: Change) -> Result<Changed, accountd_core::Error> {
    let mut last = accountd_core::Error::Refused(Refusal::Changed);
    for _ in 0..TRIES {
        let group = call.caller.find_group(AccountRef::Id(group.id)).await?;
        if is_member(&group, user) == (change == Change::Added) {
            return Ok(Changed::NotNeeded);
        }
        let mut members: Vec<AccountRef> =
            group.members.iter().filter(|name| **name != user.name).cloned().map(AccountRef::Name).collect();
        if change == Change::Added {
            members.push(AccountRef::Id(user.id));
        }
        let only_if = group.tag.map_or(Precondition::None, |tag| Precondition::OneOf(vec![tag]));
        match call.caller.set_members(group.id, members, only_if).await {
            Ok(_) => return Ok(Changed::Yes),
            Err(accountd_core::Error::Refused(Refusal::Changed)) => {}
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    Err(last)
}

/// A number that stands for the two and for no others (Cantor's pairing), whoever asks and whenever.
fn membership(group: AccountId, user: AccountId) -> Value {
    let (group, user) = (u128::from(group.0), u128::from(user.0));
    let sum = group + user;
    let number = sum * (sum + 1) / 2 + user;
    u64::try_from(number).map_or(Value::Null, |number| json!(number))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_membership_has_a_number_of_its_own() {
        let pairs = (0..60).flat_map(|group| (0..60).map(move |user| (group, user)));
        let numbers: BTreeSet<u64> =
            pairs.map(|(group, user)| membership(AccountId(group), AccountId(user)).as_u64().unwrap()).collect();
        assert_eq!(numbers.len(), 3600);
        assert_eq!(membership(AccountId(1_000_000), AccountId(2)), json!(500_002_500_005_u64));
    }
}
