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

    /// A flags field of another account kind (`W`, `X`, …) with the letter D put in or taken out.
    fn in_field(self, field: &str) -> String {
        let others = field.chars().filter(|letter| letter.is_ascii_uppercase() && *letter != 'D');
        let disabled = match self {
            Flags::Enabled => "",
            Flags::Disabled => "D",
        };
        // Samba looks at no letter behind the eleventh.
        let letters: String = disabled.chars().chain(others).take(11).collect();
        format!("[{letters:<11}]")
    }
}

/// The line with another name and uid; hash and time stay, and so do the flags but for the one
/// that disables, where `flags` says something of it. `None` if it is not a line of seven fields.
pub fn rewritten(line: &str, name: &str, uid: Uid, flags: Option<Flags>) -> Option<String> {
    let mut fields: Vec<&str> = line.split(':').collect();
    if fields.len() < 7 {
        return None;
    }
    let uid = uid.to_string();
    let field = flags.map(|flags| flags.in_field(fields.get(4).copied().unwrap_or_default()));
    *fields.first_mut()? = name;
    *fields.get_mut(1)? = &uid;
    if let Some(field) = &field {
        *fields.get_mut(4)? = field;
    }
    Some(fields.join(":"))
}

/// Whether a line has an NT hash: there are `X`s where none is known, and other letters where none is
/// needed.
pub fn has_hash(line: &str) -> bool {
    is_hash(line.split(':').nth(3).unwrap_or_default().as_bytes())
}

/// The same of the field alone.
pub fn is_hash(field: &[u8]) -> bool {
    field.len() == 32 && field.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a flags field does not shut the account out.
pub fn lets_in(flags: &[u8]) -> bool {
    flags.first() == Some(&b'[') && !flags.contains(&b'D')
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
            rewritten(&old, "berta", Uid(1112), Some(Flags::Disabled)).unwrap(),
            "berta:1112:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:0CB6948805F797BF2A82807973B89537:[DU         ]:LCT-654321AB:"
        );
        assert_eq!(rewritten("garbage", "x", Uid(1), None), None);
    }

    #[test]
    fn only_the_flag_that_disables_is_touched_and_only_when_it_is_asked_for() {
        let machine = format!("pc$:1:{0}:{0}:[WX         ]:LCT-1:", "X".repeat(32));
        let flags = |flags| rewritten(&machine, "pc$", Uid(1), flags).unwrap().split(':').nth(4).unwrap().to_owned();
        assert_eq!(flags(None), "[WX         ]");
        assert_eq!(flags(Some(Flags::Disabled)), "[DWX        ]");
        let disabled = machine.replace("[WX         ]", "[DU         ]");
        assert!(rewritten(&disabled, "pc$", Uid(1), None).unwrap().contains(":[DU         ]:"));
        assert!(rewritten(&disabled, "pc$", Uid(1), Some(Flags::Enabled)).unwrap().contains(":[U          ]:"));
    }
}
