//! `accountctl key`: the keys of a user, as lines of authorized_keys(5).

use serde_json::{Value, json};

use crate::client::Answer;
use crate::edit::Set;
use crate::error::Error;
use crate::flags::KeyFiles;
use crate::key_lines;
use crate::output::{Format, Shape, items};
use crate::path;
use crate::problem::Flags;
use crate::session::Session;

const COLUMNS: &[&str] = &["fingerprint", "type", "comment", "options", "line"];
const SHAPE: Shape = Shape { id: "fingerprint", columns: COLUMNS, fields: COLUMNS, present };
/// Fits a terminal; a key that is understood is known by its fingerprint.
const SHORT: Shape = Shape { columns: &["fingerprint", "type", "comment", "options"], ..SHAPE };
const FLAGS: Flags = &[("keys", "LINE"), ("present", "a key that is there already")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The keys of a user
    List(User),
    /// Give a user more keys
    Add(Given),
    /// Take keys from a user
    Remove {
        #[command(flatten)]
        user: User,
        /// A fingerprint (SHA256:…), a comment, or a whole line
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
    },
    /// Make these the keys of a user, and no others
    Set {
        #[command(flatten)]
        given: Given,
        /// None
        #[arg(long, conflicts_with_all = ["lines", "key_files"])]
        none: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct User {
    /// A name, an id, or ~ for whoever asks
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Debug, clap::Args)]
pub struct Given {
    #[command(flatten)]
    user: User,
    /// A line of authorized_keys(5)
    #[arg(value_name = "LINE")]
    lines: Vec<String>,
    #[command(flatten)]
    files: KeyFiles,
}

impl User {
    fn set(&self) -> Set {
        let (path, whose) = (format!("{}/keys", path::user(&self.user)), format!("user {}", self.user));
        Set { path, field: "keys", what: "keys", whose, flags: FLAGS }
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let answer = match self {
            Verb::List(user) => user.set().get(session)?,
            Verb::Add(Given { user, lines, files }) => add(session, &user.set(), &some(&lines, &files)?)?,
            Verb::Remove { user, keys } => remove(session, &user.set(), &keys)?,
            Verb::Set { given: Given { user, lines, files }, none } => {
                let keys = if none { Vec::new() } else { some(&lines, &files)? };
                if none {
                    session.agree(&format!("Take every key from user {}?", user.user))?;
                }
                user.set().replace(session, &keys.into_iter().map(Value::from).collect::<Vec<_>>(), None)?
            }
        };
        show(session, &answer)
    }
}

fn show(session: &Session, answer: &Answer) -> Result<(), Error> {
    let shape = if let Format::Columns(_) = session.output.format { SHORT } else { SHAPE };
    session.output.items(&shape, answer, "keys")?;
    for advice in items(&answer.value(), "advice") {
        session.output.note(&format!("Note: {}", advice.as_str().unwrap_or_default()));
    }
    Ok(())
}

/// A line that is no key has no fingerprint: it is shown, and called, as it is.
fn present(key: &Value) -> Option<Value> {
    let mut shown = key.clone();
    if shown["fingerprint"].is_null() {
        shown["fingerprint"] = shown["line"].clone();
    }
    Some(shown)
}

fn some(lines: &[String], files: &KeyFiles) -> Result<Vec<String>, Error> {
    let keys = key_lines::given(lines, files)?;
    if keys.is_empty() {
        let next = "Give it as LINE, or in a --key-file; key set --none takes all of them away.";
        return Err(Error::Usage { what: "no key was given".into(), next });
    }
    Ok(keys)
}

fn add(session: &Session, set: &Set, new: &[String]) -> Result<Answer, Error> {
    let mut given = Vec::new();
    let added = set.edit(session, |present| {
        let lines = lines(present);
        let numbered = new.iter().map(|line| json!(line)).enumerate();
        let (numbers, missing): (Vec<usize>, Vec<Value>) = numbered.filter(|(_, line)| !lines.contains(line)).unzip();
        given = std::iter::repeat_n(None, lines.len()).chain(numbers.into_iter().map(Some)).collect();
        Ok(if missing.is_empty() { None } else { Some([lines, missing].concat()) })
    });
    added.map_err(|error| match error {
        Error::Refused(mut refused) => {
            refused.renumber(set.field, &given);
            Error::Refused(refused)
        }
        error => error,
    })
}

fn remove(session: &Session, set: &Set, gone: &[String]) -> Result<Answer, Error> {
    set.edit(session, |present| {
        let is_called =
            |key: &Value, name: &str| ["fingerprint", "comment", "line"].iter().any(|field| key[field] == name);
        if let Some(stranger) = gone.iter().find(|name| !present.iter().any(|key| is_called(key, name))) {
            return Err(set.not_among(stranger));
        }
        let left = present.iter().filter(|key| !gone.iter().any(|name| is_called(key, name)));
        Ok(Some(left.map(|key| key["line"].clone()).collect()))
    })
}

fn lines(keys: &[Value]) -> Vec<Value> {
    keys.iter().map(|key| key["line"].clone()).collect()
}
