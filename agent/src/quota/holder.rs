//! What of an account matters for its quota.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::limits::Root;
use accountd_protocol::quota::QuotaLimits;

use crate::database::entry::passwd;
use crate::database::{FileKind, UserRow, View};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub account: AccountId,
    pub name: String,
    pub uid: Uid,
    pub home: PathBuf,
    /// What its sessions see as `/`, where that is not the home.
    pub root: Option<PathBuf>,
    /// Those of its own and of its groups.
    pub limits: QuotaLimits,
}

impl Holder {
    /// `None` where there is no such account, or its line has no home.
    pub fn find(view: &View, account: AccountId) -> Option<Self> {
        Self::of(view, view.user(account)?)
    }

    pub fn of(view: &View, row: &UserRow) -> Option<Self> {
        let entry = view.entry(FileKind::Passwd, &row.name)?;
        let limits = view.effective_limits(row);
        let root = limits.root.and_then(|root| match root {
            Root::Home | Root::InHome(_) => None,
            Root::Path(path) => Some(PathBuf::from(path.replace("%u", &row.name))),
        });
        let home = PathBuf::from(OsStr::from_bytes(entry.bytes(passwd::HOME)));
        let (account, name, uid) = (row.id, row.name.clone(), row.uid);
        Some(Self { account, name, uid, home, root, limits: limits.quota })
    }

    /// All that have a quota and this uid.
    pub fn all_of_uid(view: &View, uid: Uid) -> Vec<Self> {
        let rows = view.names_of_uid(uid.0).into_iter().filter_map(|name| view.user_named(name));
        rows.filter(|row| row.uid == uid).filter_map(|row| Self::of(view, row)).filter(Self::has_quota).collect()
    }

    pub fn has_quota(&self) -> bool {
        !self.limits.is_none()
    }
}

/// Whether an account has a quota; less work than a [`Holder`].
pub fn has_quota(view: &View, row: &UserRow) -> bool {
    view.limits_of(row).iter().any(|limits| !limits.quota.is_none())
}
