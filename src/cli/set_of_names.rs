//! Sets of accounts: the members of a group, the groups of a user. Both are changed alike.

use serde_json::{Value, json};

use crate::client::{Answer, Request};
use crate::edit::Set;
use crate::error::Error;
use crate::output::{Format, items};
use crate::path::is_id;
use crate::session::Session;
use crate::text::{harmless, one_field};

/// Accounts as they are called: ids where all are digits, else names.
pub fn called(accounts: &[String]) -> Vec<Value> {
    let number = |text: &String| text.parse::<u64>().ok().filter(|_| is_id(text));
    accounts.iter().map(|text| number(text).map_or_else(|| json!(text), |id| json!(id))).collect()
}

/// One name on each line, whoever reads them.
pub fn show(session: &Session, set: &Set, answer: &Answer) -> Result<(), Error> {
    let names = answer.value();
    let shown = |name: &Value| match session.output.format {
        Format::Columns(_) => harmless(name.as_str().unwrap_or_default()),
        Format::Tabs | Format::Ids | Format::Json => one_field(name.as_str().unwrap_or_default()),
    };
    match session.output.format {
        Format::Json => session.output.json(answer),
        Format::Columns(_) | Format::Tabs | Format::Ids => {
            session.output.write(&items(&names, set.field).iter().map(|name| shown(name) + "\n").collect::<String>())
        }
    }
}

/// How an account is found by its id: its path, and the field that its name is in.
pub type ById = (fn(&str) -> String, &'static str);

pub fn add(session: &Session, set: &Set, accounts: &[String], by_id: ById) -> Result<Answer, Error> {
    add_names(session, set, &names(session, accounts, by_id)?)
}

pub fn add_names(session: &Session, set: &Set, new: &[Value]) -> Result<Answer, Error> {
    set.edit(session, |present| {
        let missing: Vec<Value> = new.iter().filter(|name| !present.contains(name)).cloned().collect();
        Ok(if missing.is_empty() { None } else { Some([present, &missing].concat()) })
    })
}

pub fn remove(session: &Session, set: &Set, accounts: &[String], by_id: ById) -> Result<Answer, Error> {
    remove_names(session, set, &names(session, accounts, by_id)?)
}

pub fn remove_names(session: &Session, set: &Set, gone: &[Value]) -> Result<Answer, Error> {
    set.edit(session, |present| {
        if let Some(stranger) = gone.iter().find(|name| !present.contains(name)) {
            return Err(set.not_among(stranger.as_str().unwrap_or_default()));
        }
        Ok(Some(present.iter().filter(|name| !gone.contains(name)).cloned().collect()))
    })
}

/// The names of accounts, some of which are called by their ids.
fn names(session: &Session, accounts: &[String], (path, field): ById) -> Result<Vec<Value>, Error> {
    let mut names = Vec::new();
    for account in accounts {
        names.push(match is_id(account) {
            true => {
                session.client.send(&Request::get(path(account), format!("find {account}")))?.value()[field].clone()
            }
            false => json!(account),
        });
    }
    Ok(names)
}
