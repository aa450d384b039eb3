//! Accounts as this API shows them. No secret and no hash of one is among it.

use accountd_protocol::agent::{Group, KeyFile, KeyLine, System, User};
use serde_json::{Map, Value, json};

use super::{ageing, limits, sudo};
use crate::advice;

pub type Object = Map<String, Value>;

/// Every field that a user is shown with.
pub const USER_FIELDS: [&str; 27] = [
    "id",
    "uid",
    "gid",
    "username",
    "full_name",
    "email",
    "home",
    "shell",
    "locked",
    "password_disabled",
    "own_password",
    "two_factor",
    "builtin",
    "groups",
    "sudo",
    "smb",
    "microsoft_account",
    "roles",
    "must_change",
    "password_changed",
    "min_days",
    "max_days",
    "warn_days",
    "inactive_days",
    "expires",
    "limits",
    "effective_limits",
];

/// Those of them that nobody chooses.
pub const USER_READ_ONLY: [&str; 8] =
    ["id", "builtin", "smb", "roles", "password_changed", "effective_limits", "own_password", "two_factor"];

pub const GROUP_FIELDS: [&str; 7] = ["id", "gid", "groupname", "builtin", "sudo", "members", "limits"];
/// Members are a set of their own.
pub const GROUP_READ_ONLY: [&str; 3] = ["id", "builtin", "members"];

pub fn user(user: &User) -> Object {
    let fields = [
        ("id", json!(user.id)),
        ("uid", json!(user.uid)),
        ("gid", json!(user.gid)),
        ("username", json!(user.name)),
        ("full_name", json!(user.full_name)),
        ("email", json!(Some(&user.email).filter(|email| !email.is_empty()))),
        ("home", json!(user.home)),
        ("shell", json!(user.shell)),
        ("locked", json!(user.locked)),
        ("password_disabled", json!(user.password_disabled)),
        ("own_password", json!(user.own_password)),
        ("two_factor", json!(user.two_factor)),
        ("builtin", json!(user.builtin)),
        ("groups", json!(user.group_names)),
        ("sudo", sudo::shown(user.sudo.as_ref())),
        ("smb", json!(user.smb)),
        ("microsoft_account", json!(user.microsoft_account)),
        ("roles", json!(user.roles)),
        ("limits", limits::shown(&user.limits)),
        ("effective_limits", limits::shown(&user.effective_limits)),
    ]
    .into_iter()
    .chain(ageing::fields(&user.ageing));
    fields.map(|(name, value)| (name.to_owned(), value)).collect()
}

pub fn group(group: &Group) -> Object {
    object([
        ("id", json!(group.id)),
        ("gid", json!(group.gid)),
        ("groupname", json!(group.name)),
        ("builtin", json!(group.builtin)),
        ("sudo", sudo::shown(group.sudo.as_ref())),
        ("members", json!(group.members)),
        ("limits", limits::shown(&group.limits)),
    ])
}

pub fn keys(file: &KeyFile) -> Object {
    let keys: Vec<Object> = file.keys.iter().map(key).collect();
    let advice: Vec<String> = file.advice.iter().map(advice::text).collect();
    object([("keys", json!(keys)), ("advice", json!(advice))])
}

/// A line that is not understood is its text and nothing more.
fn key(line: &KeyLine) -> Object {
    let key = line.key.as_ref();
    object([
        ("type", json!(key.map(|key| &key.kind))),
        ("fingerprint", json!(key.map(|key| &key.fingerprint))),
        ("comment", json!(key.map(|key| &key.comment).filter(|comment| !comment.is_empty()))),
        ("options", json!(key.map(|key| &key.options).filter(|options| !options.is_empty()))),
        ("line", json!(line.line)),
    ])
}

pub fn system(system: &System) -> Object {
    object([
        ("version", json!(system.version)),
        ("shells", json!(system.shells)),
        ("home_roots", json!(system.home_roots)),
        ("home_mode", json!(format!("{:04o}", system.home_mode))),
    ])
}

pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Object {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
