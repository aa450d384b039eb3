//! `accountctl policy`: the rules for passwords, each with where it is from.

use serde_json::{Map, Value, json};

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::{OnlyIf, put};
use crate::output::{Format, Rows, Shape, as_it_is};
use crate::problem::Flags;
use crate::session::Session;

const COLUMNS: &[&str] = &["rule", "value", "source"];
const RULE: Shape = Shape { id: "rule", columns: COLUMNS, fields: COLUMNS, present: as_it_is };
/// In the order of the API.
const FLAGS: Flags = &[
    ("password.min_length", "--min-length"),
    ("password.min_classes", "--min-classes"),
    ("password.history", "--history"),
    ("password.min_days", "--min-days"),
    ("password.max_days", "--max-days"),
    ("password.warn_days", "--warn-days"),
];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The rules, and where each of them is from
    Show {
        /// Print their ETag alone
        #[arg(long)]
        etag: bool,
    },
    /// Change what is named; `file` is back to what accountd.toml(5) says
    Set(Set),
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Set {
    /// Characters that a password has at least
    #[arg(long, value_name = "NUMBER", value_parser = rule)]
    min_length: Option<Rule>,
    /// Kinds of characters that it has at least: lower case, upper case, digits, others
    #[arg(long, value_name = "NUMBER", value_parser = rule)]
    min_classes: Option<Rule>,
    /// Last passwords of an account that are not taken again
    #[arg(long, value_name = "NUMBER", value_parser = rule)]
    history: Option<Rule>,
    /// Days between two changes by the user, of new accounts
    #[arg(long, value_name = "DAYS", value_parser = rule)]
    min_days: Option<Rule>,
    /// Days after which a password is too old, of new accounts
    #[arg(long, value_name = "DAYS", value_parser = rule)]
    max_days: Option<Rule>,
    /// Days before that from which on the user is warned, of new accounts
    #[arg(long, value_name = "DAYS", value_parser = rule)]
    warn_days: Option<Rule>,
    #[command(flatten)]
    only_if: OnlyIf,
}

/// A number, or what the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    OfFile,
    Is(u32),
}

fn rule(text: &str) -> Result<Rule, String> {
    match text {
        "file" => Ok(Rule::OfFile),
        _ => text.parse().map(Rule::Is).map_err(|_| "has to be a number, or file".to_owned()),
    }
}

impl Rule {
    fn value(self) -> Value {
        match self {
            Rule::OfFile => Value::Null,
            Rule::Is(number) => json!(number),
        }
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::Show { etag } => {
                let answer = session.client.send(&Request::get("/policy", "show the policy"))?;
                if etag { session.output.tag(&answer) } else { show(session, &answer) }
            }
            Verb::Set(set) => set.run(session),
        }
    }
}

impl Set {
    fn run(self, session: &Session) -> Result<(), Error> {
        let mut rules = Map::new();
        put(&mut rules, "min_length", self.min_length.map(Rule::value));
        put(&mut rules, "min_classes", self.min_classes.map(Rule::value));
        put(&mut rules, "history", self.history.map(Rule::value));
        put(&mut rules, "min_days", self.min_days.map(Rule::value));
        put(&mut rules, "max_days", self.max_days.map(Rule::value));
        put(&mut rules, "warn_days", self.warn_days.map(Rule::value));
        let request = Request::patch("/policy", "set the policy", json!({"password": rules})).naming(FLAGS);
        show(session, &session.client.send(&request.only_if(self.only_if.if_match.as_deref()))?)
    }
}

/// A line for each rule.
fn show(session: &Session, answer: &Answer) -> Result<(), Error> {
    if session.output.format == Format::Json {
        return session.output.json(answer);
    }
    let policy = answer.value();
    let names = FLAGS.iter().filter_map(|(path, _)| path.strip_prefix("password."));
    let rule = |name: &str| json!({"rule": name, "value": policy["password"][name], "source": policy["source"]["password"][name]});
    Rows::new(session.output, RULE, COLUMNS).page(&names.map(rule).collect::<Vec<_>>())
}
