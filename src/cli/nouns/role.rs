//! `accountctl role`: roles come with groups (`[roles]` in accountd.toml(5)), and are shown in users.

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::listing::{Arrangement, List};
use crate::output::{Shape, items};
use crate::path;
use crate::session::Session;

const COLUMNS: &[&str] = &["id", "username", "roles"];
const OF_ALL: Shape = Shape { id: "id", columns: COLUMNS, fields: COLUMNS, present: with_a_role };
const OF_ONE: Shape = Shape { id: "roles", columns: COLUMNS, fields: COLUMNS, present: roles_alone };

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Users who have a role; or the roles of one
    ///
    /// With --json the users as the API lists them, those without a role too.
    List {
        /// A name, an id, or ~ for whoever asks
        #[arg(value_name = "USER")]
        user: Option<String>,
    },
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let Verb::List { user } = self;
        let Some(user) = user else { return of_all(session) };
        let answer = session.client.send(&Request::get(path::user(&user), format!("list the roles of {user}")))?;
        session.output.object(&OF_ONE, &answer)
    }
}

fn of_all(session: &Session) -> Result<(), Error> {
    let fields = Some(COLUMNS.join(","));
    let list = List { path: "/users", doing: "list roles", filters: Vec::new(), flags: &[], shape: OF_ALL };
    Arrangement { fields, ..Arrangement::default() }.show(session, list)
}

fn with_a_role(user: &Value) -> Option<Value> {
    let has_one = !items(user, "roles").is_empty();
    has_one.then(|| user.clone())
}

fn roles_alone(user: &Value) -> Option<Value> {
    Some(json!({"id": user["id"], "username": user["username"], "roles": user["roles"]}))
}
