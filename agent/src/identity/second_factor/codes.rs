//! Codes of authenticators: SHA-1, six digits, thirty seconds, one step of drift either way (RFC 6238 §5.2).

use accountd_protocol::secret::Secret;
use accountd_protocol::two_factor::MAX_CODE_BYTES;
use totp_rs::{Algorithm, Builder, Totp};

use super::recovery::RecoveryCode;

/// As long as the digest, as RFC 4226 §4 recommends.
pub const SECRET_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
/// In steps.
const DRIFT: u16 = 1;
pub const DIGITS: u8 = 6;

/// What somebody has typed, by its shape.
#[derive(Debug)]
pub enum Code {
    /// Six digits.
    Authenticator(String),
    Recovery(RecoveryCode),
}

impl Code {
    /// Blanks within it are how an authenticator shows it. Nothing but ASCII is a digit.
    pub fn read(code: &Secret) -> Option<Self> {
        let text = code.reveal();
        if text.len() > MAX_CODE_BYTES {
            return None;
        }
        let digits: String = text.chars().filter(|c| *c != ' ').collect();
        if digits.len() == usize::from(DIGITS) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Code::Authenticator(digits));
        }
        RecoveryCode::read(text).map(Code::Recovery)
    }
}

/// The step that a code is of, where it is one of those that may be shown now.
pub fn step_of(secret: &[u8], digits: &str, now: u64) -> Option<u64> {
    totp(secret).check(digits, now)
}

/// The last step of which a code may be shown now.
pub fn last_step(now: u64) -> u64 {
    now / STEP_SECONDS + u64::from(DRIFT)
}

fn totp(secret: &[u8]) -> Totp {
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS).with_skew(DRIFT);
    builder.with_step_duration(STEP_SECONDS).with_secret(secret.to_vec()).build_noncompliant()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, of which the last six digits count here.
    const SECRET: &[u8] = b"12345678901234567890";

    fn read(text: &str) -> Option<Code> {
        Code::read(&Secret::new(text.into()))
    }

    #[test]
    fn the_vectors_of_the_rfc_are_codes_of_their_steps() {
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (time, code) in vectors {
            assert_eq!(step_of(SECRET, code, time), Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_behind_its_own() {
        let (code, time) = ("005924", 1_234_567_890);
        let step = time / 30;
        for (now, good) in [(time - 60, false), (time - 30, true), (time, true), (time + 30, true), (time + 60, false)]
        {
            assert_eq!(step_of(SECRET, code, now), good.then_some(step), "{now}");
        }
        assert_eq!(last_step(time), step + 1);
        assert_eq!(step_of(SECRET, "755224", 0), Some(0), "at the very beginning there is no step before");
    }

    #[test]
    fn six_ascii_digits_are_a_code_however_they_are_set_apart() {
        for good in ["123456", " 123 456 ", "1 2 3 4 5 6"] {
            assert!(matches!(read(good), Some(Code::Authenticator(digits)) if digits == "123456"), "{good:?}");
        }
        let long = "1".repeat(1 << 20);
        for odd in [
            "",
            " ",
            "12345",
            "1234567",
            "１２３４５６",
            "12345６",
            "٠١٢٣٤٥",
            "12345\0",
            "123456\n",
            "+12345",
            "-12345",
            "12.456",
            &long,
        ] {
            assert!(!matches!(read(odd), Some(Code::Authenticator(_))), "{odd:.20}");
        }
    }
}
