//! The Samba line of an account, as smbpasswd(5) writes it.

use accountd_protocol::id::Uid;
use accountd_protocol::secret::Secret;
use md4::{Digest, Md4};
use zeroize::Zeroizing;

/// The whole line without its newline:
/// `name:uid:` 32 × `X` `:` NT hash `:[U          ]:LCT-` time `:`.
/// `now` is seconds since 1970, the time of the last change; zero would mean "must change".
pub fn line(name: &str, uid: Uid, password: &Secret, flags: Flags, now: u64) -> String {
    format!("{name}:{uid}:{}:{}:{}:LCT-{now:08X}:", "X".repeat(32), nt_hash(password), flags.field())
}

/// Whether Samba lets the account in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flags {
    Enabled,
    Disabled,
}

impl Flags {
    /// The flags field: always 13 characters with its brackets.
    fn field(self) -> &'static str {
        match self {
            Flags::Enabled => "[U          ]",
            Flags::Disabled => "[DU         ]",
        }
    }
}

/// The line with another name, uid and flags; hash and time stay. `None` if it is not a line of
/// seven fields.
pub fn rewritten(line: &str, name: &str, uid: Uid, flags: Flags) -> Option<String> {
    let mut fields: Vec<&str> = line.split(':').collect();
    if fields.len() < 7 {
        return None;
    }
    let uid = uid.to_string();
    *fields.first_mut()? = name;
    *fields.get_mut(1)? = &uid;
    *fields.get_mut(4)? = flags.field();
    Some(fields.join(":"))
}

/// MD4 of the password in UTF-16, little endian, as 32 upper-case hexadecimal digits.
fn nt_hash(password: &Secret) -> String {
    let wide: Zeroizing<Vec<u8>> =
        Zeroizing::new(password.reveal().encode_utf16().flat_map(u16::to_le_bytes).collect());
    Md4::digest(&*wide).iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nt_hashes_are_those_of_samba() {
        let vectors = [
            ("test", "0CB6948805F797BF2A82807973B89537"),
            ("password", "8846F7EAEE8FB117AD06BDD830B7586C"),
            ("", "31D6CFE0D16AE931B73C59D7E0C089C0"),
            ("pä€ss", "E19DAD189C9BF54DD0A31D42FFABDE48"),
        ];
        for (password, hash) in vectors {
            assert_eq!(nt_hash(&Secret::new(password.into())), hash, "{password}");
        }
    }

    #[test]
    fn the_flags_field_has_thirteen_characters() {
        assert_eq!(Flags::Enabled.field().len(), 13);
        assert_eq!(Flags::Disabled.field().len(), 13);
    }

    #[test]
    fn a_rename_keeps_hash_and_time() {
        let old = line("anna", Uid(1111), &Secret::new("test".into()), Flags::Enabled, 0x6543_21AB);
        assert_eq!(
            rewritten(&old, "berta", Uid(1112), Flags::Disabled).unwrap(),
            "berta:1112:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:0CB6948805F797BF2A82807973B89537:[DU         ]:LCT-654321AB:"
        );
        assert_eq!(rewritten("garbage", "x", Uid(1), Flags::Enabled), None);
    }
}
