//! Password hashes that crypt(5) does not know, in the forms in which SFTPGo writes them: argon2id (RFC 9106,
//! PHC string format) and PBKDF2 (RFC 8018).
//!
//! They stand in the state store and let in through accountd alone.

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64, Base64Unpadded, Encoding};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::hash::same;

/// What verifying costs at most: an imported hash must not be able to stall the agent.
const MAX_ARGON_KIB: u32 = 256 * 1024;
const MAX_ARGON_PASSES: u32 = 16;
const MAX_ARGON_LANES: u32 = 16;
const MAX_ITERATIONS: u32 = 2_000_000;
const LONGEST: usize = 512;

/// Whether this is a hash that can be verified here, at a price that may be asked.
pub fn is_own(hash: &str) -> bool {
    hash.len() <= LONGEST && hash.bytes().all(|byte| byte.is_ascii_graphic()) && Own::parse(hash).is_some()
}

/// Whether `password` is the one behind `hash`.
pub fn verify(password: &str, hash: &str) -> bool {
    Own::parse(hash).is_some_and(|own| own.is_of(password.as_bytes()))
}

enum Own<'a> {
    Argon2id { params: Params, salt: Vec<u8>, key: Vec<u8> },
    Pbkdf2 { digest: Digest, iterations: u32, salt: &'a str, key: Vec<u8> },
}

#[derive(Clone, Copy)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    fn bytes(self) -> usize {
        match self {
            Digest::Sha1 => 20,
            Digest::Sha256 => 32,
            Digest::Sha512 => 64,
        }
    }
}

impl<'a> Own<'a> {
    fn parse(hash: &'a str) -> Option<Self> {
        if hash.starts_with("$argon2id$") { Self::argon2id(hash) } else { Self::pbkdf2(hash) }
    }

    /// `$argon2id$v=19$m=KiB,t=passes,p=lanes$salt$key`, both in base64 without padding.
    fn argon2id(hash: &str) -> Option<Self> {
        let fields: Vec<&str> = hash.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, key] = fields[..] else { return None };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, passes, lanes] = costs[..] else { return None };
        let cost = |text: &str, name, most| {
            text.strip_prefix(name)?.parse::<u32>().ok().filter(|cost| (1..=most).contains(cost))
        };
        let memory = cost(memory, "m=", MAX_ARGON_KIB)?;
        let (passes, lanes) = (cost(passes, "t=", MAX_ARGON_PASSES)?, cost(lanes, "p=", MAX_ARGON_LANES)?);
        let salt = Base64Unpadded::decode_vec(salt).ok().filter(|salt| salt.len() >= argon2::MIN_SALT_LEN)?;
        let key = Base64Unpadded::decode_vec(key).ok().filter(|key| key.len() >= argon2::Params::MIN_OUTPUT_LEN)?;
        let params = Params::new(memory, passes, lanes, Some(key.len())).ok()?;
        Some(Own::Argon2id { params, salt, key })
    }

    /// `$pbkdf2-sha256$iterations$salt as it is$key in base64`.
    fn pbkdf2(hash: &'a str) -> Option<Self> {
        let fields: Vec<&str> = hash.split('$').collect();
        let ["", name, iterations, salt, key] = fields[..] else { return None };
        let digest = match name {
            "pbkdf2-sha1" => Digest::Sha1,
            "pbkdf2-sha256" => Digest::Sha256,
            "pbkdf2-sha512" => Digest::Sha512,
            _ => return None,
        };
        let iterations = iterations.parse().ok().filter(|count| (1..=MAX_ITERATIONS).contains(count))?;
        let key = Base64::decode_vec(key).ok().filter(|key| key.len() == digest.bytes())?;
        Some(Own::Pbkdf2 { digest, iterations, salt, key })
    }

    fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Own::Argon2id { params, salt, key } => {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let mut computed = vec![0; key.len()];
                argon2.hash_password_into(password, salt, &mut computed).is_ok() && same(&computed, key)
            }
            Own::Pbkdf2 { digest, iterations, salt, key } => {
                let mut computed = vec![0; digest.bytes()];
                let salt = salt.as_bytes();
                match digest {
                    Digest::Sha1 => pbkdf2_hmac::<Sha1>(password, salt, *iterations, &mut computed),
                    Digest::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, *iterations, &mut computed),
                    Digest::Sha512 => pbkdf2_hmac::<Sha512>(password, salt, *iterations, &mut computed),
                }
                same(&computed, key)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PBKDF2: &str = "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=";

    #[test]
    fn known_hashes_are_verified() {
        assert!(is_own(PBKDF2) && verify("password", PBKDF2) && !verify("Password", PBKDF2));
        // From argon2(1): echo -n password | argon2 somesalt -id -m 16 -t 2 -p 1 -e
        let argon = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(is_own(argon) && verify("password", argon) && !verify("other", argon));
    }

    #[test]
    fn pbkdf2_is_verified_by_each_digest() {
        // RFC 6070, 2.; the other by hashlib.pbkdf2_hmac of Python.
        let sha1 = "$pbkdf2-sha1$4096$salt$SwB5AbdlSJq+rUnZJvch0GWkKcE=";
        let sha512 = "$pbkdf2-sha512$4096$salt$\
                      0Zexsz2wFD4BixLz0dFHnmzevcyXxcD4f2kC4HL0V7UUPzBgJkGz1VzTNZiMs2uEN2Bg7NUy4Dm3QqI5Q0ry1Q==";
        for hash in [sha1, sha512] {
            assert!(is_own(hash) && verify("password", hash) && !verify("Password", hash), "{hash}");
        }
    }

    #[test]
    fn what_is_not_whole_or_costs_too_much_is_none() {
        for hash in [
            "",
            "password",
            "$argon2id$",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$pbkdf2-sha256$0$salt$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=",
            "$pbkdf2-sha256$99999999$salt$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=",
            "$pbkdf2-sha256$1$salt$R5J62hsSq+pYw00=",
            "$pbkdf2-md5$1$salt$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=",
            "$6$salt$hash",
        ] {
            assert!(!is_own(hash), "{hash}");
        }
    }
}
