//! Limits of a user or a group in words.

use serde_json::{Value, json};

use crate::output::plain;

/// Units of 1024, the largest first.
const UNITS: [(u64, &str); 4] = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];

/// Those that there are, with commas between; null where there is none.
pub fn in_words(limits: &Value) -> Value {
    let Some(all) = limits.as_object() else { return limits.clone() };
    let said = all.iter().filter_map(|(name, value)| words(name, value)).collect::<Vec<_>>();
    if said.is_empty() { Value::Null } else { json!(said.join(", ")) }
}

fn words(name: &str, value: &Value) -> Option<String> {
    let shown = match value {
        Value::Null => return None,
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        value => plain(value),
    };
    Some(match name {
        "quota_bytes" => format!("quota {}", size(value)),
        "quota_soft_bytes" => format!("soft quota {}", size(value)),
        "quota_files" => format!("{shown} files"),
        "quota_soft_files" => format!("soft {shown} files"),
        "max_sessions" => format!("{shown} connections"),
        "upload_bandwidth" => format!("upload {shown} KB/s"),
        "download_bandwidth" => format!("download {shown} KB/s"),
        // Of all sessions together is what is meant without a word.
        "bandwidth_scope" if shown == "account" => return None,
        "bandwidth_scope" => format!("bandwidth of each {shown}"),
        "permissions" if shown.is_empty() => "no permissions".to_owned(),
        "permissions" => format!("only {shown}"),
        "idle_timeout" => format!("idle {shown} s"),
        "allowed_networks" if shown.is_empty() => return None,
        "allowed_networks" => format!("from {shown}"),
        "session_root" => format!("root {shown}"),
        other => format!("{} {shown}", other.replace('_', " ")),
    })
}

/// As `limit set` takes it.
fn size(bytes: &Value) -> String {
    let Some(number) = bytes.as_u64() else { return plain(bytes) };
    let unit = UNITS.iter().find(|(unit, _)| number > 0 && number % unit == 0);
    unit.map_or_else(|| number.to_string(), |(unit, name)| format!("{}{name}", number / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_limited_is_said_and_nothing_else() {
        let none =
            json!({"quota_bytes": null, "bandwidth_scope": "account", "allowed_networks": [], "permissions": null});
        assert_eq!(in_words(&none), Value::Null);
        let some = json!({
            "quota_bytes": 100_u64 << 30, "quota_soft_bytes": 1500, "quota_files": 7, "upload_bandwidth": 5000,
            "bandwidth_scope": "transfer", "permissions": ["list", "download"], "idle_timeout": 60,
            "allowed_networks": ["10.0.0.0/8", "::1/128"], "session_root": "home", "max_sessions": 3, "a_new_one": 1,
        });
        let said = in_words(&some);
        for part in ["quota 100G", "soft quota 1500", "7 files", "upload 5000 KB/s", "bandwidth of each transfer"] {
            assert!(said.as_str().unwrap().split(", ").any(|one| one == part), "{part}: {said}");
        }
        for part in
            ["only list download", "idle 60 s", "from 10.0.0.0/8 ::1/128", "root home", "3 connections", "a new one 1"]
        {
            assert!(said.as_str().unwrap().split(", ").any(|one| one == part), "{part}: {said}");
        }
        assert_eq!(in_words(&json!({"permissions": []})), json!("no permissions"));
    }
}
