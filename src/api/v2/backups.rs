//! `/backups`: all accounts that are not built in as one document, and that document taken over.

use accountd_protocol::backup::{Backup, FORMAT, VERSION};
use accountd_protocol::batch::Effect;
use accountd_protocol::import::{
    Choices, Import, ImportOutcome, ImportReport, ImportedItem, ItemKind, Settled, Settlement,
};
use accountd_protocol::refusal::{Field, Invalid, Problem};
use rocket::http::Status;
use rocket::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::faults::{Conflict, Fault, Kind};
use super::idempotency::Once;
use super::input::not_json;
use super::jobs;
use super::listing::{Query, boolean};
use super::users::{Signed, failed};
use crate::body::{self, Unread};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// The largest body: what the agent takes.
const MAX_BODY_MEBIBYTES: u64 = 64;
const JSON: &str = "application/json";

/// The document as it is to be kept.
#[get("/backups/current")]
pub async fn current(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let backup = caller.export().await.map_err(failed)?;
    // Not by way of a value, which would lose the order that the digest was made of.
    let body = serde_json::to_string(&backup).map_err(|_| Error::Internal)?;
    let reply = Reply { status: Status::Ok, content_type: Some(JSON), body, headers: Vec::new() };
    let disposition = format!("attachment; filename=\"{}\"", file_name(&backup));
    Ok(reply.with("Cache-Control", "no-store").with("Content-Disposition", disposition))
}

fn file_name(backup: &Backup) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let machine: String = backup.machine.chars().filter(is_plain).collect();
    let time: String = backup.created.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("accountd-{machine}-{time}.json")
}

#[post("/backups/import", data = "<body>")]
pub async fn import(caller: Signed, query: Query, once: Once<'_>, body: Unread<'_>) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let effect = effect(&query)?;
    let (_, body) = body::read_one_of(&[JSON], MAX_BODY_MEBIBYTES, body).await?;
    let made = async {
        let (backup, choices) = read(&body)?;
        let job = caller.import(Import { backup, choices, effect }).await.map_err(failed)?;
        jobs::begun(&job)
    };
    once.answer((&caller, "/backups/import"), &body, made).await
}

/// `?dry_run=true`
fn effect(query: &Query) -> Result<Effect, Error> {
    let (mut effect, mut faults) = (Effect::default(), Vec::new());
    for (name, value) in query.pairs() {
        match (name, boolean(value)) {
            ("dry_run", Some(true)) => effect = Effect::Tried,
            ("dry_run", Some(false)) => effect = Effect::Made,
            ("dry_run", None) => faults.push(Fault::new(name, "wrong_type", "has to be true or false")),
            _ => faults.push(Fault::new(name.escape_debug().to_string(), "unknown_parameter", "is not known here")),
        }
    }
    if faults.is_empty() { Ok(effect) } else { Err(Error::Query(faults)) }
}

/// What says whether the rest can be read at all.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    backup: Option<Kinds>,
}

#[derive(Deserialize)]
struct Kinds {
    #[serde(default)]
    format: Value,
    #[serde(default)]
    version: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    backup: Box<Backup>,
    #[serde(default)]
    choices: Value,
}

fn read(body: &[u8]) -> Result<(Box<Backup>, Choices), Error> {
    let head: Head = serde_json::from_slice(body).map_err(|error| unread("backup", &error))?;
    let fault = |field, code, message: String| Error::Fields(vec![Fault::new(field, code, message)]);
    let kinds = head.backup.ok_or_else(|| fault("backup", "required", "is required".into()))?;
    if kinds.format != FORMAT {
        return Err(fault("backup.format", "unsupported", format!("is not {FORMAT}")));
    }
    if kinds.version != VERSION {
        return Err(fault(
            "backup.version",
            "unsupported",
            format!("is not {VERSION}, the only one that is known here"),
        ));
    }
    let Body { backup, choices } = serde_json::from_slice(body).map_err(|error| unread("backup", &error))?;
    let choices = match choices {
        Value::Null => Choices::default(),
        choices => serde_json::from_value(choices).map_err(|error| unread("choices", &error))?,
    };
    Ok((backup, choices))
}

