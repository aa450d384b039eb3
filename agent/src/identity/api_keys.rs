//! What an API key lets in, and what it can't be used for.
//!
//! A key is looked for by its SHA-256. How long that takes may depend on the digest, which nobody can
//! choose without choosing a key, and knowing some bits of a digest helps nobody to a key that has it.

use std::net::IpAddr;
use std::time::Instant;

use accountd_protocol::agent::{Handle, Operation, RandomPassword, UserChange};
use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::batch::BatchItem;
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use sha2::{Digest as _, Sha256};

use super::bans::{Attempt, Held, Means, Weight, Whom};
use super::candidate::{PasswordState, keyed_account};
use super::handles::{Caller, Way};
use super::key_uses::Noted;
use crate::accounts::find::user_called;
use crate::agent::{Agent, now};
use crate::database::{ApiKeyRow, KeyDigest, UserRow, View};
use crate::error::Error;

/// A key that is good now, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    key: ApiKeyId,
    account: AccountId,
    uid: Uid,
    name: String,
}

/// Whose key was refused, as far as that is known.
pub type Owner = Option<String>;

pub fn digest(key: &Secret) -> KeyDigest {
    Sha256::digest(key.reveal()).into()
}

impl Agent {
    /// A handle of the account that a key is of, and the account's name. A change in between found no
    /// handle to make void: so the key is looked for once more when there is one.
    pub(crate) fn open_handle_by_key(
        &self,
        key: &Secret,
        source: IpAddr,
    ) -> Result<(Handle, String), (Refusal, Owner)> {
        let digest = digest(key);
        let Shown { key, account, uid, name } = self.shown_from(&digest, source)?;
        let caller =
            Caller { account, uid, password: PasswordState::Current, source: Some(source), way: Way::ApiKey(key) };
        let failed = |_| (Error::Handle.into_refusal(), None);
        let handle = self.handles.open(caller, Instant::now()).map_err(failed)?;
        match self.shown(&digest) {
            Ok(again) if (again.key, again.account, again.uid) == (key, account, uid) => {}
            Ok(_) | Err(_) => {
                self.handles.forget_key(key);
                return Err((Refusal::BadCredentials, Some(name)));
            }
        }
        if self.key_uses.note(key, now()) == Noted::Now {
            self.database.note_key_use(key, now());
        }
        Ok((handle, name))
    }

    /// Whoever is turned away is not told whether the key was one.
    fn shown_from(&self, digest: &KeyDigest, source: IpAddr) -> Result<Shown, (Refusal, Owner)> {
        let shown = self.shown(digest);
        let whom = shown.as_ref().map_or_else(|_| self.bans.nobody(""), |shown| Whom::Account(shown.account));
        let attempt = Attempt { source, whom };
        let held = |held: Held| (held.into_refusal(), None);
        match &shown {
            Ok(_) => self.bans.succeeded(attempt, Means::Key, Instant::now()).map_err(held)?,
            Err((Refusal::BadCredentials, _)) => {
                self.bans.check(attempt, Means::Key, Instant::now()).map_err(held)?;
                self.bans.failed(attempt, Weight::Key, Instant::now());
            }
            Err(_) => {}
        }
        shown
    }

    fn shown(&self, digest: &KeyDigest) -> Result<Shown, (Refusal, Owner)> {
        let view = self.database.certain_view().map_err(|refusal| (refusal, None))?;
        let refused = |owner: Option<&UserRow>| (Refusal::BadCredentials, owner.map(|row| row.name.clone()));
        let key = view.api_keys().with_digest(digest).ok_or_else(|| refused(None))?;
        let row = view.user(key.account).ok_or_else(|| refused(None))?;
        let uid = self.let_in(&view, row, key).ok_or_else(|| refused(Some(row)))?;
        Ok(Shown { key: key.id, account: row.id, uid, name: row.name.clone() })
    }

    /// The uid of a key's account, where both are good now. Accountd's own services have no keys.
    fn let_in(&self, view: &View, row: &UserRow, key: &ApiKeyRow) -> Option<Uid> {
        let uid = keyed_account(view, &row.name, now())?;
        (key.is_good(now()) && !self.is_service(view, uid)).then_some(uid)
    }

