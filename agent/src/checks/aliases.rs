//! aliases(5): an alias as this program writes it, a name and one mail address, belongs to an
//! account.

use super::facts::Facts;
use super::finding::{Area, Fault, Found};
use super::sheet::{Sheet, text};
use crate::database::View;

/// An administrator may have written such a line for nobody: so it is only a note, and stays.
pub fn check(view: &View, sheet: &Sheet<'_>, facts: &Facts) -> Vec<Found> {
    let stray = sheet.entries().filter_map(|(name, row)| {
        let value = row.line.get(name.len()..)?.strip_prefix(b": ")?;
        if !is_address(value) || facts.has_user(view, name) {
            return None;
        }
        let message = format!(
            "mail to '{}', which is no account, goes to '{}'; if it was the address of one that is gone, the line can go",
            name.escape_debug(),
            text(value)
        );
        let found = Found::new(Area::Aliases, Fault::NoAccount, sheet.object(row), message);
        Some(found.only_a_note())
    });
    stray.collect()
}

fn is_address(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    accountd_protocol::text::Email::new(value).is_ok_and(|email| !email.as_str().is_empty())
}
