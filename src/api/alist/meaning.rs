//! What the words of this API mean for an account: the bits of `permission`, and `base_path`.

use accountd_protocol::agent::{Dialect, User};
use accountd_protocol::alist::AlistWords;
use accountd_protocol::limits::{FilePermission, FilePermissions, Root};

/// Bits that restrict sessions here; the others are kept and said again.
mod bit {
    pub const SEE_HIDDEN: i32 = 1;
    pub const WRITE: i32 = 1 << 3;
    pub const RENAME: i32 = 1 << 4;
    pub const MOVE: i32 = 1 << 5;
    pub const COPY: i32 = 1 << 6;
    pub const REMOVE: i32 = 1 << 7;
    pub const SFTP: i32 = 1 << 10;
    pub const SFTP_WRITE: i32 = 1 << 11;
}

const WITH_MEANING: i32 =
    bit::SEE_HIDDEN | bit::WRITE | bit::RENAME | bit::MOVE | bit::COPY | bit::REMOVE | bit::SFTP | bit::SFTP_WRITE;

/// What sessions may do. Without the bit of SFTP, nothing; without that of writing over SFTP, nothing that
/// changes anything.
pub fn permissions(permission: i32) -> FilePermissions {
    use FilePermission as One;
    let has = |bit: i32| permission & bit != 0;
    if !has(bit::SFTP) {
        return FilePermissions::new();
    }
    let mut set = FilePermissions::from([One::Download]);
    set.insert(if has(bit::SEE_HIDDEN) { One::List } else { One::ListVisible });
    if !has(bit::SFTP_WRITE) {
        return set;
    }
    if has(bit::WRITE) {
        set.extend([One::CreateDirs, if has(bit::COPY) { One::Upload } else { One::Write }]);
    } else if has(bit::COPY) {
        set.insert(One::Copy);
    }
    match (has(bit::RENAME), has(bit::MOVE)) {
        (true, true) => drop(set.insert(One::Rename)),
        (true, false) => drop(set.insert(One::RenameInPlace)),
        (false, true) => drop(set.insert(One::Move)),
        (false, false) => {}
    }
    if has(bit::REMOVE) {
        set.insert(One::Delete);
    }
    set
}

/// The bits that come closest to a set; for none, all that mean something.
fn bits(set: Option<&FilePermissions>) -> i32 {
    let Some(set) = set else { return WITH_MEANING };
    let any = |all: &[FilePermission]| all.iter().any(|one| one.is_in(set));
    let changing = [
        (bit::WRITE, FilePermission::Write),
        (bit::COPY, FilePermission::Copy),
        (bit::RENAME, FilePermission::RenameInPlace),
        (bit::MOVE, FilePermission::Move),
        (bit::REMOVE, FilePermission::Delete),
    ];
    let mut bits = changing.iter().filter(|(_, one)| one.is_in(set)).fold(0, |bits, (bit, _)| bits | bit);
    if bits != 0 {
        bits |= bit::SFTP_WRITE | bit::SFTP;
    }
    if any(&[FilePermission::ListVisible, FilePermission::Download]) {
        bits |= bit::SFTP;
    }
    if FilePermission::List.is_in(set) {
        bits |= bit::SEE_HIDDEN;
    }
    bits
}

/// What a session sees as `/`.
pub fn root(base_path: &str) -> Root {
    match base_path.trim_start_matches('/') {
        "" => Root::Home,
        below => Root::InHome(below.to_owned()),
    }
}

