//! `[login]`: who decides on passwords over SSH.

use accountd_protocol::pam::PamService;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Whether logins over SSH go through PAM (pam(3)).
    pub use_pam: bool,
    pub pam_service: PamServiceName,
    pub pam_seconds: PamSeconds,
}

/// A file of pam.d(5): small letters, digits, `-`, `_` and `.`, of which it does not begin with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PamServiceName(String);

/// 1 to 600.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PamSeconds(u32);

impl Login {
    /// `None` where PAM is not used.
    pub fn pam(&self) -> Option<PamService> {
        self.use_pam.then(|| PamService { name: self.pam_service.0.clone(), seconds: self.pam_seconds.0 })
    }
}

impl Default for Login {
    fn default() -> Self {
        Self { use_pam: false, pam_service: PamServiceName("accountd".into()), pam_seconds: PamSeconds(60) }
    }
}

impl TryFrom<String> for PamServiceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let is_good = (1..=64).contains(&text.len()) && text.bytes().all(is_letter) && !text.starts_with('.');
        match is_good {
            true => Ok(Self(text)),
            false => Err(format!("pam_service = \"{text}\" is no name of a file of pam.d(5)")),
        }
    }
}

impl From<PamServiceName> for String {
    fn from(name: PamServiceName) -> String {
        name.0
    }
}

impl TryFrom<u32> for PamSeconds {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        match seconds {
            1..=600 => Ok(Self(seconds)),
            _ => Err(format!("pam_seconds = {seconds} is not from 1 to 600")),
        }
    }
}

impl From<PamSeconds> for u32 {
    fn from(seconds: PamSeconds) -> u32 {
        seconds.0
    }
}
