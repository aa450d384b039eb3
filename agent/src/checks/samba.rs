//! smbpasswd(5) and the username map of smb.conf(5): lines of accounts that there are, with their
//! uids.

use super::facts::Facts;
use super::finding::{Area, Fault, Found};
use super::repair::Repair;
use super::sheet::{Row, Sheet, decimal};
use crate::database::entry::number_of;
use crate::database::{FileKind, View};

/// The uid of a line of smbpasswd(5).
const UID: usize = 1;

/// Both files of Samba.
pub fn check(view: &View, (lines, map): (&Sheet<'_>, &Sheet<'_>), facts: &Facts) -> Vec<Found> {
    let mut found: Vec<Found> =
        lines.entries().filter_map(|entry| smbpasswd_line(view, facts, (lines, entry.0, entry.1))).collect();
    found.extend(map.entries().filter_map(|(name, row)| {
        // An exclamation mark ends the search at this line.
        let user = name.trim_start_matches('!').trim();
        if facts.has_user(view, user) {
            return None;
        }
        let message = format!("the username map maps to '{}', which is no account", user.escape_debug());
        let repair = Repair::RemoveLines { kind: FileKind::UsernameMap, name: name.to_owned() };
        let stray = Found::new(Area::UsernameMap, Fault::NoAccount, map.object(row), message);
        Some(stray.repaired_if(facts.is_certain(user), repair))
    }));
    found
}

fn smbpasswd_line(view: &View, facts: &Facts, (lines, name, row): (&Sheet<'_>, &str, &Row<'_>)) -> Option<Found> {
    let shown = name.escape_debug();
    if !facts.has_user(view, name) {
        let message = format!("smbpasswd has an entry for '{shown}', which is no account");
        let repair = Repair::RemoveLines { kind: FileKind::Smbpasswd, name: name.to_owned() };
        let stray = Found::new(Area::Smbpasswd, Fault::NoAccount, lines.object(row), message);
        return Some(stray.repaired_if(facts.is_certain(name), repair));
    }
    let uid = ids_of(view, name)?;
    let theirs = decimal::<u32>(row.field(UID)).filter(|theirs| *theirs != uid)?;
    let message = format!("smbpasswd has the uid {theirs} for '{shown}', which has {uid}");
    let repair = Repair::SetSambaUid { name: name.to_owned(), uid };
    Some(Found::new(Area::Smbpasswd, Fault::WrongUid, lines.object(row), message).repaired_by(repair))
}

fn ids_of(view: &View, name: &str) -> Option<u32> {
    view.line(FileKind::Passwd, name).and_then(number_of)
}
