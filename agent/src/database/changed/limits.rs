//! Limits that differ, for the audit trail.

use accountd_protocol::audit::{FieldChange, Word};
use accountd_protocol::limits::{Bandwidth, Limits, Root};

use super::fields::{number, push, shown};

/// The limits that differ, one by one.
pub fn limits(both: [Option<&Limits>; 2], changes: &mut Vec<FieldChange>) {
    if both[0].is_none_or(Limits::is_none) && both[1].is_none_or(Limits::is_none) {
        return;
    }
    for (field, said) in LIMITS {
        push(changes, field, both.map(|limits| limits.and_then(said)));
    }
}

/// A limit by its name, as text.
type NamedLimit = (&'static str, fn(&Limits) -> Option<Word>);

const LIMITS: [NamedLimit; 12] = [
    ("quota_bytes", |limits| limits.quota.bytes.map(number)),
    ("quota_soft_bytes", |limits| limits.quota.soft_bytes.map(number)),
    ("quota_files", |limits| limits.quota.files.map(number)),
    ("quota_soft_files", |limits| limits.quota.soft_files.map(number)),
    ("max_sessions", |limits| limits.sessions.map(number)),
    ("upload_bandwidth", |limits| limits.upload.map(number)),
    ("download_bandwidth", |limits| limits.download.map(number)),
    ("bandwidth_scope", |limits| (limits.bandwidth == Bandwidth::Transfer).then_some(Word::Borrowed("transfer"))),
    ("permissions", |limits| {
        let permissions = limits.permissions.as_ref()?;
        Some(permissions.iter().map(|permission| permission.name()).collect::<Vec<_>>().join(",").into())
    }),
    ("idle_timeout", |limits| limits.idle.map(number)),
    ("allowed_networks", |limits| {
        let networks: Vec<String> = limits.networks.iter().map(|network| String::from(*network)).collect();
        (!networks.is_empty()).then(|| networks.join(",").into())
    }),
    ("session_root", |limits| match limits.root.as_ref()? {
        Root::Home => Some(Word::Borrowed("home")),
        Root::Path(path) => Some(shown(path.as_bytes())),
        Root::InHome(below) => Some(shown(format!("~/{below}").as_bytes())),
    }),
];
