//! `[roles]`

use accountd_protocol::role::Role;
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

impl Roles {
    /// The groups that give a role.
    pub fn groups(&self, role: Role) -> &[String] {
        match role {
            Role::Administrator => &self.administrators,
            Role::AccountAdministrator => &self.account_administrators,
            Role::Auditor => &self.auditors,
        }
    }
}

impl Default for Roles {
    fn default() -> Self {
        let group = |role: Role| vec![role.usual_group().to_owned()];
        Self {
            administrators: group(Role::Administrator),
            account_administrators: group(Role::AccountAdministrator),
            auditors: group(Role::Auditor),
            privileged_groups: PRIVILEGED.map(str::to_owned).to_vec(),
        }
    }
}
