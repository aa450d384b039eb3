//! API keys of a user: listed, made and revoked.

use std::sync::Arc;

use accountd_protocol::api_key::{ApiKey, ApiKeyId, KEY_BYTES, MOST_KEYS, NewApiKey};
use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use zeroize::Zeroizing;

use super::check::Faults;
use crate::agent::{Agent, now};
use crate::database::{ApiKeyRow, Draft, KeyDigest, Purpose};
use crate::error::Error;
use crate::hexadecimal::hexadecimal;
use crate::identity::api_keys::digest;
use crate::sudoers::Grantee;

/// What is stored of a key, but for whose it is.
struct Draw {
    digest: KeyDigest,
    name: String,
    created: u64,
    expires: Option<u64>,
}

impl Agent {
    pub(crate) fn list_api_keys(&self, user: AccountId) -> Result<Vec<ApiKey>, Refusal> {
        let view = self.database.certain_view()?;
        view.user(user).ok_or(Refusal::NotFound)?;
        Ok(view.api_keys().of(user).map(|row| self.shown_key(row)).collect())
    }

    /// The key itself is said here, and never again.
    pub(crate) fn create_api_key(
        &self,
        by: &Actor,
        user: AccountId,
        NewApiKey { name, expires }: NewApiKey,
    ) -> Result<(ApiKey, Secret), Refusal> {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|_| Error::Handle.into_refusal())?;
        let key = Secret::new(hexadecimal(&*bytes));
        let draw = Draw { digest: digest(&key), name: name.into(), created: now(), expires };
        let purpose = Purpose { actor: by.clone(), action: AuditAction::CreateApiKey, user: None };
        let (row, _) = self.database.change(purpose, move |draft| enter(draft, user, draw))?;
        Ok((self.shown_key(&row), key))
    }

    /// Void from here on, with every handle that it has opened.
    pub(crate) fn delete_api_key(&self, by: &Actor, user: AccountId, id: ApiKeyId) -> Result<(), Refusal> {
        let purpose = Purpose { actor: by.clone(), action: AuditAction::DeleteApiKey, user: None };
        self.database.change(purpose, move |draft| {
            let row = draft.api_keys().get(user, id).cloned().ok_or(Refusal::NotFound)?;
            draft.remark(Grantee::User(user), removed(&row));
            draft.remove_api_key(row);
            Ok(())
        })?;
        self.handles.forget_key(id);
        self.key_uses.forget(id);
        Ok(())
    }

    fn shown_key(&self, row: &ApiKeyRow) -> ApiKey {
        let ApiKeyRow { id, name, created, expires, account: _, digest: _ } = row;
        let last_used = self.key_uses.last(*id);
        ApiKey { id: *id, name: name.clone(), created: *created, expires: *expires, last_used }
    }
}

fn enter(draft: &mut Draft<'_>, account: AccountId, draw: Draw) -> Result<Arc<ApiKeyRow>, Refusal> {
    draft.user(account).ok_or(Refusal::NotFound)?;
    let Draw { digest, name, created, expires } = draw;
    let mut faults = Faults::default();
    if draft.api_keys().of(account).any(|row| row.name == name) {
        faults.add(Field::ApiKeyName, Problem::Duplicate(name.clone()));
    }
    if expires.is_some_and(|expires| expires <= created) {
        faults.add(Field::Expires, Problem::Past);
    }
    let number = draft.api_keys().of(account).count();
    if number >= MOST_KEYS {
        faults.add(Field::ApiKeys, Problem::TooMany { max: MOST_KEYS, actual: number + 1 });
    }
    faults.none()?;
    let id = draft.api_keys().next();
    let row = Arc::new(ApiKeyRow { id, account, name, digest, created, expires });
    draft.remark(Grantee::User(account), made(&row));
    draft.add_api_key(row.clone());
    Ok(row)
}

fn made(row: &ApiKeyRow) -> FieldChange {
    FieldChange::new("api_key", None, Some(called(row).into()))
}

fn removed(row: &ApiKeyRow) -> FieldChange {
    FieldChange::new("api_key", Some(called(row).into()), None)
}

/// Its id and its name.
fn called(row: &ApiKeyRow) -> String {
    format!("{} {}", row.id, row.name)
}
