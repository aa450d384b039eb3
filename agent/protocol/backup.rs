//! A backup: every account that is not built in, as one document that another machine can take over
//! (docs/backup.md).
//!
//! Members of objects come in the order in which they stand here, groups and users by name, so that
//! two backups of the same accounts differ by nothing but machine, time and stable ids. Nothing in it
//! is believed by whoever reads it: names and paths are still texts.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::ageing::Ageing;
use crate::agent::Echoes;
use crate::limits::Limits;
use crate::policy::PasswordRule;
use crate::secret::Secret;

/// What `format` says.
pub const FORMAT: &str = "accountd-backup";
/// The only version that is written and read.
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    pub format: String,
    pub version: u32,
    /// The host name of the machine that it is from.
    pub machine: String,
    /// A date-time in UTC (RFC 3339).
    pub created: String,
    /// The rules for passwords that were set over REST.
    pub password_rules: BTreeMap<PasswordRule, u32>,
    #[serde(deserialize_with = "named_items")]
    pub groups: Vec<GroupRecord>,
    /// Who of `users` is in groups that every machine has by itself.
    #[serde(deserialize_with = "named_items")]
    pub builtin_groups: Vec<BuiltinMembers>,
    #[serde(deserialize_with = "named_items")]
    pub users: Vec<UserRecord>,
    /// Of the document as compact JSON with nothing in this place, in hexadecimal.
    pub sha256: String,
}

/// A group(5) and its gshadow(5).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    pub name: String,
    /// Stable there; another machine has its own.
    pub id: u64,
    pub gid: u32,
    /// The field of gshadow(5); `None` where the group has no line there.
    pub password: Option<Secret>,
    pub administrators: Vec<String>,
    pub members: Vec<String>,
    /// The text of its drop-in of sudo.
    pub sudo: Option<String>,
    /// Not there where nothing is limited.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltinMembers {
    pub name: String,
    pub members: Vec<String>,
}

/// A user: its lines in passwd(5), shadow(5) and smbpasswd(5), and what those can't hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    pub name: String,
    /// Stable there; another machine has its own.
    pub id: u64,
    pub uid: u32,
    pub gid: u32,
    /// The name of the primary group; `None` where no group has that gid.
    pub group: Option<String>,
    pub full_name: String,
    pub email: String,
    pub microsoft_account: bool,
    pub home: String,
    /// Octal digits; `None` where there is no home.
    pub home_mode: Option<String>,
    pub shell: String,
    /// The field of shadow(5) with its lock marks; `None` where the user has no line there.
    pub password: Option<Secret>,
    pub ageing: Ageing,
    pub samba: Option<SambaRecord>,
    /// The hash that comes back when the password is enabled again.
    pub kept_password: Option<Secret>,
    /// The last hashes, the latest first.
    pub password_history: Vec<Secret>,
    /// The text of its drop-in of sudo.
    pub sudo: Option<String>,
    /// The text of its key file; `None` where there is no telling.
    pub keys: Option<String>,
    /// Not there where nothing is limited.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// Not there where no dialect has said anything.
    #[serde(default, skip_serializing_if = "Echoes::is_empty")]
    pub echoes: Echoes,
    /// A hash that only accountd knows; not there where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_password: Option<Secret>,
}

/// The fields of smbpasswd(5) behind name and uid.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SambaRecord {
    pub lm_hash: Secret,
    pub nt_hash: Secret,
    pub flags: String,
    pub changed: String,
}

impl Backup {
    /// With its digest, and how many bytes of JSON it is.
    pub fn sealed(mut self) -> (Self, usize) {
        let (digest, length) = self.digest();
        self.sha256 = digest;
        (self, length)
    }

    /// Whether it is as it was when it was made.
    pub fn is_whole(&self) -> bool {
        self.digest().0 == self.sha256
    }

