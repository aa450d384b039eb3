//! Login tokens: which there are, and whom they let in.
//!
//! A token is good while everything is as it was when it was given out that says who its account is: name, uid,
//! password, lock and second factor. All of them are in memory; what is made or revoked is on disk before it is said.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use accountd_protocol::agent::Handle;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use accountd_protocol::token::MOST_TOKENS;
use sha2::{Digest as _, Sha256};

use super::bans::{Attempt, Held, Means, Weight, Whom};
use super::candidate::PasswordAccount;
use super::handles::{Caller, Way};
use super::jwt::{self, Claims};
use crate::agent::{Agent, now};
use crate::database::entry::{passwd, shadow};
use crate::database::{
    CredentialStore, CredentialWrite, FileKind, StoredCredentials, TokenDigest, TokenKey, TokenRow, TokenStamp,
    UserRow, View,
};
use crate::error::Error;

/// Whose token was refused, as far as that is known.
pub type Owner = Option<String>;

#[derive(Debug)]
pub struct LoginTokens {
    store: CredentialStore,
    rows: Mutex<HashMap<TokenDigest, TokenRow>>,
    key: Mutex<Option<TokenKey>>,
}

pub fn digest(token: &Secret) -> TokenDigest {
    Sha256::digest(token.reveal()).into()
}

