//! What differs between two lines of a user, field by field, for the audit trail. Of passwords it
//! says only that there is one.

use accountd_protocol::audit::{FieldChange, Word};
use smallvec::SmallVec;

use crate::database::entry::{passwd, shadow};
use crate::database::file::FileKind;
use crate::identity::hash::is_hash;

/// Stands for what is never shown.
pub const HIDDEN: Word = Word::Borrowed("(hidden)");
/// The longest value, in characters.
const LONGEST: usize = 256;

/// A field by its number, and what it is called.
type Named = (usize, &'static str);

const PASSWD: [Named; 4] =
    [(passwd::GID, "gid"), (passwd::GECOS, "full_name"), (passwd::HOME, "home"), (passwd::SHELL, "shell")];
const AGEING: [Named; 5] = [
    (shadow::LAST_CHANGE, "last_change"),
    (shadow::MIN, "min_days"),
    (shadow::MAX, "max_days"),
    (shadow::WARN, "warn_days"),
    (shadow::INACTIVE, "inactive_days"),
];
const EXPIRE: [Named; 1] = [(shadow::EXPIRE, "expire_day")];
/// Field numbers of smbpasswd(5): both hashes, and the flags.
const SMB_HASHES: [usize; 2] = [2, 3];
const SMB_FLAGS: [Named; 1] = [(4, "smb_flags")];

/// One line of a file as it was and as it is.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    pub kind: FileKind,
    pub old: Option<&'a [u8]>,
    pub new: Option<&'a [u8]>,
}

/// The fields of a line; of one that is not there, all are missing.
struct Fields<'a>(SmallVec<[&'a [u8]; 10]>);

impl<'a> Fields<'a> {
    fn of(line: Option<&'a [u8]>) -> Self {
        Self(line.into_iter().flat_map(|line| line.split(|byte| *byte == b':')).collect())
    }

    /// `None` for a field that is not there or empty.
    fn get(&self, field: usize) -> Option<&'a [u8]> {
        self.0.get(field).copied().filter(|text| !text.is_empty())
    }
}

impl Changed<'_> {
    /// Lines that were there before and are still.
    fn stays(&self) -> bool {
        self.old.is_some() && self.new.is_some()
    }

    /// The fields that differ, but for names and numbers: those are in rows.
    pub fn fields(&self, changes: &mut Vec<FieldChange>) {
        let (old, new) = (Fields::of(self.old), Fields::of(self.new));
        let mut plain = |fields: &[Named]| {
            for (field, name) in fields {
                push(changes, name, [old.get(*field).map(shown), new.get(*field).map(shown)]);
            }
        };
        match self.kind {
            FileKind::Passwd => {
                plain(&PASSWD);
                let password = [old.get(passwd::PASSWORD), new.get(passwd::PASSWORD)];
                if self.stays() && password[0] != password[1] {
                    let said = password.map(|field| if field == Some(b"x") { "in shadow" } else { "(hidden)" });
                    push_different(changes, "password_place", said.map(|said| Some(Word::Borrowed(said))));
                }
            }
            FileKind::Shadow => {
                plain(&EXPIRE);
                if self.stays() {
                    plain(&AGEING);
                }
                password([&old, &new], changes);
            }
            FileKind::Smbpasswd => {
                if self.stays() {
                    plain(&SMB_FLAGS);
                }
                if SMB_HASHES.iter().any(|field| old.get(*field) != new.get(*field)) {
                    let there = [self.old, self.new].map(|line| line.map(|_| HIDDEN));
                    push_different(changes, "smb_password", there);
                }
            }
            FileKind::Gshadow | FileKind::Group | FileKind::UsernameMap | FileKind::Aliases => {}
        }
    }
}

