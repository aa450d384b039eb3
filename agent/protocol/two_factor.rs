//! The second factor of an account: a code of an authenticator (TOTP, RFC 6238), or a recovery code.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Recovery codes of an enrolment.
pub const RECOVERY_CODES: usize = 10;
/// An enrolment that was begun has to be confirmed within so many seconds.
pub const PENDING_SECONDS: u64 = 600;
/// The longest code that is looked at, in bytes: a recovery code with blanks and dashes is shorter.
pub const MAX_CODE_BYTES: usize = 64;

/// Whether an account has a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwoFactor {
    /// Since when, in seconds since 1970; `None`: it has none.
    pub enrolled: Option<u64>,
    pub recovery_codes_left: u32,
}

/// To be shown once. It counts from its confirmation on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// In base32 (RFC 4648) without padding, as people type it.
    pub secret: Secret,
    /// `otpauth://totp/…`, for a QR code.
    pub uri: Secret,
}
