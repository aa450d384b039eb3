//! The text of login tokens: JSON web tokens (RFC 7519) with HMAC-SHA-256 (RFC 7518 §3.2) and no other algorithm,
//! whatever a token says of itself.

use accountd_protocol::secret::Secret;
use accountd_protocol::token::MAX_TOKEN_BYTES;
use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::database::TokenKey;

/// The first part of every token.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a token says. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub username: String,
    /// When the password was changed.
    pub pwd_ts: u64,
    pub exp: u64,
    pub nbf: u64,
    pub iat: u64,
}

/// `None` where it would be longer than any that is taken.
pub fn sign(claims: &Claims, key: &TokenKey) -> Option<Secret> {
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let signed = format!("{}.{}", encode(HEADER.as_bytes()), encode(&serde_json::to_vec(claims).ok()?));
    let signature = mac(key, &signed)?.finalize().into_bytes();
    let token = format!("{signed}.{}", encode(&signature));
    (token.len() <= MAX_TOKEN_BYTES).then(|| Secret::new(token))
}

/// What a token says that was signed with this key; whether it is good still is another question.
pub fn read(token: &Secret, key: &TokenKey) -> Option<Claims> {
    let text = Some(token.reveal()).filter(|text| text.len() <= MAX_TOKEN_BYTES)?;
    let (signed, signature) = text.rsplit_once('.')?;
    let signature = Base64UrlUnpadded::decode_vec(signature).ok()?;
    // Compared in constant time.
    mac(key, signed)?.verify_slice(&signature).ok()?;
    let (header, claims) = signed.split_once('.')?;
    if Base64UrlUnpadded::decode_vec(header).ok()? != HEADER.as_bytes() {
        return None;
    }
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(claims).ok()?).ok()
}

fn mac(key: &TokenKey, signed: &str) -> Option<Hmac<Sha256>> {
    Some(Hmac::<Sha256>::new_from_slice(key).ok()?.chain_update(signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TokenKey = [7; 32];

    fn claims() -> Claims {
        Claims { username: "anna".into(), pwd_ts: 5, exp: 20, nbf: 10, iat: 10 }
    }

    fn encoded(text: &str) -> String {
        Base64UrlUnpadded::encode_string(text.as_bytes())
    }

    #[test]
    fn a_token_is_read_with_its_own_key_alone() {
        let token = sign(&claims(), &KEY).unwrap();
        assert_eq!(read(&token, &KEY), Some(claims()));
        assert_eq!(read(&token, &[8; 32]), None);
        for at in 0..token.reveal().len() {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert_eq!(read(&Secret::new(changed), &KEY), None, "{at}");
            }
        }
    }

    #[test]
    fn no_other_algorithm_is_taken_and_no_nonsense() {
        let body = encoded(&serde_json::to_string(&claims()).unwrap());
        let signed = |header: &str| {
            let text = format!("{}.{body}", encoded(header));
            let signature = mac(&KEY, &text).unwrap().finalize().into_bytes();
            format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
        };
        assert!(read(&Secret::new(signed(HEADER)), &KEY).is_some());
        let none = format!("{}.{body}.", encoded(r#"{"alg":"none","typ":"JWT"}"#));
        let others = [signed(r#"{"alg":"none"}"#), signed(r#"{"alg":"HS512","typ":"JWT"}"#), none];
        let long = "a".repeat(MAX_TOKEN_BYTES + 1);
        for odd in others.iter().map(String::as_str).chain(["", ".", "..", "...", "a.b.c", &long]) {
            assert_eq!(read(&Secret::new(odd.into()), &KEY), None, "{odd:.40}");
        }
    }
}
