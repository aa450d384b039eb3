//! Names of users and groups: those that some program would not take, and those that Samba does
//! not tell apart.

use std::borrow::Cow;

use accountd_protocol::name::{NameError, NewGroupName, NewUserName};
use hashbrown::HashMap;

use super::finding::{Area, Fault, Found, named};
use super::sheet::Sheet;
use crate::database::FileKind;

/// The names of the entries of passwd(5) or of group(5).
pub fn check(sheet: &Sheet<'_>) -> Vec<Found> {
    let area = Area::of(sheet.kind);
    let mut found = Vec::new();
    let mut lower: HashMap<Cow<'_, str>, &str> = HashMap::new();
    for (name, row) in sheet.entries() {
        if let Some(error) = fault_of(sheet.kind, name) {
            let message = format!("the name '{}' {error}", name.escape_debug());
            found.push(Found::new(area, Fault::InvalidName, sheet.object(row), message));
        }
        if let Some(other) = lower.insert(in_lower_case(name), name) {
            let both = named(&[other.to_owned(), name.to_owned()]);
            let message = format!("{both} differ only in case: Samba takes them for one");
            found.push(Found::new(area, Fault::CaseDuplicate, sheet.object(row), message));
        }
    }
    found
}

fn in_lower_case(name: &str) -> Cow<'_, str> {
    let is_lower = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}

/// Names that new accounts may not have although they are good ones are there already.
fn fault_of(kind: FileKind, name: &str) -> Option<NameError> {
    let checked = match kind {
        FileKind::Passwd => NewUserName::new(name).map(drop),
        FileKind::Group => NewGroupName::new(name).map(drop),
        FileKind::Shadow | FileKind::Gshadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => {
            Ok(())
        }
    };
    checked.err().filter(|error| *error != NameError::Reserved)
}
