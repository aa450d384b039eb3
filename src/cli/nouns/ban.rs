//! `accountctl ban`: who is turned away because too many wrong passwords have come.

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::output::Shape;
use crate::session::Session;

const COLUMNS: &[&str] = &["id", "of", "since", "until"];
const BAN: Shape = Shape { id: "id", columns: COLUMNS, fields: COLUMNS, present: ban };

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The sources and accounts that are turned away now
    List,
    /// End a ban before its time
    Lift {
        /// As the list has it
        #[arg(value_name = "ID")]
        id: u64,
    },
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List => {
                let answer = session.client.send(&Request::get("/bans", "list bans"))?;
                session.output.items(&BAN, &answer, "items")
            }
            Verb::Lift { id } => {
                session.client.send(&Request::delete(format!("/bans/{id}"), format!("lift ban {id}")))?;
                Ok(())
            }
        }
    }
}

/// Whose it is in one column: an address, or the name of an account.
fn ban(ban: &Value) -> Option<Value> {
    let object = ban.as_object()?;
    let of = match &object.get("account")?["username"] {
        Value::Null => object.get("source")?.clone(),
        name => name.clone(),
    };
    let field = |name: &str| object.get(name).cloned().unwrap_or_default();
    Some(json!({"id": field("id"), "of": of, "since": field("since"), "until": field("until")}))
}
