//! Rows of SSH keys, outside of commits.

use accountd_protocol::id::AccountId;
use accountd_protocol::ssh_key::{SshKey, SshKeyId};

use super::State;
use crate::database::ssh_keys::{self, Found};

impl State {
    pub fn reconcile_ssh_keys(&mut self, found: &Found) -> rusqlite::Result<Vec<SshKey>> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        let (rows, has_changed) = ssh_keys::reconcile(&mut self.connection, found)?;
        if has_changed {
            self.changes += 1;
        }
        Ok(rows)
    }

    pub fn ssh_keys(&self, account: AccountId) -> rusqlite::Result<Vec<SshKey>> {
        ssh_keys::of(&self.connection, account)
    }

    pub fn ssh_key_owner(&self, id: SshKeyId) -> rusqlite::Result<Option<AccountId>> {
        ssh_keys::owner(&self.connection, id)
    }

    /// The good copy need not have it at once.
    pub fn note_ssh_key_use(&mut self, account: AccountId, key: (&str, u64)) -> rusqlite::Result<()> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        ssh_keys::note_use(&self.connection, account, key)
    }
}
