//! One change of the accounts.

use std::sync::Arc;

use accountd_config::Passwords;
use accountd_protocol::id::{AccountId, Gid, Uid};

use super::api_keys::ApiKeyRow;
use super::file::FileKind;
use super::key_files::KeyFileRow;
use super::password_stamps::PasswordStamp;
use super::row::{GroupRow, UserRow};
use super::second_factors::FactorRow;
use super::slot_edit::SlotEdit;
use super::transfers::TransferRow;
use crate::sudoers::{Grantee, Sudo};

/// One change of the accounts; it can be applied and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// One line, by this program.
    Line {
        kind: FileKind,
        slot: SlotEdit,
    },
    User {
        id: AccountId,
        old: Option<Arc<UserRow>>,
        new: Option<Arc<UserRow>>,
    },
    Group {
        id: AccountId,
        old: Option<Arc<GroupRow>>,
        new: Option<Arc<GroupRow>>,
    },
    /// What somebody may do by sudo.
    Sudo {
        grantee: Grantee,
        old: Sudo,
        new: Sudo,
    },
    /// The last passwords of an account, the latest first. No view has them.
    PasswordHistory {
        account: AccountId,
        hashes: Vec<String>,
    },
    /// The rules for passwords that are set over REST.
    PasswordRules {
        old: Passwords,
        new: Passwords,
    },
    /// A key that is made or revoked.
    ApiKey {
        old: Option<Arc<ApiKeyRow>>,
        new: Option<Arc<ApiKeyRow>>,
    },
    /// The last transfer of an account's home. No view has it.
    Transfer {
        account: AccountId,
        new: Option<Box<TransferRow>>,
    },
    /// An enrolment of an authenticator that begins or ends.
    SecondFactor {
        account: AccountId,
        old: Option<Arc<FactorRow>>,
        new: Option<Arc<FactorRow>>,
    },
    /// When a password was set, and its second hash. No view has it.
    PasswordStamp {
        account: AccountId,
        stamp: Box<PasswordStamp>,
    },
    /// A key file that is to get its place behind the commit. No view has it.
    KeyFile(Box<KeyFileRow>),
}

impl Edit {
    /// The uid that an account gives up with this edit.
    pub(super) fn freed_uid(&self) -> Option<Uid> {
        let Edit::User { old: Some(old), new, .. } = self else { return None };
        (new.as_ref().map(|new| new.uid) != Some(old.uid)).then_some(old.uid)
    }

    pub(super) fn freed_gid(&self) -> Option<Gid> {
        let Edit::Group { old: Some(old), new, .. } = self else { return None };
        (new.as_ref().map(|new| new.gid) != Some(old.gid)).then_some(old.gid)
    }
}
