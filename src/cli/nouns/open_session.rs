//! `accountctl session`: the SSH connections that are open, and what they are transferring.

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::output::{Format, Rows, Shape, as_it_is};
use crate::path::{query, segment};
use crate::session::Session;

const COLUMNS: &[&str] = &["connection", "user", "source", "service", "session", "connected", "transfer", "bytes"];
const SHAPE: Shape = Shape { id: "connection", columns: COLUMNS, fields: COLUMNS, present: as_it_is };

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Connections, their sessions and what is on its way: a line for each transfer, session or
    /// connection without one
    List {
        /// Only those of this user: a name, an id, or ~ for whoever asks
        #[arg(long = "of", value_name = "USER")]
        of: Option<String>,
    },
    /// End a connection with everything that runs on it
    Close {
        /// As the list has it
        #[arg(value_name = "CONNECTION")]
        id: String,
    },
    /// End one session; its connection stays
    End {
        /// As the list has it
        #[arg(value_name = "SESSION")]
        number: u64,
    },
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List { of } => list(session, of),
            Verb::Close { id } => {
                let path = format!("/connections/{}", segment(&id));
                session.client.send(&Request::delete(path, format!("close connection {id}"))).map(drop)
            }
            Verb::End { number } => {
                let request = Request::delete(format!("/sessions/{number}"), format!("end session {number}"));
                session.client.send(&request).map(drop)
            }
        }
    }
}

fn list(session: &Session, of: Option<String>) -> Result<(), Error> {
    let filter: Vec<(&str, String)> = of.into_iter().map(|user| ("user", user)).collect();
    let answer = session.client.send(&Request::get(format!("/connections{}", query(&filter)), "list sessions"))?;
    match session.output.format {
        Format::Json => session.output.json(&answer),
        Format::Ids => {
            let value = answer.value();
            let ids = crate::output::items(&value, "items").iter().map(|one| json!({"connection": one["id"]}));
            Rows::new(session.output, SHAPE, COLUMNS).page(&ids.collect::<Vec<_>>())
        }
        Format::Columns(_) | Format::Tabs => {
            let value = answer.value();
            let rows: Vec<Value> = crate::output::items(&value, "items").iter().flat_map(rows).collect();
            Rows::new(session.output, SHAPE, COLUMNS).page(&rows)
        }
    }
}

/// A line for each transfer; for a session without one, and for a connection without a session, one.
fn rows(connection: &Value) -> Vec<Value> {
    let head = json!({
        "connection": connection["id"],
        "user": connection["user"]["username"],
        "source": connection["source"],
        "connected": connection["connected"],
    });
    let with = |fields: Value| {
        let mut row = head.clone();
        if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), fields) {
            row.extend(fields);
        }
        row
    };
    let sessions = crate::output::items(connection, "sessions");
    if sessions.is_empty() {
        return vec![head];
    }
    let of_session = |session: &Value| {
        let (service, number) = (&session["service"], &session["number"]);
        let transfers = crate::output::items(session, "transfers");
        let transfer = |one: &Value| {
            let arrow = if one["direction"] == "upload" { "↑" } else { "↓" };
            let path = format!("{arrow} {}", one["path"].as_str().unwrap_or_default());
            with(json!({"service": service, "session": number, "transfer": path, "bytes": one["bytes"]}))
        };
        match transfers {
            [] => vec![with(json!({"service": service, "session": number}))],
            transfers => transfers.iter().map(transfer).collect(),
        }
    };
    sessions.iter().flat_map(of_session).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_line_for_each_transfer_session_and_connection() {
        let user = json!({"username": "anna"});
        assert_eq!(rows(&json!({"id": "c", "user": user, "sessions": []})).len(), 1);
        let busy = json!({"id": "c", "user": user, "sessions": [
            {"number": 1, "service": "sftp", "transfers": [
                {"path": "/a", "direction": "upload", "bytes": 5}, {"path": "/b", "direction": "download", "bytes": 6}]},
            {"number": 2, "service": "shell", "transfers": []}]});
        let rows = rows(&busy);
        assert_eq!((rows.len(), &rows[0]["transfer"], &rows[2]["service"]), (3, &json!("↑ /a"), &json!("shell")));
    }
}
