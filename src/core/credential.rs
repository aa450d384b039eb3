//! A credential as a client shows it, and the digest by which it is remembered.

use std::net::IpAddr;

use accountd_protocol::secret::Secret;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// A digest of one credential under this process's key; says nothing to anybody else.
pub type Digest = [u8; 32];

/// Random for each process, so that a digest in a memory image can't be tried against passwords
/// without it.
pub struct DigestKey([u8; 32]);

impl DigestKey {
    pub fn random() -> Result<Self, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::Random)?;
        Ok(Self(key))
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("DigestKey(…)")
    }
}

#[derive(Clone, Debug)]
pub struct Credential {
    pub proof: Proof,
    pub source: IpAddr,
    pub digest: Digest,
}

/// What is shown.
#[derive(Clone, Debug)]
pub enum Proof {
    Password {
        user: String,
        password: Secret,
        code: Option<Secret>,
    },
    /// What a client of AList makes of the password.
    Static {
        user: String,
        digest: Secret,
        code: Option<Secret>,
    },
    ApiKey(Secret),
    Token(Secret),
    /// Nothing.
    Guest,
}

impl Proof {
    /// A code is good once: who has shown one is not remembered by it.
    pub fn is_for_once(&self) -> bool {
        match self {
            Proof::Password { code, .. } | Proof::Static { code, .. } => code.is_some(),
            Proof::ApiKey(_) | Proof::Token(_) | Proof::Guest => false,
        }
    }
}

impl Credential {
    pub fn new(proof: Proof, source: IpAddr, key: &DigestKey) -> Self {
        let digest = digest(&proof, source, key);
        Self { proof, source, digest }
    }
}

/// Each part after its length, so that no two credentials spell the same bytes.
fn digest(proof: &Proof, source: IpAddr, key: &DigestKey) -> Digest {
    let source = source.to_string();
    let parts = match proof {
        Proof::Password { user, password, code: _ } => ["password", user, password.reveal(), &source],
        Proof::Static { user, digest, code: _ } => ["static", user, digest.reveal(), &source],
        Proof::ApiKey(key) => ["api key", "", key.reveal(), &source],
        Proof::Token(token) => ["token", "", token.reveal(), &source],
        Proof::Guest => ["guest", "", "", &source],
    };
    let mut hash = Sha256::new();
    hash.update(key.0);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(user: &str, password: &str, source: &str, key: &DigestKey) -> Digest {
        Credential::new(shown(user, password), source.parse().unwrap(), key).digest
    }

    fn shown(user: &str, password: &str) -> Proof {
        Proof::Password { user: user.into(), password: Secret::new(password.into()), code: None }
    }

    #[test]
    fn every_part_of_a_credential_counts() {
        let key = DigestKey::random().unwrap();
        let one = digest_of("root", "pw", "127.0.0.1", &key);
        assert_eq!(one, digest_of("root", "pw", "127.0.0.1", &key));
        for (user, password, source) in [
            ("roo", "tpw", "127.0.0.1"),
            ("root", "pW", "127.0.0.1"),
            ("root", "pw", "127.0.0.2"),
            ("rootpw", "", "::1"),
        ] {
            assert_ne!(one, digest_of(user, password, source, &key), "{user} {password} {source}");
        }
        assert_ne!(one, digest_of("root", "pw", "127.0.0.1", &DigestKey::random().unwrap()));
        let source = "::1".parse().unwrap();
        let key_alone = Credential::new(Proof::ApiKey(Secret::new("k".into())), source, &key).digest;
        assert_ne!(key_alone, digest_of("", "k", "::1", &key), "a key is no password");
        let token = Credential::new(Proof::Token(Secret::new("k".into())), source, &key).digest;
        assert_ne!(key_alone, token, "nor is it a token");
        let hashed = Proof::Static { user: "root".into(), digest: Secret::new("pw".into()), code: None };
        assert_ne!(Credential::new(hashed, "127.0.0.1".parse().unwrap(), &key).digest, one);
    }

    #[test]
    fn debug_shows_neither_password_nor_key() {
        let key = DigestKey([7; 32]);
        let text = format!("{:?} {key:?}", Credential::new(shown("u", "hunter2"), "::1".parse().unwrap(), &key));
        assert!(!text.contains("hunter2") && !text.contains("7, 7"), "{text}");
    }
}
