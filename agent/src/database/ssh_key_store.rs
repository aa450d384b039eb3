//! The way of the rows of SSH keys through the writer. They are no part of the accounts: a key is what its
//! line is, with a row or without.

use std::sync::mpsc::Sender;

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::ssh_key::{SshKey, SshKeyId};

use super::Database;
use super::error::DatabaseError;
use super::ssh_keys::Found;
use super::writer::{Job, Writer};

/// What the writer is asked for.
pub(super) enum KeyJob {
    Reconcile(Found, Sender<Result<Vec<SshKey>, Refusal>>),
    Stored(AccountId, Sender<Result<Vec<SshKey>, Refusal>>),
    Owner(SshKeyId, Sender<Result<Option<AccountId>, Refusal>>),
    Used { account: AccountId, fingerprint: String, now: u64 },
}

impl Database {
    /// The keys that are in a file, with what is known of them.
    pub fn reconcile_ssh_keys(&self, found: Found) -> Result<Vec<SshKey>, Refusal> {
        self.answered(|answer| Job::SshKeys(KeyJob::Reconcile(found, answer)))
    }

    /// Those that were there when the file could be read last.
    pub fn stored_ssh_keys(&self, account: AccountId) -> Result<Vec<SshKey>, Refusal> {
        self.answered(|answer| Job::SshKeys(KeyJob::Stored(account, answer)))
    }

    /// Whose key it was when the file was read last.
    pub fn ssh_key_owner(&self, id: SshKeyId) -> Result<Option<AccountId>, Refusal> {
        self.answered(|answer| Job::SshKeys(KeyJob::Owner(id, answer)))
    }

    /// Stores when a key let its user in, some time soon: nobody waits for it. In milliseconds.
    pub fn note_ssh_key_use(&self, account: AccountId, fingerprint: String, now: u64) {
        // Without a writer there is nothing that could be stored.
        let _ = self.jobs.send(Job::SshKeys(KeyJob::Used { account, fingerprint, now }));
    }
}

impl Writer {
    pub(super) fn serve_ssh_keys(&mut self, job: KeyJob) {
        // Whoever asked may have given up waiting.
        match job {
            KeyJob::Reconcile(found, answer) => {
                let rows = self.state.reconcile_ssh_keys(&found).map_err(|error| self.refusal(error.into()));
                let _ = answer.send(rows);
            }
            KeyJob::Stored(account, answer) => {
                let rows = self.state.ssh_keys(account).map_err(|error| self.refusal(error.into()));
                let _ = answer.send(rows);
            }
            KeyJob::Owner(id, answer) => {
                let owner = self.state.ssh_key_owner(id).map_err(|error| self.refusal(error.into()));
                let _ = answer.send(owner);
            }
            KeyJob::Used { account, fingerprint, now } => {
                if let Err(error) = self.state.note_ssh_key_use(account, (&fingerprint, now)) {
                    tracing::error!(%error, "it can not be stored that an SSH key was used");
                    self.is_damaged |= DatabaseError::from(error).ends_the_agent();
                }
            }
        }
    }
}
