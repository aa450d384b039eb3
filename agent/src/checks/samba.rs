//! smbpasswd(5) and the username map of smb.conf(5): lines of accounts that there are, with their
//! uids.

use super::facts::Facts;
use super::finding::{Area, Fault, Found};
use super::repair::Repair;
use super::sheet::{Row, Sheet, decimal};
use crate::accounts::is_locked;
use crate::database::entry::number_of;
use crate::database::{FileKind, View};
use crate::samba;

/// Fields of smbpasswd(5).
const UID: usize = 1;
const NT_HASH: usize = 3;
const FLAGS: usize = 4;

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
    let wrong_uid = || smbpasswd_uid(view, (lines, name, row));
    wrong_uid().or_else(|| smbpasswd_flags(view, (lines, name, row)))
}

fn smbpasswd_uid(view: &View, (lines, name, row): (&Sheet<'_>, &str, &Row<'_>)) -> Option<Found> {
    let uid = ids_of(view, name)?;
    let theirs = decimal::<u32>(row.field(UID)).filter(|theirs| *theirs != uid)?;
    let message = format!("smbpasswd has the uid {theirs} for '{}', which has {uid}", name.escape_debug());
    let repair = Repair::SetSambaUid { name: name.to_owned(), uid };
    Some(Found::new(Area::Smbpasswd, Fault::WrongUid, lines.object(row), message).repaired_by(repair))
}

/// usermod(8) and passwd(1) lock an account without Samba, which looks into its own file alone.
fn smbpasswd_flags(view: &View, (lines, name, row): (&Sheet<'_>, &str, &Row<'_>)) -> Option<Found> {
    let is_locked = view.user_named(name).is_some_and(|user| is_locked(view, user.id));
    let lets_in = samba::lets_in(row.field(FLAGS)) && samba::is_hash(row.field(NT_HASH));
    if !is_locked || !lets_in {
        return None;
    }
    let message = format!("smbpasswd lets in '{}', which is locked", name.escape_debug());
    let repair = Repair::ShutSamba { name: name.to_owned() };
    Some(Found::new(Area::Smbpasswd, Fault::LetsIn, lines.object(row), message).repaired_by(repair))
}

fn ids_of(view: &View, name: &str) -> Option<u32> {
    view.line(FileKind::Passwd, name).and_then(number_of)
}
