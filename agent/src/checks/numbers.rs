//! uids and gids: valid ones, each once, and primary groups that there are (passwd(5), group(5),
//! pwck(8), grpck(8)).

use accountd_protocol::checks::CheckedObject;
use accountd_protocol::id::never_an_id;
use hashbrown::{HashMap, HashSet};

use super::facts::Facts;
use super::finding::{Area, Fault, Found};
use super::sheet::{Row, Sheet, decimal, text};
use crate::database::FileKind;
use crate::database::entry::{group, passwd};

/// nobody(5), which every system has.
const NOBODY: u32 = 65_534;

/// The numbers of passwd(5) and group(5).
pub fn check(users: &Sheet<'_>, groups: &Sheet<'_>, facts: &Facts) -> Vec<Found> {
    let mut found = each(users, passwd::UID);
    found.extend(superusers(users));
    let gids: HashSet<u32> = groups.entries().filter_map(|(_, row)| decimal(row.field(group::GID))).collect();
    found.extend(users.entries().filter_map(|(name, row)| {
        let Some(gid) = decimal::<u32>(row.field(passwd::GID)) else {
            return Some(not_a_number(users, row, passwd::GID, "gid"));
        };
        if gids.contains(&gid) || facts.has_gid(gid) {
            return None;
        }
        let message = format!("the primary group {gid} of '{}' does not exist", name.escape_debug());
        let object = CheckedObject { number: Some(gid), ..users.object(row) };
        Some(Found::new(Area::Passwd, Fault::UnknownPrimaryGroup, object, message))
    }));
    found.extend(each(groups, group::GID));
    found
}

/// Every number by itself, and those that several have.
fn each(sheet: &Sheet<'_>, field: usize) -> Vec<Found> {
    let (area, what) = (Area::of(sheet.kind), if sheet.kind == FileKind::Passwd { "uid" } else { "gid" });
    let (mut found, mut owners) = (Vec::new(), HashMap::new());
    for (name, row) in sheet.entries() {
        let Some(number) = decimal::<u32>(row.field(field)) else {
            found.push(not_a_number(sheet, row, field, what));
            continue;
        };
        let object = || CheckedObject { number: Some(number), ..sheet.object(row) };
        let shown = name.escape_debug();
        if number == u32::MAX {
            let message = format!("the {what} {number} of '{shown}' means no account at all (chown(2))");
            found.push(Found::new(area, Fault::InvalidNumber, object(), message));
        } else if never_an_id(number) && number != NOBODY {
            let message = format!("the {what} {number} of '{shown}' means something else to some programs");
            found.push(Found::new(area, Fault::ReservedNumber, object(), message));
        }
        match owners.get(&number) {
            None => drop(owners.insert(number, name)),
            Some(first) => {
                let first = str::escape_debug(first);
                let message = format!("'{shown}' has the {what} {number} of '{first}': to the system they are one");
                found.push(Found::new(area, Fault::DuplicateNumber, object(), message));
            }
        }
    }
    found
}

fn not_a_number(sheet: &Sheet<'_>, row: &Row<'_>, field: usize, what: &str) -> Found {
    let message = format!("the {what} '{}' is not a decimal number that an id can be", text(row.field(field)));
    Found::new(Area::of(sheet.kind), Fault::InvalidNumber, sheet.object(row), message)
}

fn superusers<'a>(users: &'a Sheet<'_>) -> impl Iterator<Item = Found> + use<'a> {
    let others =
        users.entries().filter(|(name, row)| *name != "root" && decimal::<u32>(row.field(passwd::UID)) == Some(0));
    others.map(|(name, row)| {
        let message = format!("'{}' is the superuser: its uid is 0", name.escape_debug());
        Found::new(Area::Passwd, Fault::AnotherSuperuser, users.object(row), message)
    })
}
