//! The second factor of a user: shown, begun, confirmed and cancelled.

use std::time::Instant;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind};
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::two_factor::{Enrolment, TwoFactor};
use totp_rs::Secret as Base32;
use zeroize::Zeroizing;

use super::state::user_is;
use crate::agent::{Agent, now};
use crate::database::{Draft, FactorRow, Purpose};
use crate::error::Error;
use crate::identity::hash::same;
use crate::identity::second_factor::codes::{self, Code, SECRET_BYTES};
use crate::identity::second_factor::vault::Place;
use crate::identity::second_factor::{CodeVerdict, NewCodes};
use crate::sudoers::Grantee;

impl Agent {
    pub(crate) fn get_two_factor(&self, user: AccountId) -> Result<TwoFactor, Refusal> {
        let view = self.database.certain_view()?;
        view.user(user).ok_or(Refusal::NotFound)?;
        let row = view.second_factors().of(user);
        Ok(TwoFactor {
            enrolled: row.map(|row| row.since),
            recovery_codes_left: row.map_or(0, |row| self.recovery_codes_left(row)),
        })
    }

    /// The secret is said here, and never again. Until it is confirmed everything is as it was.
    pub(crate) fn begin_two_factor(&self, by: &Actor, user: AccountId) -> Result<Enrolment, Refusal> {
        let view = self.database.certain_view()?;
        let name = view.user(user).ok_or(Refusal::NotFound)?.name.clone();
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut *secret).map_err(|error| Error::Random(error).into_refusal())?;
        let shown = Secret::new(Base32::new_stack(*secret).to_base32());
        let uri = uri(self.config().two_factor.issuer.as_str(), &name, &shown);
        let target = Target { kind: TargetKind::User, id: Some(user), name };
        self.database.record(vec![AuditEvent::done(
            by.clone(),
            AuditAction::BeginTwoFactor,
            Some(target),
            Vec::new(),
        )])?;
        self.second_factors.pending.begin(user, secret, Instant::now());
        Ok(Enrolment { secret: shown, uri })
    }

    /// From here on the account's password is not enough; what has been opened with it alone is void.
    pub(crate) fn confirm_two_factor(
        &self,
        by: &Actor,
        user: AccountId,
        (secret, code): (Option<&Secret>, &Secret),
    ) -> Result<Vec<Secret>, Refusal> {
        let not_begun = || Refusal::invalid(Field::CodeSecret, Problem::NotBegun);
        let begun = self.second_factors.pending.of(user, Instant::now()).ok_or_else(not_begun)?;
        if secret.is_some_and(|secret| !is_shown_as(&begun, secret)) {
            return Err(not_begun());
        }
        let wrong = || Refusal::invalid(Field::Code, Problem::Wrong);
        let Some(Code::Authenticator(digits)) = Code::read(code) else { return Err(wrong()) };
        let step = codes::step_of(&begun[..], &digits, now()).ok_or_else(wrong)?;
        let enrolment = random_number()?;
        let NewCodes { shown, digests } =
            NewCodes::make(enrolment).map_err(|error| Error::Random(error).into_refusal())?;
        let view = self.database.certain_view()?;
        let place = Place { account: user, enrolment };
        let sealed = self.second_factors.vault.seal(place, &*begun, view.second_factors());
        let sealed = sealed.map_err(|error| Error::Vault(error).into_refusal())?;
        drop(view);
        let row = FactorRow { account: user, enrolment, since: now(), sealed, recovery: digests, step };
        let purpose = Purpose { actor: by.clone(), action: AuditAction::ConfirmTwoFactor, user: Some(user) };
        self.change(purpose, move |draft| enter(draft, user, Some(row)))?;
        self.second_factors.pending.forget(user);
        self.second_factors.uses.keep_only(user, Some(enrolment));
        // Restored from an older copy, the account would be without it again.
        self.database.keep_good_copy_now();
        self.handles.forget(user);
        Ok(shown)
    }

    /// From here on the account's password is enough.
    pub(crate) fn cancel_two_factor(&self, by: &Actor, user: AccountId, only_if: Precondition) -> Result<(), Refusal> {
        let purpose = Purpose { actor: by.clone(), action: AuditAction::CancelTwoFactor, user: Some(user) };
        self.change(purpose, move |draft| {
            user_is(draft, user, &only_if)?;
            enter(draft, user, None)
        })?;
        self.second_factors.uses.keep_only(user, None);
        self.handles.forget(user);
        Ok(())
    }

    /// Before it has let anybody in. Who can't be recorded is not let in by it.
    pub(crate) fn record_recovery(&self, row: &FactorRow) -> CodeVerdict {
        let name = self.database.known_view().user(row.account).map(|user| user.name.clone()).unwrap_or_default();
        let target = Target { kind: TargetKind::User, id: Some(row.account), name: name.clone() };
        let actor = Actor::Caller { account: row.account, name, source: None, key: None };
        let left =
            FieldChange::new("recovery_codes_left", None, Some(self.recovery_codes_left(row).to_string().into()));
        let event = AuditEvent::done(actor, AuditAction::UseRecoveryCode, Some(target), vec![left]);
        match self.database.record(vec![event]) {
            Ok(()) => CodeVerdict::Right,
            Err(refusal) => {
                tracing::error!(%refusal, "a recovery code is not taken: it can not be recorded");
                CodeVerdict::Wrong
            }
        }
    }
}

