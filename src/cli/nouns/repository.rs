//! `accountctl repository`: repositories of git and Mercurial, and who may do what with them.

use serde_json::{Map, Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::flags::{Repeatable, put};
use crate::follow;
use crate::output::{Shape, as_it_is, plain};
use crate::path::segment;
use crate::problem::Flags;
use crate::secret_file;
use crate::session::Session;

const COLUMNS: &[&str] = &["id", "name", "kind", "owner", "private", "access", "description"];
const FIELDS: &[&str] = &["id", "name", "kind", "owner", "private", "access", "description", "clone_uri", "created"];
const SHAPE: Shape = Shape { id: "id", columns: COLUMNS, fields: FIELDS, present };
const GRANT_COLUMNS: &[&str] = &["whom", "access"];
const GRANTS: Shape = Shape { id: "whom", columns: GRANT_COLUMNS, fields: GRANT_COLUMNS, present: grant };
const PULLED_COLUMNS: &[&str] = &["name", "output"];
const PULLED: Shape = Shape { id: "name", columns: PULLED_COLUMNS, fields: PULLED_COLUMNS, present: as_it_is };
const FLAGS: Flags = &[
    ("name", "NAME"),
    ("kind", "--kind"),
    ("owner", "--owner"),
    ("description", "--description"),
    ("clone_uri", "--clone-uri"),
    ("grantee", "the user or the group"),
    ("user", "USER, --group or --others"),
    ("access", "--access"),
];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The repositories that whoever asks may read
    List,
    /// A repository
    Show(Called),
    /// Make a repository
    Create {
        /// What it is called; below it others may lie by names such as tools/backup
        #[arg(value_name = "NAME")]
        name: String,
        /// git, or hg
        #[arg(long, value_name = "KIND", default_value = "git")]
        kind: String,
        /// Whose it is: a name or an id; without this, whoever asks
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        repeatable: Repeatable,
    },
    /// Change what is said of a repository, and whether others may read it
    Update {
        #[command(flatten)]
        called: Called,
        #[command(flatten)]
        settings: Settings,
        /// Pull from nowhere any more
        #[arg(long, conflicts_with = "clone_uri")]
        no_clone_uri: bool,
    },
    /// Remove a repository with all that is in it
    Delete(Called),
    /// Who may do what with a repository
    Grants(Called),
    /// Give a user, a group or all others access
    Grant {
        #[command(flatten)]
        called: Called,
        #[command(flatten)]
        whom: Whom,
        /// read, write or admin
        #[arg(long, value_name = "ACCESS")]
        access: String,
    },
    /// Take away what a user, a group or all others were given
    Revoke {
        #[command(flatten)]
        called: Called,
        #[command(flatten)]
        whom: Whom,
    },
    /// Fetch all that the clone URI has, and wait for it
    Pull(Called),
}

#[derive(Debug, clap::Args)]
pub struct Called {
    /// A name, or an id
    #[arg(value_name = "REPOSITORY")]
    repository: String,
}

#[derive(Debug, clap::Args)]
pub struct Settings {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether nobody but those who are given something may read it
    #[arg(long, value_name = "true|false")]
    private: Option<bool>,
    /// A file whose first line is the URL that is pulled from
    #[arg(long, value_name = "FILE", conflicts_with = "clone_uri")]
    clone_uri_file: Option<std::path::PathBuf>,
    /// The URL that is pulled from; with a password in it, take a file
    #[arg(long, value_name = "URL")]
    clone_uri: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Whom {
    /// A name, or an id
    #[arg(value_name = "USER")]
    user: Option<String>,
    /// A name, or an id
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Everybody else who has an account
    #[arg(long)]
    others: bool,
}

impl Called {
    fn path(&self) -> String {
        format!("/repositories/{}", segment(&self.repository))
    }
}

impl Settings {
    fn put(self, body: &mut Map<String, Value>) -> Result<(), Error> {
        put(body, "description", self.description);
        put(body, "private", self.private);
        put(body, "clone_uri", self.clone_uri);
        if let Some(path) = self.clone_uri_file {
            put(body, "clone_uri", Some(secret_file::read(&path)?.reveal()));
        }
        Ok(())
    }
}

impl Whom {
    fn put(&self, body: &mut Map<String, Value>) {
        put(body, "user", self.user.as_deref().map(account));
        put(body, "group", self.group.as_deref().map(account));
        put(body, "others", self.others.then_some(true));
    }

