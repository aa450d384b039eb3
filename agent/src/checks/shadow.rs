//! shadow(5) beside passwd(5): an entry for each account and none for nobody, dates that make
//! sense (pwck(8)).

use super::facts::Facts;
use super::finding::{Area, Fault, Found};
use super::repair::Repair;
use super::sheet::{Row, Sheet, decimal};
use crate::database::entry::{passwd, shadow};
use crate::database::{FileKind, View};

/// Days before a password may be changed.
const MIN: usize = 3;
/// From the day of the last change to the one on which the account ends.
const NUMBERS: std::ops::RangeInclusive<usize> = shadow::LAST_CHANGE..=shadow::EXPIRE;

/// Both files beside each other.
pub fn check(view: &View, (users, sheet): (&Sheet<'_>, &Sheet<'_>), facts: &Facts) -> Vec<Found> {
    if !view.has(FileKind::Shadow) {
        return Vec::new();
    }
    let in_shadow = |name: &str| sheet.first(name).is_some();
    let without = users.entries().filter(|(name, _)| !in_shadow(name));
    let mut found: Vec<Found> = without.map(|entry| missing(users, entry)).collect();
    for (name, row) in sheet.entries() {
        let object = || sheet.object(row);
        if !facts.has_user(view, name) {
            let message = format!("shadow has an entry for '{}', which is no account", name.escape_debug());
            let repair = Repair::RemoveLines { kind: FileKind::Shadow, name: name.to_owned() };
            let stray = Found::new(Area::Shadow, Fault::NoAccount, object(), message);
            found.push(stray.repaired_if(facts.is_certain(name), repair));
        }
        if row.field(shadow::PASSWORD).is_empty() {
            let message = format!("'{}' needs no password", name.escape_debug());
            found.push(Found::new(Area::Shadow, Fault::EmptyPassword, object(), message));
        }
        found.extend(dates(sheet, (name, row), facts.today));
    }
    found
}

fn missing(users: &Sheet<'_>, (name, row): (&str, &Row<'_>)) -> Found {
    let message = format!("'{}' has no entry in shadow: it can not log in", name.escape_debug());
    let found = Found::new(Area::Shadow, Fault::Missing, users.object(row), message);
    // An empty field moved to shadow would stay a password that is not needed.
    let is_safe = row.length() == 7 && !row.field(passwd::PASSWORD).is_empty();
    found.repaired_if(is_safe, Repair::AddShadow { name: name.to_owned() })
}

fn dates(sheet: &Sheet<'_>, (name, row): (&str, &Row<'_>), today: u64) -> Vec<Found> {
    let (shown, mut found) = (name.escape_debug(), Vec::new());
    let mut add = |fault, message| found.push(Found::new(Area::Shadow, fault, sheet.object(row), message));
    for field in NUMBERS {
        let value = row.field(field);
        // chage(1) writes -1 for no limit.
        if !value.is_empty() && value != b"-1" && decimal::<u32>(value).is_none() {
            // What stands there is not shown: in a line that is one field short it is a hash.
            let message = format!("field {} of '{shown}' is not a number of days", field + 1);
            add(Fault::InvalidDate, message);
        }
    }
    if let Some(day) = decimal::<u64>(row.field(shadow::LAST_CHANGE)).filter(|day| *day > today) {
        add(Fault::ChangedInFuture, format!("the password of '{shown}' was changed in the future: on day {day}"));
    }
    let limits = (decimal::<u32>(row.field(MIN)), decimal::<u32>(row.field(shadow::MAX)));
    if let (Some(min), Some(max)) = limits
        && min > max
    {
        let message = format!("'{shown}' may change its password after {min} days and has to after {max}");
        add(Fault::MinimumOverMaximum, message);
    }
    found
}