    /// Whether a caller who has shown a key may ask for this by it, whatever its account may.
    pub(crate) fn permit_by_key(
        &self,
        (view, row): (&View, &UserRow),
        id: ApiKeyId,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        let key = view.api_keys().get(row.id, id).ok_or(Refusal::StaleHandle)?;
        self.let_in(view, row, key).ok_or(Refusal::StaleHandle)?;
        if is_way_in((view, row.id), id, operation) { Err(Refusal::NotPermitted) } else { Ok(()) }
    }
}

/// Whether an operation makes, or takes away, another way into the account of the key `by`. Whoever has
/// found a key must not be able to stay when it is revoked.
fn is_way_in((view, own): (&View, AccountId), by: ApiKeyId, operation: &Operation) -> bool {
    match operation {
        // An import may have another password of the account itself.
        Operation::CreateApiKey { .. } | Operation::ChangeOwnPassword { .. } | Operation::Import(_) => true,
        Operation::BeginTwoFactor(_) | Operation::ConfirmTwoFactor { .. } | Operation::CreateToken { .. } => true,
        // From then on the password is enough.
        Operation::CancelTwoFactor { user, .. } => *user == own,
        Operation::DeleteApiKey { user, id } => *user == own && *id != by,
        Operation::AddSshKey { user, .. } | Operation::DeleteSshKey { user, .. } => *user == own,
        Operation::ChangeOwnProfile { password, .. } => password.is_some(),
        Operation::ListSshKeys(_) | Operation::FindSshKey(_) => false,
        Operation::SetPassword { id, .. } | Operation::SetKeys { id, .. } => *id == own,
        Operation::UpdateUser { id, change, .. } => *id == own && gives_way_in(change),
        Operation::Batch(batch) => batch.items.iter().any(|item| match item {
            BatchItem::Update { who, change, .. } => {
                user_called(view, who, own).is_some_and(|row| row.id == own) && gives_way_in(change)
            }
            BatchItem::Create(_) | BatchItem::Delete { .. } | BatchItem::Unread(_) => false,
        }),
        Operation::ListUsers(_)
        | Operation::GetUser(_)
        | Operation::FindUser(_)
        | Operation::CreateUser(_)
        | Operation::CreateUsers(_)
        | Operation::GetJob(..)
        | Operation::ListJobs
        | Operation::CancelJob(_)
        | Operation::DeleteUser { .. }
        | Operation::DisableUser { .. }
        | Operation::RepairKeys(_)
        | Operation::ListKeys(_)
        | Operation::GetHome(_)
        | Operation::ListMemberships(_)
        | Operation::SetMemberships { .. }
        | Operation::SetRoles { .. }
        | Operation::ListGroups(_)
        | Operation::GetGroup(_)
        | Operation::FindGroup(_)
        | Operation::ResolveGroups(_)
        | Operation::CreateGroup(_)
        | Operation::UpdateGroup { .. }
        | Operation::DeleteGroup { .. }
        | Operation::SetMembers { .. }
        | Operation::ListShells
        | Operation::Check { .. }
        | Operation::RepairChecks(_)
        | Operation::GetPolicy
        | Operation::SetPolicy { .. }
        | Operation::ListAudit(_)
        | Operation::VerifyAudit
        | Operation::ListBans
        | Operation::ShowMetrics
        | Operation::ListConnections(_)
        | Operation::CloseConnection(_)
        | Operation::CloseSession(_)
        | Operation::GetQuota(_)
        | Operation::ListQuotas(_)
        | Operation::ListQuotaFileSystems
        | Operation::StartScan(_)
        | Operation::ListScans
        | Operation::CancelScan(_)
        | Operation::LiftBan(_)
        | Operation::ListApiKeys(_)
        | Operation::Export
        | Operation::ListRepositories
        | Operation::GetRepository(_)
        | Operation::CreateRepository(_)
        | Operation::UpdateRepository { .. }
        | Operation::DeleteRepository(_)
        | Operation::GrantRepository { .. }
        | Operation::PullRepository(_)
        | Operation::FindGrantee { .. }
        | Operation::GetSystem
        | Operation::GetTwoFactor(_)
        // It closes one.
        | Operation::RevokeToken(_) => false,
    }
}

/// Another password, the old one again, or keys of SSH.
fn gives_way_in(change: &UserChange) -> bool {
    change.password.is_some()
        || change.random_password != RandomPassword::No
        || change.password_disabled.is_some()
        || change.ssh_keys.is_some()
        || change.password_hash.is_some()
}
