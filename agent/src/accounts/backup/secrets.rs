//! Hashes of a backup: what can stand in a field, and can be verified here without stalling the agent.

use accountd_protocol::backup::SambaRecord;
use accountd_protocol::refusal::Problem;
use accountd_protocol::secret::Secret;

use crate::accounts::check::usable_hash;
use crate::identity::hash::is_hash;

/// The most passwords that are remembered of an account (accountd.toml(5), `history`).
const MOST_REMEMBERED: usize = 24;
/// A field of shadow(5) with its marks.
const LONGEST: usize = 400;
/// What smbpasswd(5) has for a hash.
const SAMBA_HASH: usize = 32;
const SAMBA_FLAGS: usize = 13;
const SAMBA_TIME: &str = "LCT-";

/// A field of shadow(5): a hash, locked or not, or what no password fits. One that is empty would let
/// in whoever asks.
pub(super) fn shadow_field(field: &Secret) -> Result<(), Problem> {
    let text = field.reveal();
    let is_field = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    let hash = text.trim_start_matches('!');
    match is_hash(hash) {
        true if is_field => usable_hash(&Secret::new(hash.to_owned())),
        false if is_field && text.starts_with(['*', '!']) => Ok(()),
        true | false => Err(Problem::BadHash),
    }
}

/// A field of gshadow(5), where an empty one lets in members, as no field would.
pub(super) fn gshadow_field(field: &Secret) -> Result<(), Problem> {
    if field.is_empty() { Ok(()) } else { shadow_field(field) }
}

pub(super) fn history(hashes: &[Secret]) -> Result<(), Problem> {
    if hashes.len() > MOST_REMEMBERED {
        return Err(Problem::TooMany { max: MOST_REMEMBERED, actual: hashes.len() });
    }
    hashes.iter().try_for_each(usable_hash)
}

/// The fields of smbpasswd(5) behind name and uid, as one text.
pub(super) fn samba(SambaRecord { lm_hash, nt_hash, flags, changed }: &SambaRecord) -> Result<String, Problem> {
    let is_hash = |hash: &Secret| {
        let text = hash.reveal();
        text.len() == SAMBA_HASH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'*'))
    };
    let letters = flags.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let are_flags = flags.len() == SAMBA_FLAGS
        && letters.is_some_and(|letters| letters.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' '));
    let time = changed.strip_prefix(SAMBA_TIME);
    let is_time = time.is_some_and(|time| time.len() == 8 && time.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_hash(lm_hash) && is_hash(nt_hash) && are_flags && is_time {
        Ok(format!("{}:{}:{flags}:{changed}:", lm_hash.reveal(), nt_hash.reveal()))
    } else {
        Err(Problem::BadHash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn a_field_holds_a_hash_or_nothing_that_a_password_fits() {
        for text in ["*", "!", "!!", "!*", "$6$salt$hashhashhash", "!$6$salt$hashhashhash"] {
            assert_eq!(shadow_field(&secret(text)), Ok(()), "{text}");
        }
        for text in ["", "x", "plain", "$6$a:b$hashhashhash", "*\n", "*:", "$6$rounds=999999999$salt$hash", "$6$s$hä"]
        {
            assert_eq!(shadow_field(&secret(text)), Err(Problem::BadHash), "{text:?}");
        }
        assert_eq!(gshadow_field(&secret("")), Ok(()));
        assert!(history(&vec![secret("$6$salt$hashhashhash"); 25]).is_err());
    }

    #[test]
    fn a_line_of_samba_is_four_fields_and_no_more() {
        let good = SambaRecord {
            lm_hash: secret(&"X".repeat(32)),
            nt_hash: secret("0CB6948805F797BF2A82807973B89537"),
            flags: "[U          ]".into(),
            changed: "LCT-654321AB".into(),
        };
        let line = format!("{}:0CB6948805F797BF2A82807973B89537:[U          ]:LCT-654321AB:", "X".repeat(32));
        assert_eq!(samba(&good), Ok(line));
        let bad = [
            SambaRecord { nt_hash: secret("short"), ..good.clone() },
            SambaRecord { lm_hash: secret(&":".repeat(32)), ..good.clone() },
            SambaRecord { flags: "[U         :]".into(), ..good.clone() },
            SambaRecord { changed: "LCT-654321AB:\nroot".into(), ..good },
        ];
        for record in bad {
            assert_eq!(samba(&record), Err(Problem::BadHash), "{record:?}");
        }
    }
}
