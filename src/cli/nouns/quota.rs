//! `accountctl quota`: what users store and may store, who counts it, and scans that count it anew.
//! What they may store is set by `accountctl limit`.

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::listing::{Arrangement, List};
use crate::output::Shape;
use crate::path::{self, CALLER};
use crate::session::Session;

const COLUMNS: &[&str] =
    &["user", "backend", "used_bytes", "quota_bytes", "used_files", "quota_files", "bytes_grace", "scanned"];
const QUOTA: Shape = Shape { id: "user", columns: COLUMNS, fields: COLUMNS, present: quota };
const SCAN_COLUMNS: &[&str] = &["user", "state", "started", "entries", "bytes", "files"];
const SCAN: Shape = Shape { id: "user", columns: SCAN_COLUMNS, fields: SCAN_COLUMNS, present: scan };
const PLACES: &[&str] = &["mount", "type", "backend", "reason"];
const PLACE: Shape = Shape { id: "mount", columns: PLACES, fields: PLACES, present: crate::output::as_it_is };

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Users that have a quota, and what they store
    List,
    /// What a user stores, and may store
    Show {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER", default_value = CALLER, hide_default_value = true)]
        user: String,
    },
    /// Count anew what a user stores
    Scan {
        /// A name, or an id
        #[arg(value_name = "USER")]
        user: String,
    },
    /// End a scan that has not ended
    Cancel {
        /// A name, or an id
        #[arg(value_name = "USER")]
        user: String,
    },
    /// The scans that go on or wait
    Scans,
    /// The file systems in which homes lie, and who counts there
    FileSystems,
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let (client, output) = (&session.client, &session.output);
        match self {
            Verb::List => {
                let list =
                    List { path: "/quotas", doing: "list quotas", filters: Vec::new(), flags: &[], shape: QUOTA };
                Arrangement::default().show(session, list)
            }
            Verb::Show { user } => {
                let request = Request::get(of(&user), format!("show the quota of {user}"));
                output.object(&QUOTA, &client.send(&request)?)
            }
            Verb::Scan { user } => {
                let request =
                    Request::post(format!("{}/scan", of(&user)), format!("scan what {user} stores"), json!({}));
                client.send(&request)?;
                output.note("It has begun: accountctl quota scans shows how far it is.");
                Ok(())
            }
            Verb::Cancel { user } => {
                let request = Request::delete(format!("{}/scan", of(&user)), format!("cancel the scan of {user}"));
                client.send(&request).map(drop)
            }
            Verb::Scans => output.items(&SCAN, &client.send(&Request::get("/quotas/scans", "list scans"))?, "items"),
            Verb::FileSystems => {
                let request = Request::get("/quotas/file-systems", "list file systems");
                output.items(&PLACE, &client.send(&request)?, "items")
            }
        }
    }
}

fn of(user: &str) -> String {
    format!("{}/quota", path::user(user))
}

fn quota(report: &Value) -> Option<Value> {
    let user = report["user"].get("username")?;
    Some(json!({
        "user": user,
        "backend": report["backend"],
        "used_bytes": report["used_bytes"],
        "quota_bytes": report["limits"]["bytes"],
        "used_files": report["used_files"],
        "quota_files": report["limits"]["files"],
        "bytes_grace": report["bytes_grace"],
        "scanned": report["scanned"],
    }))
}

fn scan(scan: &Value) -> Option<Value> {
    let mut shown = scan.clone();
    shown["user"] = scan["user"].get("username")?.clone();
    Some(shown)
}