    fn name(&self) -> String {
        match (&self.user, &self.group) {
            (Some(user), _) => format!("user {user}"),
            (None, Some(group)) => format!("group {group}"),
            (None, None) => "all others".to_owned(),
        }
    }
}

/// An id where it is all digits, else a name.
fn account(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(id) if text.bytes().all(|byte| byte.is_ascii_digit()) => json!(id),
        _ => json!(text),
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::List => {
                let answer = session.client.send(&Request::get("/repositories", "list repositories"))?;
                session.output.items(&SHAPE, &answer, "items")
            }
            Verb::Show(called) => {
                let doing = format!("show repository {}", called.repository);
                session.output.object(&SHAPE, &session.client.send(&Request::get(called.path(), doing))?)
            }
            Verb::Create { name, kind, owner, settings, repeatable } => {
                let mut body = Map::new();
                put(&mut body, "name", Some(name));
                put(&mut body, "kind", Some(kind));
                put(&mut body, "owner", owner.as_deref().map(account));
                settings.put(&mut body)?;
                let request = Request::post("/repositories", "make a repository", Value::Object(body)).naming(FLAGS);
                let answer = session.client.send(&request.idempotency_key(repeatable.idempotency_key))?;
                session.output.object(&SHAPE, &answer)
            }
            Verb::Update { called, settings, no_clone_uri } => update(session, &called, settings, no_clone_uri),
            Verb::Delete(called) => delete(session, &called),
            Verb::Grants(called) => {
                let doing = format!("show who may do what with repository {}", called.repository);
                let answer = session.client.send(&Request::get(format!("{}/grants", called.path()), doing))?;
                session.output.items(&GRANTS, &answer, "items")
            }
            Verb::Grant { called, whom, access } => give(session, &called, &whom, &access),
            Verb::Revoke { called, whom } => give(session, &called, &whom, "none"),
            Verb::Pull(called) => pull(session, &called),
        }
    }
}

fn update(session: &Session, called: &Called, settings: Settings, no_clone_uri: bool) -> Result<(), Error> {
    let mut body = Map::new();
    settings.put(&mut body)?;
    if no_clone_uri {
        body.insert("clone_uri".to_owned(), Value::Null);
    }
    let doing = format!("change repository {}", called.repository);
    let request = Request::patch(called.path(), doing, Value::Object(body)).naming(FLAGS);
    session.output.object(&SHAPE, &session.client.send(&request)?)
}

fn delete(session: &Session, called: &Called) -> Result<(), Error> {
    let doing = format!("delete repository {}", called.repository);
    let shown = session.client.send(&Request::get(called.path(), &doing))?.value();
    session.agree(&format!("Remove the repository {} with all that is in it?", plain(&shown["name"])))?;
    session.client.send(&Request::delete(called.path(), doing))?;
    Ok(())
}

fn give(session: &Session, called: &Called, whom: &Whom, access: &str) -> Result<(), Error> {
    let mut body = Map::new();
    whom.put(&mut body);
    put(&mut body, "access", Some(access));
    let doing = format!("give {} access to repository {}", whom.name(), called.repository);
    let request = Request::post(format!("{}/grants", called.path()), doing, Value::Object(body)).naming(FLAGS);
    session.output.items(&GRANTS, &session.client.send(&request)?, "items")
}

fn pull(session: &Session, called: &Called) -> Result<(), Error> {
    let doing = format!("pull into repository {}", called.repository);
    let request = Request::post(format!("{}/pull", called.path()), &doing, json!({}));
    let answer = session.client.send(&request)?;
    session.output.object(&PULLED, &follow::settled(session, answer, (&doing, FLAGS))?)
}

/// The owner by name.
fn present(repository: &Value) -> Option<Value> {
    let mut object = repository.as_object()?.clone();
    let owner = object.get("owner")?.get("username").cloned().unwrap_or_default();
    object.insert("owner".to_owned(), owner);
    Some(Value::Object(object))
}

/// Whom it is for in one column.
fn grant(grant: &Value) -> Option<Value> {
    let object = grant.as_object()?;
    let named = |field: &str, name: &str| object.get(field)?.get(name)?.as_str().map(|name| format!("{field} {name}"));
    let whom = named("user", "username").or_else(|| named("group", "groupname")).unwrap_or_else(|| "others".to_owned());
    Some(json!({"whom": whom, "access": object.get("access")?}))
}
