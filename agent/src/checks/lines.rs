//! Lines that are not entries, and entries that programs read in different ways: passwd(5),
//! shadow(5), group(5), gshadow(5), smbpasswd(5), pwck(8), grpck(8).

use super::finding::{Area, Fault, Found};
use super::repair::Repair;
use super::sheet::{Row, Sheet, Standing, decimal, text};
use crate::database::FileKind;

/// sgetpwent(3) of shadow-utils takes no longer line of passwd(5).
const PASSWD_BYTES: usize = 1023;
/// Samba reads no longer line of smbpasswd(5).
const SMBPASSWD_BYTES: usize = 255;

/// Everything about the form of the lines of one file.
pub fn check(sheet: &Sheet<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for row in &sheet.rows {
        found.extend(form(sheet, row));
        found.extend(content(sheet, row));
        found.extend(repeated(sheet, row));
    }
    found
}

/// Whether a line is an entry at all, for everybody.
fn form(sheet: &Sheet<'_>, row: &Row<'_>) -> Option<Found> {
    let area = Area::of(sheet.kind);
    let (fault, message) = match row.line.first() {
        None if !has_only_entries(sheet.kind) => return None,
        None => (Fault::Blank, "a blank line: pwck and grpck take it for a damaged entry".to_owned()),
        Some(b'#') if !has_only_entries(sheet.kind) => return None,
        Some(b'#') => (Fault::Comment, "a comment: pwck and grpck take it for a damaged entry".to_owned()),
        Some(b'+' | b'-') if is_nis(sheet.kind) => {
            (Fault::Nis, "a line for NIS: it counts only with 'compat' in nsswitch.conf".to_owned())
        }
        Some(b' ' | b'\t') if has_only_entries(sheet.kind) => (
            Fault::LeadingBlank,
            format!("begins with a blank: glibc takes it for the entry of '{}', others do not", bare_name(row.line)),
        ),
        Some(_) if row.name.is_none() && is_of_entries(sheet.kind) => {
            (Fault::Malformed, format!("is not an entry: '{}'", text(cut(row.line))))
        }
        Some(_) => return fields(sheet, row),
    };
    Some(Found::new(area, fault, sheet.object(row), message))
}

/// Files of which shadow-utils know nothing but entries and lines for NIS.
fn has_only_entries(kind: FileKind) -> bool {
    match kind {
        FileKind::Passwd | FileKind::Shadow | FileKind::Group | FileKind::Gshadow => true,
        FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => false,
    }
}

fn is_nis(kind: FileKind) -> bool {
    has_only_entries(kind)
}

/// Files with a form of their own that mailers and Samba read are left to these.
fn is_of_entries(kind: FileKind) -> bool {
    has_only_entries(kind) || kind == FileKind::Smbpasswd
}

fn fields(sheet: &Sheet<'_>, row: &Row<'_>) -> Option<Found> {
    let (expected, accepted): (usize, &[usize]) = match sheet.kind {
        FileKind::Passwd => (7, &[7]),
        // The old form, which ends with the maximum.
        FileKind::Shadow => (9, &[5, 9]),
        // shadow-utils take one without members.
        FileKind::Group => (4, &[3, 4]),
        FileKind::Gshadow => (4, &[4]),
        FileKind::Smbpasswd => return samba(sheet, row),
        FileKind::UsernameMap | FileKind::Aliases => return None,
    };
    let length = row.length();
    if accepted.contains(&length) {
        return None;
    }
    let message = format!("has {length} fields instead of {expected}: not every program takes it for an entry");
    Some(Found::new(Area::of(sheet.kind), Fault::FieldCount, sheet.object(row), message))
}

/// smbpasswd(5): two hashes of 32 characters each.
fn samba(sheet: &Sheet<'_>, row: &Row<'_>) -> Option<Found> {
    row.name?;
    let has_hashes = [2, 3].into_iter().all(|field| row.field(field).len() == 32);
    if has_hashes && decimal::<u32>(row.field(1)).is_some() {
        return None;
    }
    let message = "has no uid or no hashes of 32 characters: Samba does not take it for an entry".to_owned();
    Some(Found::new(Area::Smbpasswd, Fault::Malformed, sheet.object(row), message))
}

fn content(sheet: &Sheet<'_>, row: &Row<'_>) -> Vec<Found> {
    let (area, mut found) = (Area::of(sheet.kind), Vec::new());
    if row.line.first() == Some(&b'#') || !is_of_entries(sheet.kind) {
        return found;
    }
    if row.line.iter().any(u8::is_ascii_control) {
        let message = format!("has a control character in it: '{}'", text(cut(row.line)));
        found.push(Found::new(area, Fault::ControlCharacter, sheet.object(row), message));
    }
    let limit = match sheet.kind {
        FileKind::Passwd => PASSWD_BYTES,
        FileKind::Smbpasswd => SMBPASSWD_BYTES,
        FileKind::Shadow | FileKind::Group | FileKind::Gshadow | FileKind::UsernameMap | FileKind::Aliases => {
            return found;
        }
    };
    if row.line.len() > limit {
        let message = format!("has {} bytes; some programs read no more than {limit}", row.line.len());
        found.push(Found::new(area, Fault::OverLong, sheet.object(row), message));
    }
    found
}

/// A second line of a name is never found; one that says the same can go.
fn repeated(sheet: &Sheet<'_>, row: &Row<'_>) -> Option<Found> {
    let name = row.name.filter(|_| row.standing == Standing::Behind)?;
    let message = format!("another line of '{}': only the first one counts", name.escape_debug());
    let found = Found::new(Area::of(sheet.kind), Fault::DuplicateName, sheet.object(row), message);
    // Found again by its text: what differs is for an administrator to decide.
    let repair = Repair::RemoveRepeats { kind: sheet.kind, name: name.to_owned() };
    Some(found.repaired_if(sheet.first(name).is_some_and(|first| first.line == row.line), repair))
}

fn bare_name(line: &[u8]) -> String {
    text(line.trim_ascii_start().split(|byte| *byte == b':').next().unwrap_or_default())
}

/// As much of a line as a message has room for. Nothing behind the name: it may be a hash.
fn cut(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    line.get(..end.min(64)).unwrap_or(line)
}
