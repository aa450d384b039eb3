//! `[roles]`

use serde::{Deserialize, Serialize};

/// Groups whose members have a role, and groups that only administrators may put anybody into. By
/// name; a group that does not exist gives nobody anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    pub administrators: Vec<String>,
    pub account_administrators: Vec<String>,
    pub auditors: Vec<String>,
    pub privileged_groups: Vec<String>,
}

/// Groups that are as good as root, or lead there, on the systems that are in use.
const PRIVILEGED: [&str; 17] = [
    "root",
    "wheel",
    "sudo",
    "admin",
    "adm",
    "shadow",
    "disk",
    "kmem",
    "mem",
    "tty",
    "staff",
    "systemd-journal",
    "docker",
    "lxd",
    "libvirt",
    "kvm",
    "incus-admin",
];

impl Default for Roles {
    fn default() -> Self {
        let group = |name: &str| vec![name.to_owned()];
        Self {
            administrators: group("accountd-administrators"),
            account_administrators: group("accountd-account-administrators"),
            auditors: group("accountd-auditors"),
            privileged_groups: PRIVILEGED.map(str::to_owned).to_vec(),
        }
    }
}
