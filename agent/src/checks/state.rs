//! Rows of the state store: each stands for a line with its name and number.

use accountd_protocol::checks::CheckedObject;

use super::finding::{Area, Fault, Found};
use crate::database::entry::number_of;
use crate::database::{FileKind, View};

/// Every user and every group that has a stable id.
pub fn check(view: &View) -> Vec<Found> {
    let number = |kind, name: &str| view.line(kind, name).and_then(number_of);
    let users = view.users().iter().filter(|row| number(FileKind::Passwd, &row.name) != Some(row.uid.0));
    let users = users.map(|row| (Fault::NoAccount, "account", row.id, &row.name, row.uid.0));
    let groups = view.groups().iter().filter(|row| number(FileKind::Group, &row.name) != Some(row.gid.0));
    let groups = groups.map(|row| (Fault::NoGroup, "group", row.id, &row.name, row.gid.0));
    let found = users.chain(groups).map(|(fault, what, id, name, number)| {
        let shown = name.escape_debug();
        let message = format!("the {what} with the id {id} is '{shown}' with {number}; no line says so");
        let object = CheckedObject { name: Some(name.clone()), number: Some(number), ..CheckedObject::default() };
        Found::new(Area::State, fault, object, message)
    });
    found.collect()
}
