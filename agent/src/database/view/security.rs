//! What sessions and handles of a user depend on.

use std::sync::Arc;

use accountd_protocol::resume::Standing;
use sha2::{Digest as _, Sha256};

use super::View;
use crate::database::entry::{number_of, shadow};
use crate::database::file::FileKind;
use crate::database::row::UserRow;

impl View {
    /// What is the same as long as nothing has changed that sessions of a user depend on, also in an agent
    /// that was started since.
    pub fn standing(&self, row: &UserRow) -> Standing {
        let state = self.security_state(&row.name).unwrap_or_default();
        let digest =
            Sha256::new().chain_update(format!("{}:{}:{}:", row.id.0, row.uid.0, row.name)).chain_update(state);
        Standing(digest.finalize().to_vec())
    }

    /// What decides whether sessions and handles of a user stay good: ids, home, password field,
    /// expiry and groups. Equal texts mean that nothing of it has changed.
    pub(in crate::database) fn security_state(&self, name: &str) -> Option<Vec<u8>> {
        let passwd = self.entry(FileKind::Passwd, name)?;
        let mut state = Vec::new();
        for field in [0, 1, 2, 3, 5] {
            state.extend_from_slice(passwd.bytes(field));
            state.push(b':');
        }
        if let Some(entry) = self.entry(FileKind::Shadow, name) {
            for field in [shadow::PASSWORD, shadow::INACTIVE, shadow::EXPIRE] {
                state.extend_from_slice(entry.bytes(field));
                state.push(b':');
            }
        }
        let mut groups: Vec<&Arc<str>> = self.groups_of_member(name).iter().collect();
        groups.sort_unstable();
        for group in groups {
            let gid = self.line(FileKind::Group, group).and_then(number_of);
            state.extend_from_slice(format!("{gid:?}").as_bytes());
        }
        state.extend_from_slice(self.security_limits(name).as_bytes());
        Some(state)
    }

    /// Of the limits, those that a session must not outlive; and the hash that only accountd knows.
    fn security_limits(&self, name: &str) -> String {
        let Some(row) = self.user_named(name) else { return String::new() };
        let limits = self.limits_of(row);
        let narrow = limits.iter().map(|limits| (&limits.permissions, &limits.root, &limits.networks));
        format!(
            "{:?}{:?}",
            narrow.filter(|narrow| *narrow != (&None, &None, &Vec::new())).collect::<Vec<_>>(),
            row.extras().own_hash
        )
    }
}
