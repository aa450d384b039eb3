//! A user: as it is, as it is to be made, and what is to be changed of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ageing::{Ageing, AgeingChange};
use crate::home::HomeTransfer;
use crate::id::{AccountId, Gid, Uid};
use crate::key_advice::KeyAdvice;
use crate::limits::{Limits, LimitsChange};
use crate::name::NewUserName;
use crate::precondition::Tag;
use crate::role::Role;
use crate::secret::Secret;
use crate::sudo::{SudoChange, SudoCommands, SudoGrant};
use crate::text::{Email, FieldPath, FullName};

/// A user as the files and the state store have it. Fields that others wrote into passwd(5) in
/// another encoding are shown with U+FFFD; they stay as they are on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: AccountId,
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
    /// The stable id of the primary group; `None` when no group has that gid.
    pub primary_group: Option<AccountId>,
    pub full_name: String,
    pub email: String,
    pub home: String,
    pub shell: String,
    pub builtin: bool,
    pub locked: bool,
    pub password_disabled: bool,
    /// The password's hash is one that only accountd knows.
    #[serde(default)]
    pub own_password: bool,
    /// Its password lets nobody in without a code.
    #[serde(default)]
    pub two_factor: bool,
    /// Another account has the same uid.
    #[serde(default)]
    pub shares_uid: bool,
    pub microsoft_account: bool,
    /// What a drop-in of ours lets the user do.
    #[serde(default)]
    pub sudo: Option<SudoGrant>,
    /// The hash of shadow(5), without the marks for locked; `*` when there is none.
    pub unix_hash: String,
    /// The line of smbpasswd(5), or `*`.
    pub smb_hash: String,
    /// The text of `~/.ssh/authorized_keys`, empty when it can't be read.
    pub ssh_keys: String,
    /// What keeps the keys from counting. Not looked for in lists.
    #[serde(default)]
    pub key_advice: Vec<KeyAdvice>,
    /// Whether smbpasswd(5) has a hash for it.
    pub smb: bool,
    /// Supplementary groups, by stable id, and their names in the same order.
    pub groups: Vec<AccountId>,
    /// What the user may do over REST for others.
    #[serde(default)]
    pub roles: Vec<Role>,
    #[serde(default)]
    pub ageing: Ageing,
    pub group_names: Vec<String>,
    /// The user's own.
    #[serde(default)]
    pub limits: Limits,
    /// Those that count: with those of the user's groups.
    #[serde(default)]
    pub effective_limits: Limits,
    /// What dialects have been told in words of their own, and say again.
    #[serde(default)]
    pub echoes: Echoes,
    /// Not in lists.
    #[serde(default)]
    pub tag: Option<Tag>,
}

impl User {
    /// For whoever may not see hashes.
    pub fn without_hashes(self) -> Self {
        Self { unix_hash: "*".into(), smb_hash: "*".into(), ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub id: AccountId,
    pub name: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NewUser {
    pub name: NewUserName,
    /// `None`: the first free one of the configured range.
    pub uid: Option<u32>,
    pub full_name: FullName,
    pub email: Email,
    pub home: FieldPath,
    /// Permission bits of a home that is made; `None`: the configured ones.
    pub home_mode: Option<u32>,
    pub shell: FieldPath,
    pub password: NewPassword,
    pub primary_group: PrimaryGroup,
    /// Supplementary groups by stable id.
    pub groups: Vec<AccountId>,
    /// The text of `authorized_keys`; empty for none.
    pub ssh_keys: String,
    pub locked: bool,
    pub microsoft_account: bool,
    /// Empty: no sudo.
    #[serde(default)]
    pub sudo: SudoCommands,
    #[serde(default)]
    pub ageing: AgeingChange,
    #[serde(default)]
    pub limits: LimitsChange,
    #[serde(default)]
    pub echoes: Echoes,
}

/// A dialect's own words for an account, as text that the dialect reads again; the core reads none of
/// it. At most [`MAX_ECHO`] bytes each.
pub type Echoes = BTreeMap<Dialect, String>;

pub const MAX_ECHO: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    Sftpgo,
    Rhodecode,
    /// And OpenList.
    Alist,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewPassword {
    Clear(Secret),
    /// A hash of crypt(5) as it is. Samba needs the clear text, so it does not let the account in.
    Hashed(Secret),
    /// A hash that crypt(5) does not know (argon2id, PBKDF2): it is kept for accountd's own server, and
    /// no other program lets the account in by it.
    Kept(Secret),
    /// The agent makes one, and says it in its answer.
    Random,
    /// No password login; keys work.
    Disabled,
}

/// Whether the agent makes a password, and says it in its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RandomPassword {
    #[default]
    No,
    Made,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrimaryGroup {
    Existing(AccountId),
    /// A group with the user's name: the existing one, or else a new one with the uid as its
    /// gid where that is free.
    Private,
}

/// What to change; `None` leaves a field as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct UserChange {
    pub name: Option<NewUserName>,
    pub uid: Option<u32>,
    pub full_name: Option<FullName>,
    pub email: Option<Email>,
    /// The home that the account has already starts a transfer anew that has failed.
    pub home: Option<FieldPath>,
    /// What happens to what is in the old home.
    #[serde(default)]
    pub home_transfer: HomeTransfer,
    pub home_mode: Option<u32>,
    pub shell: Option<FieldPath>,
    pub password: Option<Secret>,
    /// Instead of one that is given.
    #[serde(default)]
    pub random_password: RandomPassword,
    pub password_disabled: Option<bool>,
    pub locked: Option<bool>,
    pub primary_group: Option<AccountId>,
    pub groups: Option<Vec<AccountId>>,
    pub ssh_keys: Option<String>,
    pub microsoft_account: Option<bool>,
    pub sudo: Option<SudoChange>,
    #[serde(default)]
    pub ageing: AgeingChange,
    /// In place of `password`: as [`NewPassword::Hashed`] or, in a form that crypt(5) does not know, as
    /// [`NewPassword::Kept`].
    #[serde(default)]
    pub password_hash: Option<Secret>,
    #[serde(default)]
    pub limits: LimitsChange,
    /// Takes the place of what a dialect has said before; the others stay.
    #[serde(default)]
    pub echoes: Echoes,
}

const NO_AGEING: AgeingChange = AgeingChange {
    min_days: None,
    max_days: None,
    warn_days: None,
    inactive_days: None,
    expires: None,
    must_change: None,
};

impl UserChange {
    /// Whether it is about the keys and nothing else.
    pub fn is_of_keys(&self) -> bool {
        let Self {
            name: None,
            uid: None,
            full_name: None,
            email: None,
            home: None,
            home_transfer: _,
            home_mode: None,
            shell: None,
            password: None,
            random_password: RandomPassword::No,
            password_disabled: None,
            locked: None,
            primary_group: None,
            groups: None,
            ssh_keys: Some(_),
            microsoft_account: None,
            sudo: None,
            ageing: NO_AGEING,
            password_hash: None,
            limits,
            echoes,
        } = self
        else {
            return false;
        };
        *limits == LimitsChange::default() && echoes.is_empty()
    }
}
