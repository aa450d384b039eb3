//! Login tokens of a caller: given out and revoked.

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::token::LONGEST_LIFETIME;

use crate::agent::{Agent, now};
use crate::database::{TokenDigest, TokenRow};
use crate::hexadecimal::hexadecimal;
use crate::identity::candidate::password_account;
use crate::identity::jwt::{self, Claims};
use crate::identity::login_tokens::{digest, stamp};

/// Bytes of a digest by which the audit trail tells tokens apart.
const SHOWN_BYTES: usize = 6;

impl Agent {
    /// Good from now on for so many seconds; said here and never again.
    pub(crate) fn create_token(&self, by: &Actor, account: AccountId, lifetime: u32) -> Result<Secret, Refusal> {
        if !(1..=LONGEST_LIFETIME).contains(&lifetime) {
            let problem = Problem::NotFrom { least: 1, most: LONGEST_LIFETIME };
            return Err(Refusal::invalid(Field::Lifetime, problem));
        }
        let view = self.database.certain_view()?;
        let user = view.user(account).ok_or(Refusal::StaleHandle)?;
        let shown = password_account(&view, &user.name, now()).ok_or(Refusal::StaleHandle)?;
        let (stamp_now, name) = (stamp(&view, user), user.name.clone());
        let (key, pwd_ts, issued) = (self.login_tokens.signing_key()?, self.password_changed(&shown)?, now());
        let mut claims =
            Claims { username: name.clone(), pwd_ts, exp: issued + u64::from(lifetime), nbf: issued, iat: issued };
        // Two of one second would be one token: revoked, both would be.
        let (token, row) = loop {
            let token = jwt::sign(&claims, &key).ok_or_else(|| Refusal::Internal("no token can be made".into()))?;
            let digest = digest(&token);
            if self.login_tokens.get(&digest, issued).is_none() {
                break (token, TokenRow { digest, account, issued, expires: claims.exp, stamp: stamp_now });
            }
            claims.exp = claims.exp.saturating_sub(1);
        };
        self.login_tokens.add(row)?;
        // A change between the two had no token to make void.
        let view = self.database.certain_view()?;
        if view.user(account).map(|user| stamp(&view, user)) != Some(stamp_now) {
            self.login_tokens.revoke(&row.digest)?;
            return Err(Refusal::StaleHandle);
        }
        let change = FieldChange::new("token", None, Some(shown_digest(&row.digest).into()));
        self.record_token(by, AuditAction::CreateToken, (account, name), change)?;
        Ok(token)
    }

    /// Of this account. Void from here on, with every handle that it has opened.
    pub(crate) fn revoke_token(&self, by: &Actor, account: AccountId, token: &Secret) -> Result<(), Refusal> {
        let digest = digest(token);
        let own = self.login_tokens.get(&digest, now()).filter(|row| row.account == account);
        if own.is_none() {
            return Ok(());
        }
        self.login_tokens.revoke(&digest)?;
        self.handles.forget_token(&digest);
        let name = self.database.known_view().user(account).map(|row| row.name.clone()).unwrap_or_default();
        let change = FieldChange::new("token", Some(shown_digest(&digest).into()), None);
        self.record_token(by, AuditAction::RevokeToken, (account, name), change)
    }

    fn record_token(
        &self,
        by: &Actor,
        action: AuditAction,
        (id, name): (AccountId, String),
        change: FieldChange,
    ) -> Result<(), Refusal> {
        let target = Target { kind: TargetKind::User, id: Some(id), name };
        self.database.record(vec![AuditEvent::done(by.clone(), action, Some(target), vec![change])])
    }
}

fn shown_digest(digest: &TokenDigest) -> String {
    hexadecimal(&digest[..SHOWN_BYTES])
}
