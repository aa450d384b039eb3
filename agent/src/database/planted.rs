//! A view of literal texts, for tests and laws: no disk, no writer.

use std::collections::HashSet;

use accountd_protocol::id::AccountId;

use super::draft::Draft;
use super::file::{FileKind, LineFile};
use super::row::{GroupRow, Origin, UserRow};
use super::view::{Quarantine, View, groups_in, users_in};

/// The accounts that these files say, with a row for each line, in the order of the files.
pub fn view_of(files: &[(FileKind, &[u8])]) -> View {
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    let parsed: Vec<LineFile> = files.iter().map(|(kind, text)| LineFile::parse(*kind, text)).collect();
    for file in &parsed {
        match file.kind() {
            FileKind::Passwd => users.extend(users_in(file).zip(1..).map(|((name, uid), id)| UserRow {
                id: AccountId(id),
                name: name.to_owned(),
                uid,
                origin: Origin::Added,
                email: String::new(),
                microsoft_account: false,
                kept_hash: None,
                extras: None,
            })),
            FileKind::Group => groups.extend(groups_in(file).zip(1..).map(|((name, gid), id)| {
                let (id, name) = (AccountId(id), name.to_owned());
                GroupRow { id, name, gid, origin: Origin::Added, limits: None }
            })),
            FileKind::Shadow | FileKind::Gshadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => {}
        }
    }
    let mut view = View::new(users, groups, Quarantine::default());
    for file in parsed {
        let names: HashSet<String> = file.entries().map(|(name, _)| name.to_owned()).collect();
        view.replace_file(file.kind(), file, &names);
    }
    view
}

/// Makes a change of the view alone.
pub fn change(view: &mut View, change: impl FnOnce(&mut Draft<'_>)) {
    let mut draft = Draft::new(view, 1_000, 1_000);
    change(&mut draft);
    assert!(draft.fault().is_none());
}