/// The lock, and whether there is a hash, another one, none, or an empty field that lets anybody in.
fn password(lines: [&Fields<'_>; 2], changes: &mut Vec<FieldChange>) {
    let is_there = lines.map(|line| !line.0.is_empty());
    let fields = lines.map(|line| line.get(shadow::PASSWORD).unwrap_or_default());
    let locked = fields.map(|field| field.starts_with(b"!"));
    let hashes = fields.map(|field| field.strip_prefix(b"!").unwrap_or(field).trim_ascii());
    if locked[0] != locked[1] {
        push(changes, "locked", locked.map(|locked| Some(Word::Borrowed(if locked { "true" } else { "false" }))));
    }
    let kind = |hash: &[u8], is_there: bool| match std::str::from_utf8(hash) {
        _ if !is_there => None,
        Ok("") => Some(Word::Borrowed("(empty)")),
        Ok(hash) if is_hash(hash.trim_start_matches('!')) => Some(HIDDEN),
        Ok(_) | Err(_) => None,
    };
    let said = [kind(hashes[0], is_there[0]), kind(hashes[1], is_there[1])];
    let is_hidden = said.iter().any(|said| said.as_ref() == Some(&HIDDEN));
    if said[0] != said[1] || is_hidden && hashes[0] != hashes[1] {
        push_different(changes, "password", said);
    }
}

/// Adds a field whose values differ.
pub fn push(changes: &mut Vec<FieldChange>, field: &'static str, [old, new]: [Option<Word>; 2]) {
    if old != new {
        changes.push(FieldChange::new(field, old, new));
    }
}

/// Adds a field that differs although it is shown alike.
pub fn push_different(changes: &mut Vec<FieldChange>, field: &'static str, [old, new]: [Option<Word>; 2]) {
    changes.push(FieldChange::new(field, old, new));
}

/// A value as text, cut.
pub fn shown(value: &[u8]) -> Word {
    shown_up_to(LONGEST, value)
}

/// The same for a value of another length, in characters.
pub fn shown_up_to(longest: usize, value: &[u8]) -> Word {
    let text = String::from_utf8_lossy(value);
    let cut = text.char_indices().nth(longest).map(|(end, _)| end);
    Word::Owned(cut.map_or_else(|| text.to_string(), |end| format!("{}…", text.get(..end).unwrap_or_default())))
}

pub fn number(number: impl Into<u64>) -> Word {
    Word::Owned(number.into().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$6$saltsaltsaltsalt$hOxG3zXfAZ4hN1lTyJ8nmgFlAUOZ6yhhQ.1jBqd3r1C8mYQ1r7lcp1sDzWDLyJ6W0cN2YkSjv9S6UBUvKxPzX0";

    fn said(kind: FileKind, old: Option<&str>, new: Option<&str>) -> Vec<String> {
        let mut changes = Vec::new();
        Changed { kind, old: old.map(str::as_bytes), new: new.map(str::as_bytes) }.fields(&mut changes);
        let word = |word: Option<Word>| word.unwrap_or(Word::Borrowed("-"));
        changes
            .into_iter()
            .map(|change| format!("{} {} {}", change.field, word(change.old), word(change.new)))
            .collect()
    }

    #[test]
    fn plain_fields_are_shown_and_numbers_of_rows_are_not() {
        let (old, new) = ("anna:x:1:2:Anna:/home/anna:/bin/sh", "berta:x:3:4::/home/anna:/bin/bash");
        let rows = ["gid 2 4", "full_name Anna -", "shell /bin/sh /bin/bash"];
        assert_eq!(said(FileKind::Passwd, Some(old), Some(new)), rows);
        assert_eq!(said(FileKind::Passwd, None, Some("a:x:1:2:::")), ["gid - 2"]);
        let hash = format!("a:{HASH}:1:2:::");
        assert_eq!(said(FileKind::Passwd, Some("a:x:1:2:::"), Some(&hash)), ["password_place in shadow (hidden)"]);
    }

    #[test]
    fn a_password_is_hidden_and_its_lock_ageing_and_absence_are_not() {
        let line = |password: &str| format!("anna:{password}:20000:0:99999:7:::");
        let said = |old: &str, new: &str| said(FileKind::Shadow, Some(&line(old)), Some(&line(new)));
        let other = HASH.replace("PzX0", "PzX1");
        assert_eq!(said(HASH, &other), ["password (hidden) (hidden)"]);
        assert_eq!(said(HASH, &format!("!{HASH}")), ["locked false true"]);
        assert_eq!(said(HASH, "*"), ["password (hidden) -"]);
        assert_eq!(said("*", ""), ["password - (empty)"]);
        assert_eq!(said("*", "*"), Vec::<String>::new());
        let new = "anna:*:20001:0:30:7::20500:";
        let rows = ["expire_day - 20500", "last_change 20000 20001", "max_days 99999 30"];
        assert_eq!(super::tests::said(FileKind::Shadow, Some(&line("*")), Some(new)), rows);
        assert_eq!(super::tests::said(FileKind::Shadow, None, Some(&line(HASH))), ["password - (hidden)"]);
    }

    #[test]
    fn hashes_of_samba_are_hidden() {
        let line = |nt: &str, flags: &str| format!("anna:1:{}:{nt}:{flags}:LCT-65000000:", "X".repeat(32));
        let (old, new) = (line(&"A".repeat(32), "[U          ]"), line(&"B".repeat(32), "[DU         ]"));
        let rows = ["smb_flags [U          ] [DU         ]", "smb_password (hidden) (hidden)"];
        assert_eq!(said(FileKind::Smbpasswd, Some(&old), Some(&new)), rows);
        assert_eq!(said(FileKind::Smbpasswd, Some(&old), None), ["smb_password (hidden) -"]);
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let value = "ä".repeat(300);
        assert_eq!(shown(value.as_bytes()), "ä".repeat(256) + "…");
    }
}
