//! Backups: taken from one sandbox, taken over in another.

mod agreed;
mod conflicts;
mod killed;
mod refused;
mod renamed;
mod round_trip;

use accountd_protocol::backup::Backup;
use serde_json::{Value, json};

use crate::rest::Answer;
use crate::v2::Nas;
use crate::world::wait_for;

/// Of `pw`.
const HASH: &str =
    "$6$accountdaccountd$cAm30BYHaId2pCqb4FsVhH1akksinmSeLs.IyYQSmrCL3ylNkQnkQRNgquXFwuxcTSCsh/h.my7JuOs9FKA9Y.";

impl Nas {
    #[track_caller]
    fn backup(&self) -> Value {
        self.rest.get("/backups/current").object(200)
    }

    fn import(&self, query: &str, backup: &Value, choices: &Value) -> Answer {
        self.rest.post(&format!("/backups/import{query}"), &json!({"backup": backup, "choices": choices}).to_string())
    }

    /// The report of an import, once it is over.
    #[track_caller]
    fn imported(&self, query: &str, backup: &Value, choices: &Value) -> Value {
        let answer = self.import(query, backup, choices);
        if answer.status != 202 {
            return answer.object(200);
        }
        let location = answer.header("location").unwrap().trim_start_matches("/api/v2").to_owned();
        let job = || self.rest.get(&location).object(200);
        wait_for("the end of the job", || !matches!(job()["state"].as_str().unwrap(), "waiting" | "running"));
        assert_eq!(job()["problem"], Value::Null);
        job()["result"].clone()
    }
}

/// With the digest that it has to have.
pub fn sealed(backup: &Value) -> Value {
    let backup: Backup = serde_json::from_value(backup.clone()).unwrap();
    serde_json::to_value(backup.sealed().0).unwrap()
}

/// A backup of these and nothing else.
pub fn document(users: &[Value], groups: &[Value]) -> Value {
    sealed(&json!({
        "format": "accountd-backup", "version": 1, "machine": "other", "created": "2026-11-26T00:00:00Z",
        "password_rules": {}, "groups": groups, "builtin_groups": [], "users": users, "sha256": "",
    }))
}

pub fn user(name: &str, uid: u32) -> Value {
    json!({
        "name": name, "id": 1, "uid": uid, "gid": uid, "group": name, "full_name": "", "email": "",
        "microsoft_account": false, "home": format!("/mnt/tank/home/{name}"), "home_mode": null, "shell": "/bin/sh",
        "password": HASH,
        "ageing": {"last_change": 20000, "min_days": 0, "max_days": 99999, "warn_days": 7, "inactive_days": null, "expires": null},
        "samba": null, "kept_password": null, "password_history": [], "sudo": null, "keys": "",
    })
}

pub fn group(name: &str, gid: u32, members: &[&str]) -> Value {
    json!({
        "name": name, "id": 1, "gid": gid, "password": "!", "administrators": [], "members": members, "sudo": null,
    })
}

/// What a report says of one account: what became of it, and code and settlement of each conflict.
#[track_caller]
fn said(report: &Value, kind: &str, name: &str) -> (String, Vec<(String, String)>) {
    let items = report["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["kind"] == kind && item["name"] == name);
    let item = item.unwrap_or_else(|| panic!("no {kind} {name} in {report}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conflicts = item["conflicts"].as_array().unwrap().iter();
    (text(&item["outcome"]), conflicts.map(|conflict| (text(&conflict["code"]), text(&conflict["settled"]))).collect())
}

/// The same, shorter.
fn so(outcome: &str, conflicts: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
    (outcome.into(), conflicts.iter().map(|(code, settled)| ((*code).into(), (*settled).into())).collect())
}
