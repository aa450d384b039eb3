//! Who asks: a token of ours, one of our API keys in the place of AList's fixed one, or nobody, who is the guest
//! where there is one.

use accountd_core::Caller;
use accountd_protocol::agent::User;
use accountd_protocol::alist::AlistSettings;
use accountd_protocol::api_key::KEY_DIGITS;
use accountd_protocol::id::AccountRef;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::role::Role;
use accountd_protocol::secret::Secret;

use super::error::{Error, GuestDenied};
use super::request::Asked;

/// Numbers of roles.
pub const GENERAL: i64 = 0;
pub const GUEST: i64 = 1;
pub const ADMIN: i64 = 2;

/// Whoever asks, with its account.
#[derive(Debug)]
pub struct Account {
    pub caller: Caller,
    pub user: User,
    pub role: i64,
}

impl Account {
    pub async fn of(asked: &Asked<'_>) -> Result<Self, Error> {
        let caller = caller(asked).await?;
        let user = caller.find_user(AccountRef::Caller).await.map_err(Error::of)?;
        if user.locked {
            return Err(if asked.token().is_empty() { Error::GuestDisabled } else { Error::Disabled });
        }
        let role = role(&user, &asked.settings);
        Ok(Self { caller, user, role })
    }

    pub async fn admin(asked: &Asked<'_>) -> Result<Self, Error> {
        let account = Self::of(asked).await?;
        if account.role == ADMIN { Ok(account) } else { Err(Error::NotAdmin) }
    }

    pub async fn no_guest(asked: &Asked<'_>, denied: GuestDenied) -> Result<Self, Error> {
        let account = Self::of(asked).await?;
        if account.role == GUEST { Err(Error::Guest(denied)) } else { Ok(account) }
    }
}

async fn caller(asked: &Asked<'_>) -> Result<Caller, Error> {
    let (core, source) = (asked.core, asked.source());
    let token = asked.token();
    let secret = || Secret::new(token.to_owned());
    match token {
        "" => core.caller_of_guest(source).await.map_err(|error| match error {
            accountd_core::Error::Refused(Refusal::NotPermitted | Refusal::NotFound | Refusal::BadCredentials) => {
                Error::GuestDisabled
            }
            error => Error::of(error),
        }),
        key if is_api_key(key) => core.caller_of_key(secret(), source).await.map_err(Error::of),
        _ => core.caller_of_token(secret(), source).await.map_err(Error::of),
    }
}

pub fn is_api_key(token: &str) -> bool {
    token.len() == KEY_DIGITS && token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The guest is the guest, whatever groups it has come into.
pub fn role(user: &User, settings: &AlistSettings) -> i64 {
    match () {
        () if user.name == settings.guest => GUEST,
        () if user.roles.contains(&Role::Administrator) => ADMIN,
        () => GENERAL,
    }
}
