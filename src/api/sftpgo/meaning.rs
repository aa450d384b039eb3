//! What the words of this API mean for an account. Refusals are SFTPGo's where it has them.

use std::collections::BTreeSet;

use accountd_protocol::limits::FilePermission;
use accountd_protocol::text::FieldPath;

/// Stands for all permissions.
pub const EVERYTHING: &str = "*";
pub const NO_PERMISSIONS: &str = "Please grant some permissions to this user";
/// More than all of them, several times.
const MOST_PERMISSIONS: usize = 64;

/// 0 and less are no limit.
pub fn limit(asked: i64) -> Option<u64> {
    u64::try_from(asked).ok().filter(|limit| *limit > 0)
}

/// The same for what an account has 32 bits for; what is more than that can't be reached anyway.
pub fn small_limit(asked: i64) -> Option<u32> {
    limit(asked).map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))
}

/// A limit as a number of this API.
pub fn shown(limit: Option<u64>) -> i64 {
    limit.map_or(0, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// `None` where whichever will do. Which numbers an account may have, the agent says.
pub fn number(member: &str, asked: i64) -> Result<Option<u32>, String> {
    match u32::try_from(asked) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(format!("{member} must be from 0 to {}, actual value: {asked}", u32::MAX)),
    }
}

/// `None`: whatever the kernel allows. A list may name one several times.
pub fn permissions(names: &[String]) -> Result<Option<BTreeSet<FilePermission>>, String> {
    if names.is_empty() {
        return Err(NO_PERMISSIONS.into());
    }
    if names.len() > MOST_PERMISSIONS {
        return Err(format!("permissions has more than {MOST_PERMISSIONS} entries (it has {})", names.len()));
    }
    let mut all = BTreeSet::new();
    for name in names.iter().filter(|name| *name != EVERYTHING) {
        all.insert(FilePermission::named(name).ok_or_else(|| format!("Invalid permission: {name}"))?);
    }
    let is_everything =
        names.iter().any(|name| name == EVERYTHING) || FilePermission::WIDEST.iter().all(|each| each.is_in(&all));
    Ok((!is_everything).then_some(all))
}

/// With one slash between components, and without `.`. A `..` is refused: what is meant by it depends
/// on symbolic links, and here nothing is looked up.
pub fn home(asked: &str) -> Result<FieldPath, String> {
    if !asked.starts_with('/') {
        return Err(format!("home_dir must be an absolute path, actual value: {asked}"));
    }
    let parts: Vec<&str> = asked.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(format!("home_dir must not have \"..\" in it, actual value: {asked}"));
    }
    FieldPath::new(format!("/{}", parts.join("/"))).map_err(|error| format!("home_dir {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_less_are_no_limit() {
        for (asked, expected) in [(0, None), (-1, None), (i64::MIN, None), (1, Some(1)), (i64::MAX, Some(u32::MAX))] {
            assert_eq!(small_limit(asked), expected, "{asked}");
        }
        assert_eq!((limit(-5), limit(5), shown(Some(u64::MAX))), (None, Some(5), i64::MAX));
    }

    #[test]
    fn all_permissions_are_everything() {
        let of = |names: &[&str]| permissions(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let seven = ["list", "download", "upload", "delete", "rename", "create_dirs", "create_symlinks"];
        for names in [&["*"][..], &["list", "*"], &seven] {
            assert_eq!(of(names), Ok(None), "{names:?}");
        }
        let some = BTreeSet::from([FilePermission::List, FilePermission::Upload]);
        assert_eq!(of(&["upload", "list", "upload"]), Ok(Some(some)));
        assert_eq!(of(&["*", "root"]), Err("Invalid permission: root".into()));
        assert_eq!(of(&[]), Err("Please grant some permissions to this user".into()));
        assert!(of(&["*"; 65]).is_err());
    }

    #[test]
    fn a_home_has_one_spelling() {
        let path = |asked| home(asked).map(|home| home.to_string());
        assert_eq!(path("//mnt/./tank//a/."), Ok("/mnt/tank/a".into()));
        assert_eq!(path("mnt"), Err("home_dir must be an absolute path, actual value: mnt".into()));
        for asked in ["/mnt/../etc", "/mnt/tank/a:b", "/mnt/tank/a\nb"] {
            assert!(path(asked).is_err_and(|error| error.starts_with("home_dir ")), "{asked}");
        }
    }

    #[test]
    fn numbers_that_are_none_of_the_system_are_named() {
        assert_eq!(number("uid", 0), Ok(None));
        assert_eq!(number("uid", 70000), Ok(Some(70000)));
        assert_eq!(number("gid", -5), Err("gid must be from 0 to 4294967295, actual value: -5".into()));
        assert!(number("uid", 1 << 32).is_err());
    }
}