/// JSON that is another thing than it should be is a value that is no good.
fn unread(field: &str, error: &serde_json::Error) -> Error {
    match error.classify() {
        serde_json::error::Category::Data => {
            Error::Fields(vec![Fault::new(field, "wrong_type", format!("can not be read: {error}"))])
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            not_json(error)
        }
    }
}

pub fn report(report: &ImportReport) -> Value {
    let count = |outcome| report.items.iter().filter(|item| item.outcome == outcome).count();
    let items: Vec<Value> = report.items.iter().map(item).collect();
    json!({
        "created": count(ImportOutcome::Created),
        "changed": count(ImportOutcome::Changed),
        "same": count(ImportOutcome::Same),
        "skipped": count(ImportOutcome::Skipped),
        "refused": count(ImportOutcome::Refused),
        "items": items,
    })
}

fn item(item: &ImportedItem) -> Value {
    let ImportedItem { kind, index, name, new_name, outcome, open, settled } = item;
    let kept_open = open.iter().map(|invalid| conflict(*kind, invalid, None));
    let settled = settled.iter().map(|Settled { conflict: invalid, by }| conflict(*kind, invalid, Some(by)));
    let conflicts: Vec<Value> = kept_open.chain(settled).collect();
    json!({"kind": kind, "index": index, "name": name, "new_name": new_name, "outcome": outcome, "conflicts": conflicts})
}

fn conflict(kind: ItemKind, invalid: &Invalid, settled: Option<&Settlement>) -> Value {
    let Fault { field, code, message, .. } = Fault::of(kind_of(kind), invalid);
    let (by, from, to) = match settled {
        None => (None, None, None),
        Some(Settlement::Skipped) => (Some("skipped"), None, None),
        Some(Settlement::Overwritten) => (Some("overwritten"), None, None),
        Some(Settlement::Dropped) => (Some("dropped"), None, None),
        Some(Settlement::Renamed) => (Some("renamed"), None, None),
        Some(Settlement::Nologin) => (Some("nologin"), None, None),
        Some(Settlement::Kept) => (Some("kept"), None, None),
        Some(Settlement::Renumbered { from, to }) => (Some("renumbered"), Some(from), Some(to)),
    };
    json!({"field": field, "code": code, "message": message, "settled": by, "from": from, "to": to})
}

fn kind_of(kind: ItemKind) -> Kind {
    match kind {
        ItemKind::Group | ItemKind::BuiltinGroup => Kind::Group,
        ItemKind::User | ItemKind::PasswordRules => Kind::User,
    }
}

/// Everything that is in the way, each with the record that it is about.
pub fn faults(report: &ImportReport) -> Vec<Fault> {
    let of = |item: &ImportedItem| {
        let (kind, index, name) = (item.kind, item.index, item.name.clone());
        let list = match kind {
            ItemKind::PasswordRules => "password_rules".to_owned(),
            ItemKind::Group => format!("groups[{index}]"),
            ItemKind::BuiltinGroup => format!("builtin_groups[{index}]"),
            ItemKind::User => format!("users[{index}]"),
        };
        item.open.iter().map(move |invalid| fault(kind, (&list, &name), invalid)).collect::<Vec<_>>()
    };
    report.items.iter().flat_map(of).collect()
}

fn fault(kind: ItemKind, (list, name): (&str, &str), invalid: &Invalid) -> Fault {
    let fault = Fault::of(kind_of(kind), invalid);
    let message = if name.is_empty() { fault.message } else { format!("of {} {}", name.escape_debug(), fault.message) };
    let conflict = if is_of_here(invalid) { Conflict::WithWhatExists } else { fault.conflict };
    Fault { field: format!("{list}.{}", fault.field), message, conflict, ..fault }
}

/// Whether another machine could take it as it is.
fn is_of_here(Invalid { field, problem }: &Invalid) -> bool {
    let is_missing = matches!(
        problem,
        Problem::NoSuch(_)
            | Problem::NotAShell
            | Problem::OutsideRoots(_)
            | Problem::NotMounted(_)
            | Problem::ServiceAccount
            | Problem::NoSudo(_)
            | Problem::SudoCommand(_)
    );
    is_missing || matches!((field, problem), (Field::Rule(_), Problem::SetOtherwise(_)))
}