/// As AList stores it: with `/` between and in front, and nothing that leads up.
pub fn normal_path(asked: &str) -> String {
    let asked = asked.replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in asked.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The words for an account: those that were asked for, as long as they mean what the account has.
pub fn words(user: &User) -> AlistWords {
    let asked: Option<AlistWords> = user.echoes.get(&Dialect::Alist).and_then(|words| serde_json::from_str(words).ok());
    let (set, sight) = (user.limits.permissions.as_ref(), user.limits.root.as_ref());
    let permission = match &asked {
        Some(asked) if Some(&permissions(asked.permission)) == set => asked.permission,
        Some(asked) => bits(set) | asked.permission & !WITH_MEANING,
        None => bits(set),
    };
    let base_path = match &asked {
        Some(asked) if Some(&root(&asked.base_path)) == sight => asked.base_path.clone(),
        Some(_) | None => shown_root(sight, &user.home),
    };
    let (sso_id, allow_ldap) = asked.map_or((String::new(), true), |asked| (asked.sso_id, asked.allow_ldap));
    AlistWords { permission, base_path, sso_id, allow_ldap }
}

fn shown_root(root: Option<&Root>, home: &str) -> String {
    match root {
        None | Some(Root::Home) => "/".to_owned(),
        Some(Root::InHome(below)) => format!("/{below}"),
        Some(Root::Path(path)) => {
            match path.strip_prefix(home).filter(|below| matches!(below.chars().next(), None | Some('/'))) {
                Some("") => "/".to_owned(),
                Some(below) => below.to_owned(),
                None => path.clone(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FilePermission::{
        Copy, CreateDirs, Delete, Download, List, ListVisible, Move, Rename, RenameInPlace, Upload, Write,
    };

    #[test]
    fn bits_are_permissions_and_permissions_are_bits() {
        let rows: [(i32, &[FilePermission]); 12] = [
            (0, &[]),
            (60, &[]),
            (0x30ff, &[]),
            (1024, &[ListVisible, Download]),
            (1025, &[List, Download]),
            (1024 | 8 | 128, &[ListVisible, Download]),
            (1024 | 2048 | 8, &[ListVisible, Download, Write, CreateDirs]),
            (1024 | 2048 | 8 | 64, &[ListVisible, Download, Upload, CreateDirs]),
            (1024 | 2048 | 16, &[ListVisible, Download, RenameInPlace]),
            (1024 | 2048 | 32, &[ListVisible, Download, Move]),
            (1024 | 2048 | 64, &[ListVisible, Download, Copy]),
            (WITH_MEANING, &[List, Download, Upload, CreateDirs, Rename, Delete]),
        ];
        for (permission, expected) in rows {
            let set = FilePermissions::from_iter(expected.iter().copied());
            assert_eq!(permissions(permission), set, "{permission}");
            let back = permissions(bits(Some(&set)));
            assert_eq!(back, set, "{permission}");
        }
        assert_eq!(bits(None), WITH_MEANING);
        assert_eq!(permissions(-1), permissions(WITH_MEANING));
    }

    #[test]
    fn a_path_is_clean_and_never_climbs() {
        for (asked, expected) in [
            ("", "/"),
            ("/", "/"),
            ("photos", "/photos"),
            ("/photos/", "/photos"),
            ("a\\b", "/a/b"),
            ("/a//./b/../c", "/a/c"),
            ("../../etc", "/etc"),
            ("/..", "/"),
            ("/a/...", "/a/..."),
        ] {
            assert_eq!(normal_path(asked), expected, "{asked}");
        }
        assert_eq!((root("/"), root("/a/b")), (Root::Home, Root::InHome("a/b".into())));
    }

    #[test]
    fn words_are_said_again_as_long_as_they_are_true() {
        let asked =
            AlistWords { permission: 1024 | 256, base_path: "/p".into(), sso_id: "s".into(), allow_ldap: false };
        let mut user = crate::scripted_agent::user("anna", 3001);
        user.limits.permissions = Some(permissions(asked.permission));
        user.limits.root = Some(root("/p"));
        user.echoes = [(Dialect::Alist, asked.text())].into();
        assert_eq!(words(&user), asked);
        // Somebody else has changed them.
        user.limits.permissions = None;
        user.limits.root = Some(Root::Path("/srv".into()));
        let now = words(&user);
        assert_eq!((now.permission, &*now.base_path, &*now.sso_id), (WITH_MEANING | 256, "/srv", "s"));
        user.echoes.clear();
        user.limits.root = Some(Root::Path(format!("{}/in", user.home)));
        let now = words(&user);
        assert_eq!((now.permission, &*now.base_path, now.allow_ldap), (WITH_MEANING, "/in", true));
    }
}