/// Under the lock.
fn enter(draft: &mut Draft<'_>, user: AccountId, new: Option<FactorRow>) -> Result<(), Refusal> {
    draft.user(user).ok_or(Refusal::NotFound)?;
    let said = |there: bool| Some(if there { "enrolled" } else { "none" }.into());
    let old = draft.second_factors().of(user).is_some();
    if old || new.is_some() {
        draft.remark(Grantee::User(user), FieldChange::new("two_factor", said(old), said(new.is_some())));
    }
    draft.set_second_factor(user, new);
    Ok(())
}

/// Whether a client has sent this secret, in whatever case and with or without padding.
fn is_shown_as(begun: &[u8; SECRET_BYTES], secret: &Secret) -> bool {
    let text = Zeroizing::new(secret.reveal().trim().trim_end_matches('=').to_ascii_uppercase());
    let shown = Zeroizing::new(Base32::new_stack(*begun).to_base32());
    same(text.as_bytes(), shown.as_bytes())
}

/// What an authenticator reads out of a QR code: the key URI format of Google Authenticator.
fn uri(issuer: &str, name: &str, secret: &Secret) -> Secret {
    let (issuer, name) = (percent_encoded(issuer), percent_encoded(name));
    let secret = secret.reveal();
    Secret::new(format!(
        "otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    ))
}

/// RFC 3986 §2.1.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// SQLite's numbers have a sign.
fn random_number() -> Result<u64, Refusal> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error).into_refusal())?;
    Ok(u64::from_be_bytes(bytes) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_one_that_was_shown_however_it_is_typed() {
        let begun = [7; SECRET_BYTES];
        let shown = Base32::new_stack(begun).to_base32();
        let is = |text: &str| is_shown_as(&begun, &Secret::new(text.into()));
        assert!(!shown.contains('=') && is(&shown) && is(&shown.to_lowercase()) && is(&format!(" {shown}=== ")));
        assert!(!is("") && !is(&shown[1..]) && !is(&Base32::new_stack([8; SECRET_BYTES]).to_base32()));
    }

    #[test]
    fn a_uri_has_no_character_that_is_not_its_own() {
        let uri = uri("My NAS & more", "änna", &Secret::new("ABC".into()));
        assert_eq!(
            uri.reveal(),
            "otpauth://totp/My%20NAS%20%26%20more:%C3%A4nna?secret=ABC&issuer=My%20NAS%20%26%20more\
             &algorithm=SHA1&digits=6&period=30"
        );
    }
}
