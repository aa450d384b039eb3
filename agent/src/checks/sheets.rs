//! All account files as their lines, looked at once for all checks.

use super::sheet::Sheet;
use crate::database::{FileKind, View};

#[derive(Debug)]
pub struct Sheets<'a> {
    pub users: Sheet<'a>,
    pub shadows: Sheet<'a>,
    pub groups: Sheet<'a>,
    pub group_shadows: Sheet<'a>,
    pub samba: Sheet<'a>,
    pub username_map: Sheet<'a>,
    pub aliases: Sheet<'a>,
}

impl<'a> Sheets<'a> {
    pub fn of(view: &'a View) -> Self {
        let sheet = |kind| Sheet::of(view, kind);
        std::thread::scope(|scope| {
            let one_half =
                scope.spawn(|| (sheet(FileKind::Group), sheet(FileKind::Gshadow), sheet(FileKind::Smbpasswd)));
            let (users, shadows) = (sheet(FileKind::Passwd), sheet(FileKind::Shadow));
            let (username_map, aliases) = (sheet(FileKind::UsernameMap), sheet(FileKind::Aliases));
            let (groups, group_shadows, samba) =
                one_half.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Self { users, shadows, groups, group_shadows, samba, username_map, aliases }
        })
    }
}
