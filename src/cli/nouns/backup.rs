//! `accountctl backup`: all accounts in a file, and such a file taken over.

use std::path::{Path, PathBuf};

use accountd_protocol::backup::Backup;
use accountd_protocol::batch::Effect;
use accountd_protocol::secret::Secret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::backup_choices::Choices;
use crate::age::{self, AgeError};
use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::Body;
use crate::follow;
use crate::kept_file::{self, Present};
use crate::output::{Format, Shape, as_it_is, items, plain};
use crate::path::query;
use crate::problem::Flags;
use crate::session::Session;
use crate::{secret_file, terminal};

const COLUMNS: &[&str] = &["kind", "name", "outcome", "conflicts"];
const ITEM: Shape = Shape { id: "name", columns: COLUMNS, fields: COLUMNS, present: item };
const SUMMARY: &[&str] =
    &["machine", "created", "version", "encrypted", "users", "groups", "usernames", "groupnames", "without_keys"];
const FILE: Shape = Shape { id: "machine", columns: &[], fields: SUMMARY, present: as_it_is };
/// Kinds of problems that name what is in the way.
const CONFLICTS: [&str; 2] = ["conflict", "invalid-values"];
const FLAGS: Flags =
    &[("backup", "FILE"), ("accounts", "--uid, --gid, --shell, --overwrite or --rename"), ("home", "--home")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Write all accounts that are not built in to a file, with their hashes
    Export {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Encrypt it with a passphrase, as age(1) does
        #[arg(long)]
        encrypt: bool,
        #[command(flatten)]
        passphrase: Passphrase,
        /// Replace a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Take over a file: all of it or nothing; what would be done is shown and agreed to first
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        choices: Box<Choices>,
    },
    /// What a file is, and whether it is whole; asks nobody but the file
    Show {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
    },
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Passphrase {
    /// File with the passphrase, for its owner alone; - is standard input
    #[arg(long, value_name = "PATH")]
    passphrase_file: Option<PathBuf>,
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::Export { file, encrypt, passphrase, force } => {
                let present = if force { Present::GivesWay } else { Present::Stays };
                kept_file::check_free(&file, present)?;
                let passphrase = if encrypt { Some(passphrase.chosen()?) } else { None };
                export(session, (&file, present), passphrase)
            }
            Verb::Import { file, passphrase, dry_run, choices } => {
                let content = opened(&file, &passphrase)?.content;
                import(session, (&file, &content), dry_run, choices.body())
            }
            Verb::Show { file, passphrase } => {
                let summary = summary(&file, &opened(&file, &passphrase)?)?;
                session.output.object(&FILE, &Answer { text: summary.to_string(), tag: None })
            }
        }
    }
}

fn export(session: &Session, (file, present): (&Path, Present), passphrase: Option<Secret>) -> Result<(), Error> {
    let answer = session.client.send(&Request::get("/backups/current", "export the accounts"))?;
    let content = Zeroizing::new(answer.text.into_bytes());
    let backup = whole(file, &content)?;
    match &passphrase {
        None => kept_file::write(file, &content, present)?,
        Some(passphrase) => {
            let sealed = age::encrypt(&content, passphrase, age::WORK).map_err(|error| bad(file, error))?;
            kept_file::write(file, &sealed, present)?;
        }
    }
    let (users, groups) = (backup.users.len(), backup.groups.len());
    session.output.note(&format!("{users} users and {groups} groups are in {}.", file.display()));
    let unread = without_keys(&backup);
    if !unread.is_empty() {
        session.output.note(&format!("The key files of these could not be read: {}.", unread.join(", ")));
    }
    if passphrase.is_none() {
        session.output.note("Whoever can read it has the hashes of all passwords.");
    }
    Ok(())
}

fn import(session: &Session, (file, content): (&Path, &[u8]), dry_run: bool, choices: Body) -> Result<(), Error> {
    let backup: Value = serde_json::from_slice(content).map_err(|error| bad(file, error))?;
    let import = Import {
        session,
        doing: format!("import {}", file.display()),
        body: json!({"backup": backup, "choices": choices}),
    };
    if session.has_agreed() && !dry_run {
        return import.agreed();
    }
    let tried = import.ask(Effect::Tried)?;
    let count = |of: &str| tried.value()[of].as_u64().unwrap_or_default();
    let (created, changed) = (count("created"), count("changed"));
    if dry_run || refused(&tried) > 0 || created + changed == 0 {
        return import.shown(&tried);
    }
    if let Format::Columns(_) = session.output.format {
        show(session, &tried)?;
    }
    session.agree(&format!("Make {created} and change {changed}?"))?;
    import.shown(&import.ask(Effect::Made)?)
}

/// A backup on its way into the accounts.
struct Import<'a> {
    session: &'a Session,
    doing: String,
    body: Value,
}

