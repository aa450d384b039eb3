//! Recovery codes: sixteen characters out of the kernel, for whoever has lost the authenticator.

use accountd_protocol::secret::Secret;
use accountd_protocol::two_factor::RECOVERY_CODES;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::database::CodeDigest;

/// No 0, 1, i or o, which are read for one another: 32 characters, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjklmnpqrstuvwxyz23456789";
/// Eighty bits: more than can be guessed, so that a fast digest of it may be kept.
const CHARACTERS: usize = 16;
const GROUP: usize = 4;

/// In small letters, without what sets its groups apart.
#[derive(Debug)]
pub struct RecoveryCode(Zeroizing<String>);

/// The codes of an enrolment, as they are shown, and what is kept of them.
#[derive(Debug)]
pub struct NewCodes {
    pub shown: Vec<Secret>,
    pub digests: Vec<CodeDigest>,
}

impl RecoveryCode {
    pub fn read(text: &str) -> Option<Self> {
        let plain = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_lowercase());
        let code = Zeroizing::new(plain.collect::<String>());
        let is_one = code.len() == CHARACTERS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        is_one.then_some(Self(code))
    }

    fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0_u8; CHARACTERS]);
        getrandom::fill(&mut *bytes)?;
        let character = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        Ok(Self(Zeroizing::new(bytes.iter().map(character).collect())))
    }

    /// Of no use with another enrolment.
    pub fn digest(&self, enrolment: u64) -> CodeDigest {
        Sha256::new().chain_update(enrolment.to_be_bytes()).chain_update(self.0.as_bytes()).finalize().into()
    }

    /// In groups, as it is read from paper.
    fn shown(&self) -> Secret {
        let groups: Vec<&str> = (0..CHARACTERS).step_by(GROUP).filter_map(|at| self.0.get(at..at + GROUP)).collect();
        Secret::new(groups.join("-"))
    }
}

impl NewCodes {
    pub fn make(enrolment: u64) -> Result<Self, getrandom::Error> {
        let mut new = Self { shown: Vec::new(), digests: Vec::new() };
        for _ in 0..RECOVERY_CODES {
            let code = RecoveryCode::random()?;
            new.digests.push(code.digest(enrolment));
            new.shown.push(code.shown());
        }
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_differ_and_are_read_as_they_are_shown() {
        let NewCodes { shown, digests } = NewCodes::make(7).unwrap();
        assert_eq!(shown.iter().map(|code| code.reveal()).collect::<HashSet<_>>().len(), RECOVERY_CODES);
        for (code, digest) in shown.iter().zip(&digests) {
            let text = code.reveal();
            assert_eq!((text.len(), text.matches('-').count()), (19, 3), "{text}");
            for typed in [text.to_owned(), text.to_uppercase(), text.replace('-', ""), text.replace('-', " ")] {
                assert_eq!(RecoveryCode::read(&typed).unwrap().digest(7), *digest, "{typed}");
            }
            assert_ne!(RecoveryCode::read(text).unwrap().digest(8), *digest, "it is bound to its enrolment");
        }
    }

    #[test]
    fn what_has_another_shape_is_none() {
        for odd in [
            "",
            "123456",
            "abcd-efgh-jklm-npq",
            "abcd-efgh-jklm-npqrs",
            "abcd-efgh-jklm-np0r",
            "abcd_efgh_jklm_npqr",
            "ａbcd-efgh-jklm-npq",
        ] {
            assert!(RecoveryCode::read(odd).is_none(), "{odd}");
        }
    }
}
