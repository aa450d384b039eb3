//! What the state store knows of SSH keys beside their lines: ids, titles, times. The lines in the homes are
//! what counts; [`reconcile`] makes the rows fit them.

use std::collections::{HashMap, HashSet, VecDeque};

use accountd_protocol::id::AccountId;
use accountd_protocol::ssh_key::{KeyTitle, SshKey, SshKeyId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A step of the state store's migrations.
pub const MIGRATION: &str = "
    CREATE TABLE ssh_keys (
        id INTEGER PRIMARY KEY, account INTEGER NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL,
        added INTEGER NOT NULL, last_used INTEGER
    ) STRICT;
    CREATE INDEX ssh_keys_of_account ON ssh_keys (account);
";
/// In `floors`, the least id that may be given out next.
const KIND: &str = "ssh_key";

/// A key in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    pub fingerprint: String,
    pub comment: String,
}

/// What is in a file, and what has just been done to it.
#[derive(Clone, Debug)]
pub struct Found {
    pub account: AccountId,
    /// In the order of the file.
    pub keys: Vec<FoundKey>,
    /// The last key with this fingerprint was added under this title.
    pub added: Option<(String, KeyTitle)>,
    /// The line of this one was removed.
    pub removed: Option<SshKeyId>,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// In the order in which they were added.
pub fn of(connection: &Connection, account: AccountId) -> rusqlite::Result<Vec<SshKey>> {
    let sql = "SELECT id, title, fingerprint, added, last_used FROM ssh_keys WHERE account = ?1 ORDER BY id";
    connection.prepare_cached(sql)?.query_map([account.0], parse)?.collect()
}

fn parse(row: &Row<'_>) -> rusqlite::Result<SshKey> {
    let (id, title, fingerprint) = (SshKeyId(row.get(0)?), row.get(1)?, row.get(2)?);
    Ok(SshKey { id, title, fingerprint, added: row.get(3)?, last_used: row.get(4)? })
}

/// Whose key it is.
pub fn owner(connection: &Connection, id: SshKeyId) -> rusqlite::Result<Option<AccountId>> {
    let mut query = connection.prepare_cached("SELECT account FROM ssh_keys WHERE id = ?1")?;
    query.query_row([id.0], |row| row.get(0).map(AccountId)).optional()
}

/// Rows for what is in the file and for nothing else. Says whether something has changed, too.
pub fn reconcile(connection: &mut Connection, found: &Found) -> rusqlite::Result<(Vec<SshKey>, bool)> {
    let Fitted { mut kept, gone, new } = fit(of(connection, found.account)?, found);
    if gone.is_empty() && new.is_empty() {
        return Ok((kept, false));
    }
    let transaction = connection.transaction()?;
    for id in gone {
        transaction.prepare_cached("DELETE FROM ssh_keys WHERE id = ?1")?.execute([id.0])?;
    }
    let mut titles: HashSet<String> = kept.iter().map(|key| key.title.clone()).collect();
    for (fingerprint, title) in new {
        let title = free_title(title, &titles);
        titles.insert(title.clone());
        let id = next(&transaction)?;
        let sql = "INSERT INTO ssh_keys VALUES (?1, ?2, ?3, ?4, ?5, NULL)";
        let values = params![id, found.account.0, fingerprint, title, found.now];
        transaction.prepare_cached(sql)?.execute(values)?;
        raise_floor(&transaction, id + 1)?;
        kept.push(SshKey { id: SshKeyId(id), title, fingerprint, added: found.now, last_used: None });
    }
    transaction.commit()?;
    kept.sort_by_key(|key| key.id);
    Ok((kept, true))
}

/// Rows held against a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fitted {
    kept: Vec<SshKey>,
    gone: Vec<SshKeyId>,
    /// Fingerprints, and what they could be called.
    new: Vec<(String, String)>,
}