impl Import<'_> {
    fn ask(&self, effect: Effect) -> Result<Answer, Error> {
        let path = format!("/backups/import{}", query(&[("dry_run", (effect == Effect::Tried).to_string())]));
        let request = Request::post(path, &self.doing, self.body.clone()).naming(FLAGS);
        follow::settled(self.session, self.session.client.send(&request)?, (&self.doing, FLAGS))
    }

    /// At once. What is in the way is shown as everybody else is shown it, which a refusal does not do.
    fn agreed(&self) -> Result<(), Error> {
        let refusal = match self.ask(Effect::Made) {
            Ok(made) => return self.shown(&made),
            Err(Error::Refused(refusal)) => refusal,
            Err(error) => return Err(error),
        };
        if CONFLICTS.contains(&refusal.problem.kind.as_str())
            && let Ok(tried) = self.ask(Effect::Tried)
            && refused(&tried) > 0
        {
            return self.shown(&tried);
        }
        Err(Error::Refused(refusal))
    }

    fn shown(&self, report: &Answer) -> Result<(), Error> {
        show(self.session, report)?;
        match refused(report) {
            0 => Ok(()),
            count => Err(Error::Conflicts { count }),
        }
    }
}

fn refused(report: &Answer) -> u64 {
    report.value()["refused"].as_u64().unwrap_or_default()
}

/// What there is to say of single accounts, and how many there are of each kind.
fn show(session: &Session, answer: &Answer) -> Result<(), Error> {
    session.output.items(&ITEM, answer, "items")?;
    let report = answer.value();
    let counts = ["created", "changed", "same", "skipped", "refused"];
    let counts = counts.map(|count| format!("{} {count}", plain(&report[count])));
    session.output.note(&format!("Accounts: {}.", counts.join(", ")));
    Ok(())
}

/// Accounts of which nothing was in the way are only counted.
fn item(item: &Value) -> Option<Value> {
    let (conflicts, new_name) = (items(item, "conflicts"), item["new_name"].as_str());
    let conflict = |conflict: &Value| {
        let [field, message, settled] = ["field", "message", "settled"].map(|part| plain(&conflict[part]));
        match (settled.as_str(), conflict["to"].as_u64()) {
            ("", _) => format!("{field} {message}"),
            ("renamed", _) => format!("{field} {message}: renamed to {}", new_name.unwrap_or_default()),
            (_, Some(to)) => format!("{field} {message}: {settled} from {} to {to}", plain(&conflict["from"])),
            (_, None) => format!("{field} {message}: {settled}"),
        }
    };
    let mut said: Vec<String> = conflicts.iter().map(conflict).collect();
    if let Some(new_name) = new_name.filter(|_| !conflicts.iter().any(|conflict| conflict["settled"] == "renamed")) {
        said.insert(0, format!("renamed to {new_name}"));
    }
    if said.is_empty() {
        return None;
    }
    Some(json!({"kind": item["kind"], "name": item["name"], "outcome": item["outcome"], "conflicts": said.join("; ")}))
}

impl Passphrase {
    /// From the file, else typed twice.
    fn chosen(&self) -> Result<Secret, Error> {
        self.given_or(terminal::new_secret)
    }

    /// From the file, else typed once.
    fn known(&self) -> Result<Secret, Error> {
        self.given_or(terminal::secret)
    }

    fn given_or(&self, typed: impl FnOnce(&str) -> Result<Secret, Error>) -> Result<Secret, Error> {
        match &self.passphrase_file {
            Some(path) => secret_file::read(path),
            None if terminal::is_attended() => typed("Passphrase: "),
            None => Err(Error::Usage {
                what: "no terminal to ask for the passphrase at".into(),
                next: "Give it with --passphrase-file, where - is standard input.",
            }),
        }
    }
}

struct Opened {
    content: Zeroizing<Vec<u8>>,
    is_encrypted: bool,
}

fn opened(file: &Path, passphrase: &Passphrase) -> Result<Opened, Error> {
    let content = kept_file::read(file)?;
    if !age::is_encrypted(&content) {
        return Ok(Opened { content, is_encrypted: false });
    }
    let content = age::decrypt(&content, &passphrase.known()?).map_err(|error| match error {
        AgeError::Passphrase => Error::Passphrase { path: file.to_owned() },
        AgeError::Header | AgeError::Damaged | AgeError::TooCostly | AgeError::Cryptography => bad(file, error),
    })?;
    Ok(Opened { content, is_encrypted: true })
}

fn whole(file: &Path, content: &[u8]) -> Result<Backup, Error> {
    let backup: Backup = serde_json::from_slice(content).map_err(|error| bad(file, error))?;
    if backup.is_whole() {
        Ok(backup)
    } else {
        Err(bad(file, "its content is not the one that its SHA-256 was made of"))
    }
}

fn summary(file: &Path, Opened { content, is_encrypted }: &Opened) -> Result<Value, Error> {
    let backup = whole(file, content)?;
    let usernames: Vec<&str> = backup.users.iter().map(|user| user.name.as_str()).collect();
    let groupnames: Vec<&str> = backup.groups.iter().map(|group| group.name.as_str()).collect();
    Ok(json!({
        "machine": backup.machine,
        "created": backup.created,
        "version": backup.version,
        "encrypted": is_encrypted,
        "users": usernames.len(),
        "groups": groupnames.len(),
        "usernames": usernames,
        "groupnames": groupnames,
        "without_keys": without_keys(&backup),
    }))
}

fn without_keys(backup: &Backup) -> Vec<&str> {
    backup.users.iter().filter(|user| user.keys.is_none()).map(|user| user.name.as_str()).collect()
}

fn bad(file: &Path, reason: impl ToString) -> Error {
    Error::NoBackup { path: file.to_owned(), reason: reason.to_string() }
}
