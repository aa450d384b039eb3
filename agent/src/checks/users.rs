//! What passwd(5) says of a user beside name and numbers: the password field, home and shell.

use super::facts::Facts;
use super::finding::{Area, Fault, Found};
use super::sheet::{Row, Sheet, text};
use crate::database::entry::passwd;
use crate::database::{FileKind, View};

/// Every entry of passwd(5).
pub fn check(view: &View, users: &Sheet<'_>, facts: &Facts) -> Vec<Found> {
    let shadowed = view.has(FileKind::Shadow);
    let each = |(name, row): (&str, &Row<'_>)| {
        let object = || users.object(row);
        let shown = name.escape_debug();
        let found = |fault, message| Found::new(Area::Passwd, fault, object(), message);
        let password = match row.field(passwd::PASSWORD) {
            b"x" => None,
            b"" => Some(found(Fault::EmptyPassword, format!("'{shown}' needs no password"))),
            _ if shadowed => Some(found(
                Fault::PasswordHere,
                format!("the password field of '{shown}' is not 'x': what counts of it is not in shadow"),
            )),
            _ => None,
        };
        let home = row.field(passwd::HOME);
        let relative = (!home.starts_with(b"/") && row.length() > passwd::HOME).then(|| {
            found(Fault::NotAbsolute, format!("the home '{}' of '{shown}' is not an absolute path", text(home)))
        });
        let shell = row.field(passwd::SHELL);
        let missing = (!shell.is_empty() && !facts.programs.contains(shell)).then(|| {
            found(Fault::MissingShell, format!("the login shell '{}' of '{shown}' does not exist", text(shell)))
        });
        [password, relative, missing].into_iter().flatten()
    };
    users.entries().flat_map(each).collect()
}
