//! `accountctl backup`: all accounts in a file, and such a file taken over.

use std::path::{Path, PathBuf};

use accountd_protocol::backup::Backup;
use accountd_protocol::secret::Secret;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::age;
use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::{Body, put};
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
const FLAGS: Flags = &[("backup", "FILE"), ("accounts", "--uid, --gid, --shell or --overwrite"), ("home", "--home")];

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

/// What is done where something is in the way.
#[derive(Debug, clap::Args)]
pub struct Choices {
    /// Of accounts that are here and differ
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "skip", "overwrite"])]
    on_name: Option<String>,
    /// Of uids and gids that can not be had here
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "renumber"])]
    on_id: Option<String>,
    /// Of members, groups and commands of sudo that are not here
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "drop"])]
    on_missing: Option<String>,
    /// Of login shells that are none here
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "nologin"])]
    on_shell: Option<String>,
    /// Of lines of key files that are not understood
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "drop"])]
    on_keys: Option<String>,
    /// Of rules for passwords that are set here otherwise
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "skip", "overwrite"])]
    on_policy: Option<String>,
    /// Leave an account out; once for each
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,
    /// Make an account that is here like the backup; once for each
    #[arg(long, value_name = "NAME")]
    overwrite: Vec<String>,
    /// The uid of a user; once for each
    #[arg(long, value_name = "NAME=NUMBER", value_parser = number)]
    uid: Vec<(String, u32)>,
    /// The gid of a group; once for each
    #[arg(long, value_name = "NAME=NUMBER", value_parser = number)]
    gid: Vec<(String, u32)>,
    /// The login shell of a user; once for each
    #[arg(long, value_name = "NAME=PATH", value_parser = pair)]
    shell: Vec<(String, String)>,
    /// Where homes are here that were below a path; once for each
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    home: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("has to have = in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn number(text: &str) -> Result<(String, u32), String> {
    let (name, number) = pair(text)?;
    number.parse().map(|number| (name, number)).map_err(|_| "has to end with a number".to_owned())
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
    let body = json!({"backup": backup, "choices": choices});
    let doing = format!("import {}", file.display());
    let ask = |tried: bool| {
        let path = format!("/backups/import{}", query(&[("dry_run", tried.to_string())]));
        let answer = session.client.send(&Request::post(path, &doing, body.clone()).naming(FLAGS))?;
        follow::settled(session, answer, (&doing, FLAGS))
    };
    let tried = ask(true)?;
    let report = tried.value();
    let refused = report["refused"].as_u64().unwrap_or_default();
    if dry_run || refused > 0 {
        show(session, &tried)?;
        return if refused > 0 { Err(Error::Conflicts { count: refused }) } else { Ok(()) };
    }
    if let Format::Columns(_) = session.output.format {
        show(session, &tried)?;
    }
    let [created, changed] = ["created", "changed"].map(|count| report[count].as_u64().unwrap_or_default());
    if created + changed > 0 {
        session.agree(&format!("Make {created} and change {changed}?"))?;
    }
    show(session, &ask(false)?)
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
    let conflicts = items(item, "conflicts");
    if conflicts.is_empty() {
        return None;
    }
    let conflict = |conflict: &Value| {
        let [field, message, settled] = ["field", "message", "settled"].map(|part| plain(&conflict[part]));
        match (settled.as_str(), conflict["to"].as_u64()) {
            ("", _) => format!("{field} {message}"),
            (_, Some(to)) => format!("{field} {message}: {settled} from {} to {to}", plain(&conflict["from"])),
            (_, None) => format!("{field} {message}: {settled}"),
        }
    };
    let conflicts = conflicts.iter().map(conflict).collect::<Vec<_>>().join("; ");
    Some(json!({"kind": item["kind"], "name": item["name"], "outcome": item["outcome"], "conflicts": conflicts}))
}

impl Choices {
    fn body(self) -> Body {
        let mut body = Body::new();
        put(&mut body, "on_name", self.on_name);
        put(&mut body, "on_id", self.on_id);
        put(&mut body, "on_missing", self.on_missing);
        put(&mut body, "on_shell", self.on_shell);
        put(&mut body, "on_keys", self.on_keys);
        put(&mut body, "on_policy", self.on_policy);
        put(&mut body, "skip", Some(self.skip));
        let homes: Map<String, Value> = self.home.into_iter().map(|(old, new)| (old, json!(new))).collect();
        put(&mut body, "homes", Some(homes));
        let mut accounts: Map<String, Value> = Map::new();
        let mut choose = |name: String, field: &str, value: Value| {
            let account = accounts.entry(name).or_insert_with(|| json!({}));
            account[field] = value;
        };
        self.overwrite.into_iter().for_each(|name| choose(name, "on_name", json!("overwrite")));
        self.uid.into_iter().for_each(|(name, uid)| choose(name, "uid", json!(uid)));
        self.gid.into_iter().for_each(|(name, gid)| choose(name, "gid", json!(gid)));
        self.shell.into_iter().for_each(|(name, shell)| choose(name, "shell", json!(shell)));
        put(&mut body, "accounts", Some(accounts));
        body
    }
}

impl Passphrase {
    /// From the file, else typed twice.
    fn chosen(&self) -> Result<Secret, Error> {
        match &self.passphrase_file {
            Some(path) => secret_file::read(path),
            None => terminal::new_secret("Passphrase: "),
        }
    }

    fn known(&self) -> Result<Secret, Error> {
        match &self.passphrase_file {
            Some(path) => secret_file::read(path),
            None => terminal::secret("Passphrase: "),
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
    let content = age::decrypt(&content, &passphrase.known()?).map_err(|error| bad(file, error))?;
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
