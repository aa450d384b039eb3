//! What an account may use, as the object `limits` of users and groups. null is no limit; a user's
//! `effective_limits` are those that count, with those of its groups.

use std::collections::BTreeSet;

use accountd_protocol::limits::{Bandwidth, FilePermission, Limits, LimitsChange, Root};
use accountd_protocol::network::Network;
use accountd_protocol::refusal::LimitField;
use serde_json::{Value, json};

use super::input::{Given, Input};

const OBJECT: &str = "limits";
const SCOPES: [(&str, Bandwidth); 2] = [("account", Bandwidth::Account), ("transfer", Bandwidth::Transfer)];
/// Stands for the account's own home; every other root is a path.
const HOME: &str = "home";
/// Before a directory in it.
const IN_HOME: &str = "~/";

/// Takes the object apart; null lifts every limit.
pub fn change(input: &mut Input) -> LimitsChange {
    if input.is_null(OBJECT) {
        return nothing();
    }
    input.object(OBJECT);
    LimitsChange {
        bytes: limit(input.number64("limits.quota_bytes")),
        soft_bytes: limit(input.number64("limits.quota_soft_bytes")),
        files: limit(input.number64("limits.quota_files")),
        soft_files: limit(input.number64("limits.quota_soft_files")),
        sessions: limit(input.number("limits.max_sessions")),
        upload: limit(input.number("limits.upload_bandwidth")),
        download: limit(input.number("limits.download_bandwidth")),
        bandwidth: bandwidth(input),
        permissions: permissions(input),
        idle: limit(input.number("limits.idle_timeout")),
        networks: networks(input),
        root: root(input),
    }
}

fn nothing() -> LimitsChange {
    LimitsChange {
        bytes: Some(None),
        soft_bytes: Some(None),
        files: Some(None),
        soft_files: Some(None),
        sessions: Some(None),
        upload: Some(None),
        download: Some(None),
        bandwidth: Some(Bandwidth::default()),
        permissions: Some(None),
        idle: Some(None),
        networks: Some(Vec::new()),
        root: Some(None),
    }
}

fn limit<T>(given: Given<T>) -> Option<Option<T>> {
    match given {
        Given::Absent => None,
        Given::Null => Some(None),
        Given::Value(value) => Some(Some(value)),
    }
}

fn bandwidth(input: &mut Input) -> Option<Bandwidth> {
    const FIELD: &str = "limits.bandwidth_scope";
    let word = match input.text(FIELD) {
        Given::Absent => return None,
        Given::Null => return Some(Bandwidth::default()),
        Given::Value(word) => word,
    };
    let scope = SCOPES.iter().find(|(name, _)| *name == word).map(|(_, scope)| *scope);
    if scope.is_none() {
        input.fault(FIELD, "no_such", "has to be account or transfer");
    }
    scope
}

fn permissions(input: &mut Input) -> Option<Option<BTreeSet<FilePermission>>> {
    const FIELD: &str = "limits.permissions";
    let words = match input.texts(FIELD) {
        Given::Absent => return None,
        Given::Null => return Some(None),
        Given::Value(words) => words,
    };
    let known = FilePermission::ALL.map(FilePermission::name).join(", ");
    let mut all = BTreeSet::new();
    for (index, word) in words.iter().enumerate() {
        match FilePermission::named(word) {
            Some(permission) => drop(all.insert(permission)),
            None => input.fault(&format!("{FIELD}[{index}]"), "no_such", &format!("has to be one of {known}")),
        }
    }
    Some(Some(all))
}

fn networks(input: &mut Input) -> Option<Vec<Network>> {
    const FIELD: &str = "limits.allowed_networks";
    let texts = match input.texts(FIELD) {
        Given::Absent => return None,
        Given::Null => return Some(Vec::new()),
        Given::Value(texts) => texts,
    };
    let mut all = Vec::new();
    for (index, text) in texts.into_iter().enumerate() {
        match Network::try_from(text) {
            Ok(network) => all.push(network),
            Err(_) => {
                let message = "is neither an address nor a block like 192.0.2.0/24";
                input.fault(&format!("{FIELD}[{index}]"), "bad_network", message);
            }
        }
    }
    Some(all)
}

fn root(input: &mut Input) -> Option<Option<Root>> {
    limit(input.text("limits.session_root")).map(|root| {
        root.map(|text| match text.as_str() {
            HOME => Root::Home,
            _ => match text.strip_prefix(IN_HOME) {
                Some(below) => Root::InHome(below.to_owned()),
                None => Root::Path(text),
            },
        })
    })
}

pub fn shown(limits: &Limits) -> Value {
    let Limits { quota, sessions, upload, download, bandwidth, permissions, idle, networks, root } = limits;
    let scope = SCOPES.iter().find(|(_, scope)| scope == bandwidth).map(|(name, _)| *name);
    let root = root.as_ref().map(|root| match root {
        Root::Home => HOME.to_owned(),
        Root::Path(path) => path.clone(),
        Root::InHome(below) => format!("{IN_HOME}{below}"),
    });
    json!({
        "quota_bytes": quota.bytes,
        "quota_soft_bytes": quota.soft_bytes,
        "quota_files": quota.files,
        "quota_soft_files": quota.soft_files,
        "max_sessions": sessions,
        "upload_bandwidth": upload,
        "download_bandwidth": download,
        "bandwidth_scope": scope,
        "permissions": permissions,
        "idle_timeout": idle,
        "allowed_networks": networks,
        "session_root": root,
    })
}

/// What a limit is called in a list of errors.
pub fn path(limit: LimitField) -> &'static str {
    match limit {
        LimitField::Quota => "limits.quota_bytes",
        LimitField::Sessions => "limits.max_sessions",
        LimitField::Bandwidth => "limits.upload_bandwidth",
        LimitField::Permissions => "limits.permissions",
        LimitField::Idle => "limits.idle_timeout",
        LimitField::Networks => "limits.allowed_networks",
        LimitField::Root => "limits.session_root",
        // No body here has one.
        LimitField::Echo => "limits",
    }
}
