//! What an account may use. Each of its groups may have limits of the same kind: the strictest of all
//! counts.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

pub use crate::file_permission::{FilePermission, FilePermissions};
use crate::network::Network;
use crate::quota::QuotaLimits;

/// Limits as they are set for one account or one group; `None` where nothing is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub quota: QuotaLimits,
    /// SSH connections at a time.
    pub sessions: Option<u32>,
    /// KB/s, where 1 KB is 1000 bytes.
    pub upload: Option<u32>,
    pub download: Option<u32>,
    /// What `upload` and `download` are for.
    pub bandwidth: Bandwidth,
    /// What a session of files may do beyond looking at where it is; `None`: whatever the kernel
    /// allows. An account with a set has no shell, no commands but scp, and no forwarding.
    pub permissions: Option<BTreeSet<FilePermission>>,
    /// Seconds after which a connection is closed on which nothing happens.
    pub idle: Option<u32>,
    /// Where a login may come from; empty: from anywhere.
    pub networks: Vec<Network>,
    /// What a session sees as `/`.
    pub root: Option<Root>,
}

/// What a bandwidth is shared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bandwidth {
    /// Each transfer of a file has it for itself.
    Transfer,
    /// All sessions of the account together.
    #[default]
    Account,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// The account's own.
    Home,
    /// An absolute path; `%u` stands for the user's name.
    Path(String),
    /// A directory below the account's home, reached from there; links do not lead out of it.
    InHome(String),
}

/// What to change; `None` leaves a field as it is, `Some(None)` lifts a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsChange {
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub bytes: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub soft_bytes: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub files: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub soft_files: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub sessions: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub upload: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub download: Option<Option<u32>>,
    pub bandwidth: Option<Bandwidth>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub permissions: Option<Option<BTreeSet<FilePermission>>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub idle: Option<Option<u32>>,
    pub networks: Option<Vec<Network>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub root: Option<Option<Root>>,
}

/// A field that is there: null lifts the limit, and a field that is left out never comes here.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What counts where both do. Of two roots the first counts; of two bandwidths that of
    /// transfers only where both are.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            quota: self.quota.and(other.quota),
            sessions: least(self.sessions, other.sessions),
            upload: least(self.upload, other.upload),
            download: least(self.download, other.download),
            bandwidth: match (self.has_bandwidth(), other.has_bandwidth()) {
                (true, true) => self.bandwidth.max(other.bandwidth),
                (false, true) => other.bandwidth,
                (_, false) => self.bandwidth,
            },
            permissions: match (self.permissions, &other.permissions) {
                (Some(ours), Some(theirs)) => Some(FilePermission::common(&ours, theirs)),
                (Some(only), None) => Some(only),
                (None, theirs) => theirs.clone(),
            },
            idle: least(self.idle, other.idle),
            // Whoever needs both asks them one after the other.
            networks: self.networks,
            root: self.root.or_else(|| other.root.clone()),
        }
    }

    fn has_bandwidth(&self) -> bool {
        self.upload.is_some() || self.download.is_some()
    }

    #[must_use]
    pub fn changed(self, change: LimitsChange) -> Self {
        let LimitsChange { bytes, soft_bytes, files, soft_files, .. } = change;
        Self {
            quota: QuotaLimits {
                bytes: bytes.unwrap_or(self.quota.bytes),
                soft_bytes: soft_bytes.unwrap_or(self.quota.soft_bytes),
                files: files.unwrap_or(self.quota.files),
                soft_files: soft_files.unwrap_or(self.quota.soft_files),
            },
            sessions: change.sessions.unwrap_or(self.sessions),
            upload: change.upload.unwrap_or(self.upload),
            download: change.download.unwrap_or(self.download),
            bandwidth: change.bandwidth.unwrap_or(self.bandwidth),
            permissions: change.permissions.unwrap_or(self.permissions),
            idle: change.idle.unwrap_or(self.idle),
            networks: change.networks.unwrap_or(self.networks),
            root: change.root.unwrap_or(self.root),
        }
    }
}

/// The stricter of two limits.
pub(crate) fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_bandwidths_that_of_transfers_counts_only_where_both_are() {
        let with = |bandwidth| Limits { upload: Some(1), bandwidth, ..Limits::default() };
        let none = Limits { bandwidth: Bandwidth::Transfer, ..Limits::default() };
        let (account, transfer) = (with(Bandwidth::Account), with(Bandwidth::Transfer));
        for (one, other, both) in [
            (&account, &transfer, Bandwidth::Account),
            (&transfer, &account, Bandwidth::Account),
            (&transfer, &transfer, Bandwidth::Transfer),
            (&none, &account, Bandwidth::Account),
            (&account, &none, Bandwidth::Account),
        ] {
            assert_eq!(one.clone().and(other).bandwidth, both, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_change_means_the_same_at_the_other_end() {
        let change = LimitsChange { sessions: Some(None), idle: Some(Some(5)), ..LimitsChange::default() };
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<LimitsChange>(&text).unwrap(), change);
        let limits = Limits { sessions: Some(3), upload: Some(4), ..Limits::default() };
        let changed = limits.changed(change);
        assert_eq!((changed.sessions, changed.idle, changed.upload), (None, Some(5), Some(4)));
    }

    #[test]
    fn the_stricter_of_two_counts_field_by_field() {
        let all = |list: &[FilePermission]| Some(list.iter().copied().collect::<BTreeSet<_>>());
        use FilePermission::{Delete, List, Upload};
        let one = Limits { sessions: Some(3), permissions: all(&[List, Upload]), ..Limits::default() };
        let two = Limits {
            sessions: Some(2),
            upload: Some(9),
            bandwidth: Bandwidth::Transfer,
            permissions: all(&[Upload, Delete]),
            root: Some(Root::Home),
            ..Limits::default()
        };
        let both = one.clone().and(&two);
        assert_eq!((both.sessions, both.upload, both.permissions.clone()), (Some(2), Some(9), all(&[Upload])));
        assert_eq!((both.bandwidth, both.root.clone()), (Bandwidth::Transfer, Some(Root::Home)));
        assert_eq!(two.and(&one), both, "nobody's word counts more");
    }
}
