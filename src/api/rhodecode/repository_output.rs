//! Repositories as JSON, with the names that all versions have, and who may do what with one.

use accountd_protocol::agent::User;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::repository::{Access, Grantee, Repository, RepositoryGrant};
use serde_json::{Map, Value, json};

use super::call::{Call, there};
use super::output::{self, object};
use super::{anonymous, permission};

pub fn repository(repository: &Repository) -> Map<String, Value> {
    object([
        ("id", json!(repository.id)),
        ("repo_id", json!(repository.id)),
        ("name", json!(repository.name)),
        ("repo_name", json!(repository.name)),
        ("type", json!(repository.kind.name())),
        ("repo_type", json!(repository.kind.name())),
        ("description", json!(repository.description)),
        ("private", json!(repository.private)),
        ("clone_uri", json!(repository.clone_uri)),
        ("owner", json!(repository.owner_name)),
        ("created_on", json!(moment(repository.created))),
    ])
}

/// With its members: the owner and `default` always, then what the access control list gives to users, and
/// then to groups.
pub async fn with_members(call: &Call, repository: &Repository) -> Result<Map<String, Value>, accountd_core::Error> {
    let mut shown = self::repository(repository);
    let others = repository.grants.iter().find(|grant| grant.grantee == Grantee::Others);
    let others = others.map_or(Access::None, |grant| grant.access);
    let mut users = vec![member(anonymous::shown(), "user", others)];
    let mut groups = Vec::new();
    if let Some(id) = repository.owner {
        users.push(user_member(call, (id, &repository.owner_name), Access::Admin).await?);
    }
    for RepositoryGrant { grantee, name, access } in &repository.grants {
        match grantee {
            Grantee::User(id) => users.push(user_member(call, (*id, name), *access).await?),
            Grantee::Group(id) => groups.push(group_member(call, (*id, name), *access).await?),
            Grantee::Others => {}
        }
    }
    users.extend(groups);
    shown.insert("members".to_owned(), json!(users));
    Ok(shown)
}

async fn user_member(
    call: &Call,
    (id, name): (AccountId, &str),
    access: Access,
) -> Result<Map<String, Value>, accountd_core::Error> {
    let user: Option<User> = visible(call.caller.find_user(AccountRef::Id(id)).await)?;
    let shown = user.as_ref().map_or_else(|| known(&["id", "user_id"], &["username"], (id, name)), output::user);
    Ok(member(shown, "user", access))
}

async fn group_member(
    call: &Call,
    (id, name): (AccountId, &str),
    access: Access,
) -> Result<Map<String, Value>, accountd_core::Error> {
    let group = visible(call.caller.find_group(AccountRef::Id(id)).await)?;
    let called = || known(&["id", "users_group_id"], &["name", "group_name"], (id, name));
    Ok(member(group.as_ref().map_or_else(called, output::group_alone), "users_group", access))
}

/// Whoever may read a repository need not see those who may too: of them, the list has no more than that.
fn visible<T>(found: Result<T, accountd_core::Error>) -> Result<Option<T>, accountd_core::Error> {
    use accountd_core::Error::Refused;
    use accountd_protocol::refusal::Refusal::NotPermitted;
    match found {
        Err(Refused(NotPermitted)) => Ok(None),
        found => there(found),
    }
}

fn known(ids: &[&str], names: &[&str], (id, name): (AccountId, &str)) -> Map<String, Value> {
    let ids = ids.iter().map(|key| ((*key).to_owned(), json!(id)));
    ids.chain(names.iter().map(|key| ((*key).to_owned(), json!(name)))).collect()
}

fn member(mut shown: Map<String, Value>, kind: &str, access: Access) -> Map<String, Value> {
    for (key, value) in [("type_", kind), ("type", kind), ("permission", permission::name(access))] {
        shown.insert(key.to_owned(), json!(value));
    }
    shown
}

/// As Python prints a moment of UTC.
fn moment(seconds: u64) -> Option<String> {
    let seconds = i64::try_from(seconds).ok()?;
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let (date, clock) = (moment.date(), moment.time());
    Some(format!("{date}T{:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_in_utc_and_has_no_zone() {
        assert_eq!(moment(0).as_deref(), Some("1970-01-01T00:00:00"));
        assert_eq!(moment(1_795_351_640).as_deref(), Some("2026-11-22T12:47:20"));
        assert_eq!(moment(u64::MAX), None);
    }
}
