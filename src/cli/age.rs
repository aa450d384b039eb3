//! Files that are encrypted with a passphrase, as age(1) does it, so that they can be opened without this
//! program: the format age-encryption.org/v1 with one scrypt recipient, all of it in memory.

use accountd_protocol::secret::Secret;
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

const INTRO: &str = "age-encryption.org/v1\n";
const STANZA: &str = "-> scrypt ";
const MAC: &str = "---";
const LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const SALT: usize = 16;
const FILE_KEY: usize = 16;
const NONCE: usize = 16;
const TAG: usize = 16;
const CHUNK: usize = 64 * 1024;
/// Of scrypt, as age(1) does it: 256 MiB of memory for about a second.
pub const WORK: u8 = 18;
/// A file that asks for more memory than this (a gibibyte) is not opened.
const MOST_WORK: u8 = 20;
const SCRYPT_BLOCK: u32 = 8;

type Key = Zeroizing<[u8; 32]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    #[error("it is encrypted otherwise than with a passphrase, or its beginning is damaged")]
    Header,
    #[error("the passphrase is wrong")]
    Passphrase,
    #[error("it is damaged")]
    Damaged,
    #[error("opening it would take more memory than this program takes")]
    TooCostly,
    #[error("the cryptography of this system fails")]
    Cryptography,
}

pub fn is_encrypted(content: &[u8]) -> bool {
    content.starts_with(INTRO.as_bytes())
}

/// `work` is the binary logarithm of scrypt's cost: [`WORK`] but in tests.
pub fn encrypt(plain: &[u8], passphrase: &Secret, work: u8) -> Result<Vec<u8>, AgeError> {
    let (mut salt, mut nonce, mut file_key) = ([0; SALT], [0; NONCE], Zeroizing::new([0; FILE_KEY]));
    for random in [&mut salt[..], &mut nonce[..], &mut file_key[..]] {
        getrandom::fill(random).map_err(|_| AgeError::Cryptography)?;
    }
    let mut body = Zeroizing::new(file_key.to_vec());
    let wrap = cipher(&*stretched(passphrase, &salt, work)?)?;
    wrap.seal_in_place_append_tag(first_nonce(), Aad::empty(), &mut *body).map_err(|_| AgeError::Cryptography)?;
    let (salt, body) = (Base64Unpadded::encode_string(&salt), Base64Unpadded::encode_string(&body));
    let header = format!("{INTRO}{STANZA}{salt} {work}\n{body}\n{MAC}");
    let mac = hmac::sign(&mac_key(&*file_key)?, header.as_bytes());
    let mut file = format!("{header} {}\n", Base64Unpadded::encode_string(mac.as_ref())).into_bytes();
    file.extend(nonce);
    let key = cipher(&*derived(&*file_key, &nonce, b"payload")?)?;
    let count = plain.chunks(CHUNK).count().max(1);
    for index in 0..count {
        let chunk = plain.chunks(CHUNK).nth(index).unwrap_or_default();
        let mut sealed = Zeroizing::new(chunk.to_vec());
        let nonce = chunk_nonce(index, index + 1 == count);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut *sealed).map_err(|_| AgeError::Cryptography)?;
        file.extend_from_slice(&sealed);
    }
    Ok(file)
}

/// The content, if every byte of it is as it was.
pub fn decrypt(file: &[u8], passphrase: &Secret) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let Header { salt, work, mut body, signed, mac, payload } = header(file).ok_or(AgeError::Header)?;
    if work > MOST_WORK {
        return Err(AgeError::TooCostly);
    }
    let wrap = cipher(&*stretched(passphrase, &salt, work)?)?;
    let file_key = wrap.open_in_place(first_nonce(), Aad::empty(), &mut body).map_err(|_| AgeError::Passphrase)?;
    hmac::verify(&mac_key(file_key)?, signed, &mac).map_err(|_| AgeError::Damaged)?;
    let (nonce, payload) = payload.split_at_checked(NONCE).ok_or(AgeError::Damaged)?;
    let key = cipher(&*derived(file_key, nonce, b"payload")?)?;
    let chunks: Vec<&[u8]> = payload.chunks(CHUNK + TAG).collect();
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    for (index, chunk) in chunks.iter().enumerate() {
        let mut chunk = Zeroizing::new(chunk.to_vec());
        let nonce = chunk_nonce(index, index + 1 == chunks.len());
        let opened = key.open_in_place(nonce, Aad::empty(), &mut chunk).map_err(|_| AgeError::Damaged)?;
        if opened.is_empty() && index > 0 {
            return Err(AgeError::Damaged);
        }
        plain.extend_from_slice(opened);
    }
    if chunks.is_empty() { Err(AgeError::Damaged) } else { Ok(plain) }
}

struct Header<'a> {
    salt: Vec<u8>,
    work: u8,
    body: Zeroizing<Vec<u8>>,
    /// What the MAC is of.
    signed: &'a [u8],
    mac: Vec<u8>,
    payload: &'a [u8],
}

