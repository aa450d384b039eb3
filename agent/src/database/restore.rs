//! The state store at start: used as it is, or put back from its good copy where it is damaged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use rusqlite::{Connection, params};

use super::api_keys;
use super::error::DatabaseError;
use super::good_copy::{self, COMPANIONS, beside};
use super::login_tokens;
use super::mark::{BEHIND, Mark, Reached};
use super::quota_counts;
use super::repositories;
use super::second_factors;
use super::ssh_keys;
use super::state::State;
use crate::agent;
use crate::audit;
use crate::identity::second_factor::codes;

/// What ids and starts go on by after a restore. The copy may lack what was given out since it
/// was made: half a minute of changes as a rule, a million only in hours. Ids stay far below
/// 2^53, and starts below 2^32, however often this happens.
const SKIP: u64 = 1_000_000;

/// A store that was looked at.
enum Look {
    Usable(Box<State>),
    /// And what was found.
    Damaged(String),
}

/// Opens the store, or makes it where there has never been one. A damaged one is set aside and
/// its good copy takes its place; where there is none, nothing is changed.
pub fn open(store: &Path) -> Result<State, DatabaseError> {
    match look(store)? {
        Look::Usable(state) => Ok(*state),
        Look::Damaged(found) => {
            restore(store, &found)?;
            State::open(store)
        }
    }
}

fn look(store: &Path) -> Result<Look, DatabaseError> {
    let size = |path: &Path| match fs::metadata(path) {
        Ok(status) => Ok(Some(status.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DatabaseError::store(path)(error)),
    };
    let found = size(store)?;
    let is_first = size(&good_copy::path(store))?.is_none() && size(&beside(store, "-wal"))?.unwrap_or(0) == 0;
    match found {
        None if !is_first => return Ok(Look::Damaged("it is missing".into())),
        Some(0) if !is_first => return Ok(Look::Damaged("it is empty".into())),
        None | Some(_) => {}
    }
    let state = match State::open(store) {
        Err(DatabaseError::Damaged(found)) => return Ok(Look::Damaged(found)),
        state => state?,
    };
    let noted = Mark::read(store).filter(|_| found.is_some_and(|size| size > 0)).unwrap_or_default();
    if state.reached()?.is_behind(noted) {
        return Ok(Look::Damaged(BEHIND.into()));
    }
    Ok(Look::Usable(Box::new(state)))
}

fn restore(store: &Path, found: &str) -> Result<(), DatabaseError> {
    let copy = good_copy::path(store);
    let refuse = |copy_found: String| DatabaseError::NoGoodCopy {
        store: store.to_owned(),
        found: found.to_owned(),
        copy: copy.clone(),
        copy_found,
    };
    let made = match fs::metadata(&copy).and_then(|status| status.modified()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(refuse("there is none".into())),
        made => made.map_err(DatabaseError::store(&copy))?,
    };
    let ready = beside(store, ".restored");
    let unpacked = unpack(&copy, &ready, store, found);
    let reached = unpacked.inspect_err(|_| good_copy::discard(&ready)).map_err(|error| match error {
        DatabaseError::Damaged(found) => refuse(found),
        DatabaseError::Newer(_) => DatabaseError::Newer(copy.clone()),
        DatabaseError::State(error) if super::damage::is_damage(&error) => refuse(error.to_string()),
        error => error,
    })?;
    let aside = set_aside(store).map_err(DatabaseError::store(store))?;
    good_copy::replace(&ready, store)?;
    let age = made.elapsed().unwrap_or_default().as_secs();
    let made = made.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    tracing::error!(
        store = %store.display(), found, aside = %aside.display(), copy = %copy.display(), made, age,
        next_user = reached.next_user, next_group = reached.next_group,
        "the state store was damaged and has been restored from its good copy; what it alone held and \
         was changed since then is lost, accounts made since then get new ids, and every API key and login token is void"
    );
    Ok(())
}

/// Makes a store of the copy, which gives out no number again that the damaged one gave out.
fn unpack(copy: &Path, ready: &Path, store: &Path, found: &str) -> Result<Reached, DatabaseError> {
    let noted = Mark::read(store).unwrap_or_default();
    let mut file = good_copy::create(ready)?;
    fs::File::open(copy).and_then(|mut copy| io::copy(&mut copy, &mut file)).map_err(DatabaseError::store(copy))?;
    let mut reached = noted;
    good_copy::finish(ready, |copy| {
        reached = skip(copy, noted)?;
        // What was revoked since the copy was made must not come back.
        let keys = api_keys::void(copy, SKIP)?;
        let tokens = login_tokens::void(copy)?;
        // A code that is good now may have been used; that is over soon.
        second_factors::doubt(copy, codes::last_step(agent::now()))?;
        ssh_keys::skip(copy, SKIP)?;
        quota_counts::doubt(copy)?;
        repositories::skip(copy, SKIP)?;
        record(copy, store, (found, keys, tokens))
    })?;
    Ok(reached)
}

/// Goes on with the audit trail behind everything that is known of it, and records that later
/// records may be lost.
fn record(copy: &Connection, store: &Path, (found, keys, tokens): (&str, usize, usize)) -> rusqlite::Result<()> {
    if let Err(error) = audit::go_on_from_files(copy, &audit::directory(store)) {
        tracing::error!(%error, "the audit trail goes on where the good copy of the state store ends");
    }
    let mut changes = vec![FieldChange::new("store", Some(found.to_owned().into()), Some("good copy".into()))];
    if keys > 0 {
        changes.push(FieldChange::new("api_keys", Some(keys.to_string().into()), None));
    }
    if tokens > 0 {
        changes.push(FieldChange::new("login_tokens", Some(tokens.to_string().into()), None));
    }
    let event = AuditEvent::done(Actor::Agent, AuditAction::RestoreStore, None, changes);
    audit::append(copy, audit::moment(), &audit::bodies(&[event])?)
}

fn skip(store: &Connection, noted: Reached) -> rusqlite::Result<Reached> {
    let reached = State::reached_in(store)?.or(noted);
    let next = Reached {
        starts: reached.starts.saturating_add(SKIP),
        next_user: reached.next_user.saturating_add(SKIP),
        next_group: reached.next_group.saturating_add(SKIP),
    };
    store.execute("UPDATE starts SET count = ?1", [next.starts])?;
    for (kind, id) in [("user", next.next_user), ("group", next.next_group)] {
        store.execute("REPLACE INTO floors VALUES (?1, ?2)", params![kind, id])?;
    }
    Ok(next)
}

/// Renames the store and what SQLite has put beside it. The store goes first: without it the next
/// start knows that it has to be restored, whatever else is still there.
fn set_aside(store: &Path) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let names = (now..).map(|time| beside(store, &format!(".damaged-{time}")));
    let is_free = |name: &PathBuf| ["", "-wal"].iter().all(|file| fs::symlink_metadata(beside(name, file)).is_err());
    let aside = names.into_iter().find(is_free).ok_or(io::ErrorKind::AlreadyExists)?;
    for file in ["", COMPANIONS[0], COMPANIONS[1], COMPANIONS[2]] {
        match fs::rename(beside(store, file), beside(&aside, file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    good_copy::sync_directory(store)?;
    Ok(aside)
}
