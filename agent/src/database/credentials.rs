//! What of credentials is written beside the commits of accounts: which codes were used, login tokens and
//! second hashes of passwords.

use std::sync::mpsc::{Sender, channel};

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use rusqlite::Connection;

use super::Database;
use super::error::DatabaseError;
use super::login_tokens::{self, TokenDigest, TokenKey, TokenRow};
use super::password_stamps::{self, PasswordStamp};
use super::second_factors::{self, FactorUse};
use super::writer::Job;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialWrite {
    Use(FactorUse),
    TokenKey(TokenKey),
    Token(TokenRow),
    RemoveTokens(Vec<TokenDigest>),
    Stamp(AccountId, PasswordStamp),
}

pub(super) fn write(connection: &Connection, write: &CredentialWrite) -> rusqlite::Result<()> {
    match write {
        CredentialWrite::Use(used) => second_factors::note_use(connection, used),
        CredentialWrite::TokenKey(key) => login_tokens::store_key(connection, key),
        CredentialWrite::Token(row) => login_tokens::store(connection, row),
        CredentialWrite::RemoveTokens(digests) => login_tokens::remove(connection, digests),
        CredentialWrite::Stamp(account, stamp) => password_stamps::store(connection, *account, stamp),
    }
}

/// What there was when the database was opened.
#[derive(Clone, Debug, Default)]
pub struct StoredCredentials {
    pub uses: Vec<FactorUse>,
    pub tokens: Vec<TokenRow>,
    pub token_key: Option<TokenKey>,
}

/// A way to the database that can be cloned into a thread.
#[derive(Clone, Debug)]
pub struct CredentialStore(Sender<Job>);

impl CredentialStore {
    /// On disk when this returns.
    pub fn write(&self, write: CredentialWrite) -> Result<(), Refusal> {
        let (answer, answered) = channel();
        let gone = || DatabaseError::WriterGone.into_refusal();
        self.0.send(Job::Credential(write, Some(answer))).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    /// Some time soon: nobody waits for it.
    pub fn note(&self, write: CredentialWrite) {
        // Without a writer there is nothing that could be stored.
        let _ = self.0.send(Job::Credential(write, None));
    }
}

impl Database {
    pub fn credential_store(&self) -> CredentialStore {
        CredentialStore(self.jobs.clone())
    }

    pub fn stored_credentials(&self) -> &StoredCredentials {
        &self.credentials
    }

    /// Has the good copy of the store made now, with everything that was answered before. Where that can't be
    /// done the last one stays, which is logged.
    pub fn keep_good_copy_now(&self) {
        let (answer, answered) = channel();
        if self.jobs.send(Job::CopyNow(answer)).is_ok() {
            // It says when it is done, however that has ended.
            let _ = answered.recv();
        }
    }
}
