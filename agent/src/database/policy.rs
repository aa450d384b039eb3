//! The rules for passwords that were set over REST, in the state store.

use accountd_config::Passwords;
use accountd_protocol::policy::PasswordRule;
use rusqlite::{Connection, params};

/// A step of the state store's migrations.
pub const MIGRATION: &str = "
    CREATE TABLE password_rules (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
";

/// Stores these in the place of those that there were.
pub fn store(connection: &Connection, rules: &Passwords) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM password_rules", [])?;
    let mut insert = connection.prepare_cached("INSERT INTO password_rules VALUES (?1, ?2)")?;
    rules.rules().iter().try_for_each(|(rule, value)| insert.execute(params![rule.name(), value]).map(drop))
}

pub fn all(connection: &Connection) -> rusqlite::Result<Passwords> {
    let mut query = connection.prepare("SELECT name, value FROM password_rules")?;
    let rules = query.query_map([], |row| {
        let name: String = row.get(0)?;
        let rule = PasswordRule::ALL.into_iter().find(|rule| rule.name() == name);
        Ok((rule.ok_or(rusqlite::Error::InvalidParameterName(name))?, row.get(1)?))
    })?;
    Ok(Passwords::new(rules.collect::<rusqlite::Result<_>>()?))
}
