//! `accountctl role`: roles come with groups (`[roles]` in accountd.toml(5)), and are shown in users.

use serde_json::{Value, json};

use crate::client::Request;
use crate::edit::Set;
use crate::error::Error;
use crate::listing::{Arrangement, List};
use crate::output::{Shape, items};
use crate::path;
use crate::problem::Flags;
use crate::session::Session;
use crate::set_of_names;

const COLUMNS: &[&str] = &["id", "username", "roles"];
const FLAGS: Flags = &[("roles", "ROLE")];
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
    /// Give a user roles
    ///
    /// The user comes into the group of the role, which is made where there is none.
    Grant(Chosen),
    /// Take roles from a user
    Revoke(Chosen),
}

#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// A name or an id
    #[arg(value_name = "USER")]
    user: String,
    #[arg(value_name = "ROLE", required = true)]
    roles: Vec<RoleName>,
}

/// As the API calls them.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum RoleName {
    /// Everything
    Administrator,
    /// Ordinary users and groups
    AccountAdministrator,
    /// Read everything but secrets
    Auditor,
}

impl RoleName {
    fn name(self) -> Value {
        json!(match self {
            RoleName::Administrator => "administrator",
            RoleName::AccountAdministrator => "account_administrator",
            RoleName::Auditor => "auditor",
        })
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List { user: None } => of_all(session),
            Verb::List { user: Some(user) } => {
                let request = Request::get(path::user(&user), format!("list the roles of {user}"));
                session.output.object(&OF_ONE, &session.client.send(&request)?)
            }
            Verb::Grant(chosen) => {
                let (set, roles) = chosen.parts();
                let answer = set_of_names::add_names(session, &set, &roles)?;
                set_of_names::show(session, &set, &answer)
            }
            Verb::Revoke(chosen) => {
                let (set, roles) = chosen.parts();
                let answer = set_of_names::remove_names(session, &set, &roles)?;
                set_of_names::show(session, &set, &answer)
            }
        }
    }
}

impl Chosen {
    fn parts(self) -> (Set, Vec<Value>) {
        let (path, whose) = (format!("{}/roles", path::user(&self.user)), format!("user {}", self.user));
        let set = Set { path, field: "roles", what: "roles", whose, flags: FLAGS };
        (set, self.roles.into_iter().map(RoleName::name).collect())
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
