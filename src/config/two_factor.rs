//! `[two_factor]`

use serde::{Deserialize, Serialize};

/// What accounts with a second factor are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwoFactor {
    /// What an authenticator shows beside the name of the account.
    pub issuer: Issuer,
    pub keys: KeysWithCode,
}

/// Whether a key of SSH lets such an account in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysWithCode {
    Alone,
    WithCode,
}

/// 1 to 64 characters, none of them a colon or a control character: authenticators split at the colon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(String);

impl Issuer {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Issuer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = (1..=64).contains(&text.chars().count())
            && !text.trim().is_empty()
            && !text.chars().any(|c| c == ':' || c.is_control());
        if is_good { Ok(Self(text)) } else { Err("issuer needs 1 to 64 characters and no colon".into()) }
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> String {
        issuer.0
    }
}

impl Default for TwoFactor {
    fn default() -> Self {
        Self { issuer: Issuer("accountd".into()), keys: KeysWithCode::Alone }
    }
}
