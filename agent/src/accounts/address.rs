//! Where the mail address of an account counts: aliases(5), and the username map of smb.conf(5)
//! for an account that is known to Samba's clients by its address. One line each.

use super::create::line;
use crate::database::{Draft, FileKind, Line, UserRow};

/// An account's name, and what its line says; `None` where it has no line.
type Place<'a> = (&'a str, Option<&'a str>);

/// Makes both lines follow the row of an account: from none for a new account, to none for one
/// that goes.
pub fn follow(draft: &mut Draft<'_>, old: Option<&UserRow>, new: Option<&UserRow>) {
    follow_line(draft, FileKind::Aliases, old.map(alias), new.map(alias));
    follow_line(draft, FileKind::UsernameMap, old.map(mapping), new.map(mapping));
}

fn alias(row: &UserRow) -> Place<'_> {
    let value = Some(row.email.as_str()).filter(|email| !email.is_empty() && can_be_an_alias(&row.name));
    (&row.name, value)
}

fn mapping(row: &UserRow) -> Place<'_> {
    let (name, value) = alias(row);
    (name, value.filter(|_| row.microsoft_account))
}

/// What others have made of a name would need quotes that not every mailer reads alike.
fn can_be_an_alias(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn follow_line(draft: &mut Draft<'_>, kind: FileKind, old: Option<Place<'_>>, new: Option<Place<'_>>) {
    let (old_name, old_value) = old.unwrap_or((new.map_or("", |(name, _)| name), None));
    match new {
        Some((name, Some(value))) if (name, Some(value)) != (old_name, old_value) => {
            if name != old_name {
                draft.set_line(kind, name, None);
            }
            draft.set_line(kind, old_name, Some(written(kind, name, value)));
        }
        Some((_, Some(_))) => {}
        Some((_, None)) | None if old_value.is_some() => draft.set_line(kind, old_name, None),
        // A line by hand of an account without an address.
        Some((name, None)) if name != old_name => rename(draft, kind, old_name, name),
        Some((_, None)) | None => {}
    }
}

fn written(kind: FileKind, name: &str, value: &str) -> Line {
    match kind {
        FileKind::UsernameMap => line(&format!("{name} = {value}")),
        FileKind::Aliases
        | FileKind::Smbpasswd
        | FileKind::Gshadow
        | FileKind::Group
        | FileKind::Shadow
        | FileKind::Passwd => line(&format!("{name}: {value}")),
    }
}

fn rename(draft: &mut Draft<'_>, kind: FileKind, old: &str, new: &str) {
    if !can_be_an_alias(new) || draft.line(kind, new).is_some() {
        return;
    }
    if let Some(rest) = draft.line(kind, old).and_then(|line| line.strip_prefix(old.as_bytes())) {
        let renamed = Line::from([new.as_bytes(), rest].concat());
        draft.set_line(kind, old, Some(renamed));
    }
}
