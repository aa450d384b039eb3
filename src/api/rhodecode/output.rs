//! Users and groups as JSON. Versions have different names for the same: all of them are there, so that a
//! client of any finds its own.

use accountd_protocol::agent::{Group, User};
use accountd_protocol::role::Role;
use serde_json::{Map, Value, json};

use super::names::Names;

/// Never with a key: it is known to nobody here.
pub fn user(user: &User) -> Map<String, Value> {
    let Names { first, last, ldap_dn } = Names::of(user);
    let emails = if user.email.is_empty() { json!([]) } else { json!([user.email]) };
    object([
        ("id", json!(user.id)),
        ("user_id", json!(user.id)),
        ("username", json!(user.name)),
        ("firstname", json!(first)),
        ("lastname", json!(last)),
        ("email", json!(user.email)),
        ("emails", emails),
        ("active", json!(!user.locked)),
        ("admin", json!(user.roles.contains(&Role::Administrator))),
        ("ldap", json!(ldap_dn)),
        ("ldap_dn", json!(ldap_dn)),
        ("last_login", Value::Null),
        ("ip_addresses", json!([])),
    ])
}

/// With its members.
pub fn group<'a>(group: &Group, members: impl IntoIterator<Item = &'a User>) -> Map<String, Value> {
    let members: Vec<_> = members.into_iter().map(user).collect();
    let mut shown = group_alone(group);
    shown.insert("members".to_owned(), json!(members));
    shown
}

pub fn group_alone(group: &Group) -> Map<String, Value> {
    object([
        ("id", json!(group.id)),
        ("users_group_id", json!(group.id)),
        ("name", json!(group.name)),
        ("group_name", json!(group.name)),
        ("group_description", json!("")),
        ("active", json!(true)),
    ])
}

pub fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