/// Of several lines with one key, the first is the one whose row is the oldest.
fn fit(rows: Vec<SshKey>, found: &Found) -> Fitted {
    let mut fitted = Fitted::default();
    let mut known: HashMap<String, VecDeque<SshKey>> = HashMap::new();
    for row in rows {
        match Some(row.id) == found.removed {
            true => fitted.gone.push(row.id),
            false => known.entry(row.fingerprint.clone()).or_default().push_back(row),
        }
    }
    for FoundKey { fingerprint, comment } in &found.keys {
        match known.get_mut(fingerprint).and_then(VecDeque::pop_front) {
            Some(row) => fitted.kept.push(row),
            None => {
                let title = KeyTitle::of_comment(comment).map_or_else(|| fingerprint.clone(), String::from);
                fitted.new.push((fingerprint.clone(), title));
            }
        }
    }
    if let Some((fingerprint, title)) = &found.added
        && let Some((_, called)) = fitted.new.iter_mut().rfind(|(new, _)| new == fingerprint)
    {
        *called = title.as_str().to_owned();
    }
    fitted.kept.sort_by_key(|key| key.id);
    fitted.gone.extend(known.into_values().flatten().map(|row| row.id));
    fitted
}

/// With a number behind it where somebody else's is called so.
fn free_title(title: String, taken: &HashSet<String>) -> String {
    let numbered = (2_u64..).map(|number| format!("{title} ({number})"));
    let free = std::iter::once(title.clone()).chain(numbered).find(|one| !taken.contains(one));
    free.unwrap_or(title)
}

/// Notes when a key let its user in, if it is known.
pub fn note_use(connection: &Connection, account: AccountId, key: (&str, u64)) -> rusqlite::Result<()> {
    let sql = "UPDATE ssh_keys SET last_used = max(?3, coalesce(last_used, 0)) WHERE account = ?1 AND fingerprint = ?2";
    connection.prepare_cached(sql)?.execute(params![account.0, key.0, key.1]).map(drop)
}

/// Removes what an account has left.
pub fn forget(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM ssh_keys WHERE account = ?1")?.execute([account.0]).map(drop)
}

/// Lets none of so many next ids be given out: a later state of the store may have done so.
pub fn skip(connection: &Connection, ids: u64) -> rusqlite::Result<()> {
    let next = next(connection)?.saturating_add(ids);
    raise_floor(connection, next)
}

fn next(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT max(coalesce((SELECT 1 + max(id) FROM ssh_keys), 1),
                          coalesce((SELECT id FROM floors WHERE kind = ?1), 1))";
    connection.prepare_cached(sql)?.query_row([KIND], |row| row.get(0))
}

fn raise_floor(connection: &Connection, next: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("REPLACE INTO floors VALUES (?1, ?2)")?.execute(params![KIND, next]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, fingerprint: &str, title: &str) -> SshKey {
        let (title, fingerprint) = (title.to_owned(), fingerprint.to_owned());
        SshKey { id: SshKeyId(id), title, fingerprint, added: 5, last_used: None }
    }

    fn found(keys: &[(&str, &str)]) -> Found {
        let keys = keys.iter().map(|(f, c)| FoundKey { fingerprint: (*f).to_owned(), comment: (*c).to_owned() });
        Found { account: AccountId(7), keys: keys.collect(), added: None, removed: None, now: 9 }
    }

    fn ids(keys: &[SshKey]) -> Vec<u64> {
        keys.iter().map(|key| key.id.0).collect()
    }

    #[test]
    fn rows_follow_their_lines() {
        let rows = vec![row(1, "A", "one"), row(2, "B", "two"), row(3, "A", "three")];
        let fitted = fit(rows.clone(), &found(&[("C", "new"), ("A", ""), ("B", "")]));
        assert_eq!((ids(&fitted.kept), &*fitted.gone), (vec![1, 2], &[SshKeyId(3)][..]));
        assert_eq!(fitted.new, [("C".into(), "new".into())]);
        // Of two lines with one key the removed one is not the first.
        let removed = Found { removed: Some(SshKeyId(1)), ..found(&[("B", ""), ("A", "")]) };
        let fitted = fit(rows, &removed);
        assert_eq!((ids(&fitted.kept), &*fitted.gone), (vec![2, 3], &[SshKeyId(1)][..]));
    }

    #[test]
    fn a_new_line_is_called_by_its_title_its_comment_or_its_fingerprint() {
        let added = Some(("A".to_owned(), KeyTitle::new("given").unwrap()));
        let fitted = fit(Vec::new(), &Found { added, ..found(&[("A", "first"), ("B", ""), ("A", "second")]) });
        let titles: Vec<&str> = fitted.new.iter().map(|(_, title)| &**title).collect();
        assert_eq!(titles, ["first", "B", "given"]);
        let taken = HashSet::from(["a".to_owned(), "a (2)".to_owned()]);
        assert_eq!((free_title("a".into(), &taken), free_title("b".into(), &taken)), ("a (3)".into(), "b".into()));
    }
}
