//! `accountctl api-key`: what programs show instead of a password. A key is printed when it is made and
//! never again.

use serde_json::{Map, Value};

use crate::client::Request;
use crate::error::Error;
use crate::flags::{Repeatable, put};
use crate::output::{Shape, as_it_is, plain};
use crate::path::{self, CALLER};
use crate::problem::Flags;
use crate::session::Session;

const COLUMNS: &[&str] = &["id", "name", "created", "expires", "last_used"];
const SHAPE: Shape = Shape { id: "id", columns: COLUMNS, fields: COLUMNS, present: as_it_is };
const FLAGS: Flags = &[("name", "NAME"), ("api_keys", "the list of keys")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The API keys of a user, without the keys themselves
    List {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER", default_value = CALLER, hide_default_value = true)]
        user: String,
    },
    /// An API key, without the key itself
    Show(Called),
    /// Make an API key for whoever asks, and print it once
    Add {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
        /// Moment in UTC from which on it is void, as in 2030-12-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        repeatable: Repeatable,
    },
    /// Revoke an API key, at once
    Delete(Called),
}

#[derive(Debug, clap::Args)]
pub struct Called {
    /// A name, an id, or ~ for whoever asks
    #[arg(value_name = "USER")]
    user: String,
    /// The id of a key
    #[arg(value_name = "ID")]
    id: u64,
}

impl Called {
    fn path(&self) -> String {
        format!("{}/{}", of(&self.user), self.id)
    }
}

fn of(user: &str) -> String {
    format!("{}/api-keys", path::user(user))
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List { user } => {
                let answer = session.client.send(&Request::get(of(&user), format!("list the API keys of {user}")))?;
                session.output.items(&SHAPE, &answer, "items")
            }
            Verb::Show(called) => {
                let doing = format!("show API key {} of {}", called.id, called.user);
                session.output.object(&SHAPE, &session.client.send(&Request::get(called.path(), doing))?)
            }
            Verb::Add { name, expires, repeatable } => {
                session.output.shows_all()?;
                let mut body = Map::new();
                put(&mut body, "name", Some(name));
                put(&mut body, "expires", expires);
                let request = Request::post(of(CALLER), "add an API key", Value::Object(body)).naming(FLAGS);
                let answer = session.client.send(&request.idempotency_key(repeatable.idempotency_key))?;
                session.output.object(&SHAPE, &answer)
            }
            Verb::Delete(called) => delete(session, &called),
        }
    }
}

fn delete(session: &Session, called: &Called) -> Result<(), Error> {
    let doing = format!("delete API key {} of {}", called.id, called.user);
    let shown = session.client.send(&Request::get(called.path(), &doing))?.value();
    session.agree(&format!("Revoke the API key {} of {}?", plain(&shown["name"]), called.user))?;
    session.client.send(&Request::delete(called.path(), doing))?;
    Ok(())
}