/// What has to stay as it is. Each part after its length.
pub fn stamp(view: &View, row: &UserRow) -> TokenStamp {
    let field = |kind, field| {
        let entry = view.entry(kind, &row.name);
        entry.map(|entry| entry.bytes(field).to_vec()).unwrap_or_default()
    };
    let enrolment = view.second_factors().enrolment(row.id).unwrap_or_default();
    let parts = [
        row.name.as_bytes().to_vec(),
        row.uid.0.to_be_bytes().to_vec(),
        field(FileKind::Passwd, passwd::PASSWORD),
        field(FileKind::Shadow, shadow::PASSWORD),
        format!("{:?}", row.extras().own_hash).into_bytes(),
        enrolment.to_be_bytes().to_vec(),
    ];
    let mut hash = Sha256::new();
    for part in &parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl LoginTokens {
    /// Those of a store; what does not fit the accounts as they are now is removed.
    pub fn new(store: CredentialStore, stored: &StoredCredentials, (view, now): (&View, u64)) -> Self {
        let is_good = |row: &&TokenRow| {
            row.expires > now && view.user(row.account).is_some_and(|user| stamp(view, user) == row.stamp)
        };
        let (good, void): (Vec<&TokenRow>, Vec<&TokenRow>) = stored.tokens.iter().partition(is_good);
        if !void.is_empty() {
            store.note(CredentialWrite::RemoveTokens(void.iter().map(|row| row.digest).collect()));
        }
        let rows = good.into_iter().map(|row| (row.digest, *row)).collect();
        Self { store, rows: Mutex::new(rows), key: Mutex::new(stored.token_key) }
    }

    pub fn get(&self, digest: &TokenDigest, now: u64) -> Option<TokenRow> {
        self.rows().get(digest).filter(|row| row.expires > now).copied()
    }

    /// On disk when this returns. An account's oldest gives way where it has too many, and so do those of
    /// anybody that are expired.
    pub fn add(&self, row: TokenRow) -> Result<(), Refusal> {
        let over = self.enter(row);
        if !over.is_empty() {
            self.store.note(CredentialWrite::RemoveTokens(over));
        }
        let stored = self.store.write(CredentialWrite::Token(row));
        // The account may have changed meanwhile: then it is gone from memory.
        if stored.is_ok() && self.rows().contains_key(&row.digest) {
            return Ok(());
        }
        self.remove(&[row.digest]);
        Err(stored.err().unwrap_or(Refusal::StaleHandle))
    }

    fn enter(&self, row: TokenRow) -> Vec<TokenDigest> {
        let mut rows = self.rows();
        let mut over: Vec<TokenDigest> =
            rows.values().filter(|known| known.expires <= row.issued).map(|known| known.digest).collect();
        let mut own: Vec<&TokenRow> = rows.values().filter(|known| known.account == row.account).collect();
        own.sort_unstable_by_key(|known| (known.issued, known.expires, known.digest));
        let too_many = (own.len() + 1).saturating_sub(MOST_TOKENS);
        over.extend(own.iter().take(too_many).map(|known| known.digest));
        over.iter().for_each(|digest| _ = rows.remove(digest));
        rows.insert(row.digest, row);
        over
    }

    /// On disk when this returns.
    pub fn revoke(&self, digest: &TokenDigest) -> Result<(), Refusal> {
        self.rows().remove(digest);
        self.store.write(CredentialWrite::RemoveTokens(vec![*digest]))
    }

    /// An account is not what it was: those of its tokens go that do not fit any more. Waits for nothing.
    pub fn account_changed(&self, view: &View, account: AccountId) {
        let present = view.user(account).map(|row| stamp(view, row));
        let void: Vec<TokenDigest> = {
            let rows = self.rows();
            let own = rows.values().filter(|row| row.account == account && Some(row.stamp) != present);
            own.map(|row| row.digest).collect()
        };
        if !void.is_empty() {
            self.remove(&void);
        }
    }

    fn remove(&self, digests: &[TokenDigest]) {
        let mut rows = self.rows();
        digests.iter().for_each(|digest| _ = rows.remove(digest));
        drop(rows);
        self.store.note(CredentialWrite::RemoveTokens(digests.to_vec()));
    }

    /// The key that tokens are signed with; made where there is none, and on disk before it is used.
    pub fn signing_key(&self) -> Result<TokenKey, Refusal> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = *key {
            return Ok(key);
        }
        let mut new = TokenKey::default();
        getrandom::fill(&mut new).map_err(|error| Error::Random(error).into_refusal())?;
        self.store.write(CredentialWrite::TokenKey(new))?;
        *key = Some(new);
        Ok(new)
    }

    fn known_key(&self) -> Option<TokenKey> {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<TokenDigest, TokenRow>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    /// A handle of the account that a token is of, and the account's name. A change in between found no handle
    /// to make void: so the token is looked for once more when there is one.
    pub(crate) fn open_handle_by_token(
        &self,
        token: &Secret,
        source: IpAddr,
    ) -> Result<(Handle, String), (Refusal, Owner)> {
        let (digest, opened) = (digest(token), self.shown_token(token));
        let whom = opened.as_ref().map_or_else(|_| self.bans.nobody(""), |(account, _)| Whom::Account(account.id));
        let attempt = Attempt { source, whom };
        let held = |held: Held| (held.into_refusal(), None);
        self.bans.check(attempt, Means::Key, Instant::now()).map_err(held)?;
        if let Err((Refusal::BadToken, None)) = &opened {
            self.bans.failed(attempt, Weight::Key, Instant::now());
        }
        let (account, name) = opened?;
        let PasswordAccount { id, uid, state, .. } = account;
        let caller = Caller { account: id, uid, password: state, source: Some(source), way: Way::Token(digest) };
        let failed = |_| (Error::Handle.into_refusal(), None);
        let handle = self.handles.open(caller, Instant::now()).map_err(failed)?;
        match self.shown_token(token) {
            Ok((again, _)) if again.id == id => Ok((handle, name)),
            Ok(_) => Err((Refusal::TokenVoid, Some(name))),
            Err((refusal, _)) => {
                self.handles.forget_token(&digest);
                Err((refusal, Some(name)))
            }
        }
    }

    /// Whose token it is, and how that account stands.
    fn shown_token(&self, token: &Secret) -> Result<(PasswordAccount, String), (Refusal, Owner)> {
        let key = self.login_tokens.known_key().ok_or((Refusal::BadToken, None))?;
        let claims = jwt::read(token, &key).ok_or((Refusal::BadToken, None))?;
        let view = self.database.certain_view().map_err(|refusal| (refusal, None))?;
        let owner = || Some(claims.username.clone());
        if claims.exp <= now() {
            return Err((Refusal::TokenExpired, owner()));
        }
        let row = self.login_tokens.get(&digest(token), now());
        let user = row.and_then(|row| Some((row, view.user(row.account)?)));
        let Some((row, user)) = user else { return Err((self.why_gone(&view, &claims), owner())) };
        if stamp(&view, user) != row.stamp || user.name != claims.username {
            return Err((Refusal::TokenVoid, owner()));
        }
        let account = self.token_account(&view, &user.name).ok_or_else(|| (Refusal::TokenVoid, owner()))?;
        Ok((account, user.name.clone()))
    }

    /// Of a token that was given out here and is not in the table: whether somebody has revoked it, or the
    /// account has changed.
    fn why_gone(&self, view: &View, claims: &Claims) -> Refusal {
        let account = self.token_account(view, &claims.username);
        let changed = account.map(|account| self.password_changed(&account));
        match changed {
            Some(Ok(changed)) if changed == claims.pwd_ts => Refusal::BadToken,
            Some(Err(refusal)) => refusal,
            Some(Ok(_)) | None => Refusal::TokenVoid,
        }
    }

    /// An account that may show a token now.
    fn token_account(&self, view: &View, name: &str) -> Option<PasswordAccount> {
        super::candidate::password_account(view, name, now()).filter(|account| !self.is_service(view, account.uid))
    }

    /// Whether whoever has shown a token may still do something by it.
    pub(crate) fn permit_by_token(&self, digest: &TokenDigest) -> Result<(), Refusal> {
        self.login_tokens.get(digest, now()).map(drop).ok_or(Refusal::StaleHandle)
    }
}