fn header(file: &[u8]) -> Option<Header<'_>> {
    let line = |rest: &mut &[u8]| {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, behind) = rest.split_at_checked(end)?;
        *rest = behind.get(1..)?;
        std::str::from_utf8(line).ok().map(str::to_owned)
    };
    let bytes = |text: &str, length: usize| Base64Unpadded::decode_vec(text).ok().filter(|bytes| bytes.len() == length);
    let mut rest = file.strip_prefix(INTRO.as_bytes())?;
    let stanza = line(&mut rest)?;
    let (salt, work) = stanza.strip_prefix(STANZA)?.split_once(' ')?;
    let is_number = work.bytes().all(|byte| byte.is_ascii_digit()) && !work.starts_with('0');
    let work = if is_number { work.parse().ok()? } else { return None };
    let body = bytes(&line(&mut rest)?, FILE_KEY + TAG)?;
    let signed = file.get(..file.len() - rest.len() + MAC.len())?;
    let mac = line(&mut rest)?;
    let mac = bytes(mac.strip_prefix(MAC)?.strip_prefix(' ')?, 32)?;
    Some(Header { salt: bytes(salt, SALT)?, work, body: Zeroizing::new(body), signed, mac, payload: rest })
}

fn stretched(passphrase: &Secret, salt: &[u8], work: u8) -> Result<Key, AgeError> {
    let parameters = scrypt::Params::new(work, SCRYPT_BLOCK, 1).map_err(|_| AgeError::Cryptography)?;
    let mut key = Key::default();
    let salt = [LABEL, salt].concat();
    scrypt::scrypt(passphrase.reveal().as_bytes(), &salt, &parameters, &mut *key)
        .map_err(|_| AgeError::Cryptography)?;
    Ok(key)
}

fn derived(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Result<Key, AgeError> {
    let mut key = Key::default();
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let expanded = extracted.expand(&[purpose], hkdf::HKDF_SHA256).and_then(|expanded| expanded.fill(&mut *key));
    expanded.map(|()| key).map_err(|_| AgeError::Cryptography)
}

fn mac_key(file_key: &[u8]) -> Result<hmac::Key, AgeError> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*derived(file_key, &[], b"header")?))
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, AgeError> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(|_| AgeError::Cryptography)
}

/// Of a key that is used once.
fn first_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Eleven bytes of counter, and whether it is the last: a file that was cut has no last one.
fn chunk_nonce(index: usize, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&(index as u64).to_be_bytes());
    nonce[11] = u8::from(is_last);
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cheap enough for a test.
    const LITTLE: u8 = 4;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn what_was_encrypted_comes_back_whatever_its_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plain: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let file = encrypt(&plain, &secret("pass phrase"), LITTLE).unwrap();
            assert!(is_encrypted(&file) && !is_encrypted(&plain));
            assert_eq!(*decrypt(&file, &secret("pass phrase")).unwrap(), plain, "{length}");
            assert_eq!(decrypt(&file, &secret("pass phrasf")).unwrap_err(), AgeError::Passphrase);
        }
    }

    #[test]
    fn what_another_program_has_encrypted_is_opened() {
        // By the `age` crate, 0.12.1.
        let file = concat!(
            "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAzZklSMmN2M2wxRGZIUmRCbWdqaXBnIDQKQU9pajFPQ0dYaWtuWnlu",
            "VzkxZU12Mk96OHFWSXFJU2FsdEsvZEN3YjNBOAotLS0gMU4vSVluc1paaTJ6TGxyTHVaTTlYeVN2bVY2UjA5cU50dXNWbkNC",
            "OEtrOAqeBrBUyzIWrGBVze/nUQSS1BYXjWoCrWYoUH+A+vsv31YNxEQgr0+yyyef4cUy",
        );
        let file = base64ct::Base64::decode_vec(file).unwrap();
        assert_eq!(**decrypt(&file, &secret("correct horse")).unwrap(), *b"kept for later");
    }

    #[test]
    fn no_byte_can_be_another_and_none_can_be_missing() {
        let file = encrypt(&[7; CHUNK + 10], &secret("pw"), LITTLE).unwrap();
        let places = (0..250).chain([1000, CHUNK, file.len() - 30, file.len() - 1]);
        for place in places {
            let mut damaged = file.clone();
            damaged[place] ^= 1;
            assert!(decrypt(&damaged, &secret("pw")).is_err(), "byte {place}");
        }
        let payload = file.len() - (CHUNK + TAG) - (10 + TAG);
        for length in [0, 20, 100, payload, payload + CHUNK + TAG, file.len() - 1] {
            assert!(decrypt(&file[..length], &secret("pw")).is_err(), "{length} bytes");
        }
        assert!(decrypt(&[&file[..], b"x"].concat(), &secret("pw")).is_err());
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_not_opened() {
        let file = encrypt(b"x", &secret("pw"), LITTLE).unwrap();
        let text = String::from_utf8_lossy(&file).into_owned();
        let (before, _) = text.split_once(" 4\n").unwrap();
        let costly = [before.as_bytes(), b" 40\n", &file[before.len() + 3..]].concat();
        assert_eq!(decrypt(&costly, &secret("pw")).unwrap_err(), AgeError::TooCostly);
    }
}
