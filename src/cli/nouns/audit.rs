//! `accountctl audit`

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::listing::{List, Part};
use crate::output::{Shape, as_it_is, items, plain};
use crate::problem::Flags;
use crate::session::Session;

const COLUMNS: &[&str] = &["sequence", "time", "who", "from", "action", "target", "outcome", "changes"];
const RECORD: Shape = Shape { id: "sequence", columns: COLUMNS, fields: COLUMNS, present: record };
const VERDICT: Shape =
    Shape { id: "whole_to", columns: &[], fields: &["whole", "first", "whole_to", "hash", "flaw"], present: as_it_is };
const FLAGS: Flags = &[("user", "--by")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Records, newest first, all or those that fit every filter
    List {
        /// What this account did
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// What was done to this account
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
        /// Only this action, as create_user
        #[arg(long, value_name = "ACTION")]
        action: Option<String>,
        /// Only what came out so: done, granted or refused
        #[arg(long, value_name = "OUTCOME")]
        outcome: Option<String>,
        /// From this moment on, as in 2030-12-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until before this moment
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// Whether the chain of records is whole; exit status 1 if not
    Verify,
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List { by, target, action, outcome, from, to, part } => {
                let filters = [
                    ("user", by),
                    ("target", target),
                    ("action", action),
                    ("outcome", outcome),
                    ("from", from),
                    ("to", to),
                ];
                let filters =
                    filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
                let list = List { path: "/audit", doing: "list the audit trail", filters, flags: FLAGS, shape: RECORD };
                part.show(session, list, COLUMNS)
            }
            Verb::Verify => {
                let answer = session.client.send(&Request::get("/audit/verification", "verify the audit trail"))?;
                session.output.object(&VERDICT, &answer)?;
                if answer.value()["whole"] == true { Ok(()) } else { Err(Error::NotWhole) }
            }
        }
    }
}

fn record(record: &Value) -> Option<Value> {
    let actor = &record["actor"];
    let who = if actor["name"].is_null() { &actor["kind"] } else { &actor["name"] };
    // A caller without an address is on the machine itself.
    let from = match (&actor["kind"], &actor["source"]) {
        (kind, Value::Null) if kind == "caller" => json!("local"),
        (_, source) => source.clone(),
    };
    Some(json!({
        "sequence": record["sequence"],
        "time": seconds(&plain(&record["time"])),
        "who": who,
        "from": from,
        "action": record["action"],
        "target": record["target"]["name"],
        "outcome": outcome(record),
        "changes": changes(record),
    }))
}

/// Without the fraction.
fn seconds(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(time, _)| format!("{time}Z"))
}

fn outcome(record: &Value) -> String {
    let mut outcome = plain(&record["outcome"]);
    if let Some(reason) = record["reason"].as_str() {
        outcome.push_str(&format!(": {reason}"));
    }
    if let Some(count) = record["repeated"]["count"].as_u64() {
        outcome.push_str(&format!(" ({count} times)"));
    }
    outcome
}

fn changes(record: &Value) -> String {
    let word = |value: &Value| if value.is_null() { "-".to_owned() } else { plain(value) };
    let change =
        |change: &Value| format!("{}: {} -> {}", plain(&change["field"]), word(&change["old"]), word(&change["new"]));
    items(record, "changes").iter().map(change).collect::<Vec<_>>().join("; ")
}