    fn digest(&self) -> (String, usize) {
        let unsealed = Unsealed {
            format: &self.format,
            version: self.version,
            machine: &self.machine,
            created: &self.created,
            password_rules: &self.password_rules,
            groups: &self.groups,
            builtin_groups: &self.builtin_groups,
            users: &self.users,
            sha256: "",
        };
        // Texts and numbers, which JSON always holds.
        let text = Zeroizing::new(serde_json::to_vec(&unsealed).unwrap_or_default());
        let digest: [u8; 32] = Sha256::digest(&*text).into();
        (digest.iter().map(|byte| format!("{byte:02x}")).collect(), text.len())
    }
}

/// The same without a copy.
#[derive(Serialize)]
struct Unsealed<'a> {
    format: &'a str,
    version: u32,
    machine: &'a str,
    created: &'a str,
    password_rules: &'a BTreeMap<PasswordRule, u32>,
    groups: &'a [GroupRecord],
    builtin_groups: &'a [BuiltinMembers],
    users: &'a [UserRecord],
    sha256: &'static str,
}

/// A list, of which an error says in which item it is.
fn named_items<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Items<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
        type Value = Vec<T>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            loop {
                let in_item = |error| A::Error::custom(format_args!("item {}: {error}", read.len()));
                match items.next_element().map_err(in_item)? {
                    Some(item) => read.push(item),
                    None => return Ok(read),
                }
            }
        }
    }
    deserializer.deserialize_seq(Items(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> Backup {
        let group = GroupRecord {
            name: "staff".into(),
            id: 7,
            gid: 4000,
            password: Some(Secret::new("!".into())),
            administrators: vec![],
            members: vec!["änna".into()],
            sudo: None,
            limits: Limits::default(),
        };
        let unsealed = Backup {
            format: FORMAT.into(),
            version: VERSION,
            machine: "nas".into(),
            created: "2026-11-26T00:00:00Z".into(),
            password_rules: BTreeMap::from([(PasswordRule::MinLength, 8)]),
            groups: vec![group],
            builtin_groups: vec![],
            users: vec![],
            sha256: String::new(),
        };
        unsealed.sealed().0
    }

    #[test]
    fn a_backup_is_whole_until_anything_of_it_is_another() {
        let text = serde_json::to_string(&backup()).unwrap();
        let read = |text: &str| serde_json::from_str::<Backup>(text);
        assert!(read(&text).unwrap().is_whole());
        let pretty: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(read(&serde_json::to_string_pretty(&pretty).unwrap()).unwrap().is_whole(), "blanks mean nothing");
        for (old, new) in [("4000", "4001"), ("nas", "nas2"), ("\"!\"", "\"\""), ("8}", "9}"), ("änna", "anna")] {
            assert!(!read(&text.replacen(old, new, 1)).unwrap().is_whole(), "{old}");
        }
    }

    #[test]
    fn the_digest_can_be_made_by_other_programs() {
        let backup = backup();
        let unsealed = serde_json::to_string(&Backup { sha256: String::new(), ..backup.clone() }).unwrap();
        let digest: [u8; 32] = Sha256::digest(unsealed).into();
        assert_eq!(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), backup.sha256);
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_item_that_it_is_in() {
        let text = serde_json::to_string(&backup()).unwrap();
        let error = serde_json::from_str::<Backup>(&text.replace("\"gid\"", "\"colour\":1,\"gid\"")).unwrap_err();
        assert!(error.to_string().contains("item 0: unknown field `colour`"), "{error}");
        assert!(serde_json::from_str::<Backup>(&text.replace("\"machine\"", "\"x\":1,\"machine\"")).is_err());
    }

    #[test]
    fn what_is_no_list_is_refused_in_words() {
        let text = serde_json::to_string(&backup()).unwrap();
        let (before, _) = text.split_once("\"groups\":").unwrap();
        let error = serde_json::from_str::<Backup>(&format!("{before}\"groups\":7}}")).unwrap_err();
        assert!(error.to_string().starts_with("invalid type: integer `7`, expected a list"), "{error}");
    }

    #[test]
    fn no_hash_is_in_a_log() {
        assert!(!format!("{:?}", backup()).contains("\"!\""));
    }
}
