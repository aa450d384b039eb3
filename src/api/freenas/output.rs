//! Accounts as this API shows them.

use std::collections::BTreeMap;

use accountd_protocol::agent::{Group, User};
use accountd_protocol::sudo::SudoGrant;
use serde_json::{Value, json};

use crate::advice;

/// The names and values of one object, sorted by name.
pub type Object = BTreeMap<&'static str, Value>;

/// A user. `bsdusr_group` is the gid of the primary group (on input, it is the id of one), and the
/// password is in none of the fields. What keeps the keys from counting is said in one more field,
/// which is there only then.
pub fn user(user: &User) -> Object {
    let mut object = fields(user);
    if !user.key_advice.is_empty() {
        let texts: Vec<String> = user.key_advice.iter().map(advice::text).collect();
        object.insert("bsdusr_sshpubkey_advice", json!(texts));
    }
    object
}

fn fields(user: &User) -> Object {
    BTreeMap::from([
        ("id", json!(user.id)),
        ("bsdusr_attributes", json!({})),
        ("bsdusr_builtin", json!(user.builtin)),
        ("bsdusr_email", json!(user.email)),
        ("bsdusr_full_name", json!(user.full_name)),
        ("bsdusr_group", json!(user.gid)),
        ("bsdusr_home", json!(user.home)),
        ("bsdusr_locked", json!(user.locked)),
        ("bsdusr_microsoft_account", json!(user.microsoft_account)),
        ("bsdusr_password_disabled", json!(user.password_disabled)),
        ("bsdusr_shell", json!(user.shell)),
        ("bsdusr_smbhash", json!(user.smb_hash)),
        ("bsdusr_sshpubkey", json!(user.ssh_keys)),
        ("bsdusr_sudo", json!(user.sudo.as_ref().is_some_and(SudoGrant::shows_as_all))),
        ("bsdusr_uid", json!(user.uid)),
        ("bsdusr_unixhash", json!(user.unix_hash)),
        ("bsdusr_username", json!(user.name)),
    ])
}

/// Every field that a user is shown with.
pub const USER_FIELDS: [&str; 17] = [
    "id",
    "bsdusr_attributes",
    "bsdusr_builtin",
    "bsdusr_email",
    "bsdusr_full_name",
    "bsdusr_group",
    "bsdusr_home",
    "bsdusr_locked",
    "bsdusr_microsoft_account",
    "bsdusr_password_disabled",
    "bsdusr_shell",
    "bsdusr_smbhash",
    "bsdusr_sshpubkey",
    "bsdusr_sudo",
    "bsdusr_uid",
    "bsdusr_unixhash",
    "bsdusr_username",
];

pub fn group(group: &Group) -> Object {
    BTreeMap::from([
        ("id", json!(group.id)),
        ("bsdgrp_builtin", json!(group.builtin)),
        ("bsdgrp_gid", json!(group.gid)),
        ("bsdgrp_group", json!(group.name)),
        ("bsdgrp_sudo", json!(group.sudo.as_ref().is_some_and(SudoGrant::shows_as_all))),
    ])
}

/// Every field that a group is shown with.
pub const GROUP_FIELDS: [&str; 5] = ["id", "bsdgrp_builtin", "bsdgrp_gid", "bsdgrp_group", "bsdgrp_sudo"];
