//! What a session of files may do, where its account is held to a set of permissions.
//!
//! They only take away from what the kernel allows, so it does not matter what a path leads to: each
//! is asked for by the kind of an operation, before anything is looked at.

use std::ffi::OsStr;

use accountd_protocol::limits::{FilePermission, FilePermissions};

use crate::dot_names::DotNames;

/// By default whatever the kernel allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Option<FilePermissions>);

/// The one that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Permission denied: this account has no permission \"{}\"", .0.name())]
pub struct NotPermitted(pub FilePermission);

impl Permissions {
    /// Names with commas between; an empty text is a set with nothing in it.
    pub fn parse(list: &OsStr) -> Result<Self, String> {
        let list = list.to_str().ok_or("the list of permissions is no text")?;
        let named = |name: &str| FilePermission::named(name).ok_or(format!("unknown permission {name:?}"));
        let names = list.split(',').filter(|_| !list.is_empty());
        Ok(Self(Some(names.map(named).collect::<Result<_, _>>()?)))
    }

    pub fn require(&self, needed: FilePermission) -> Result<(), NotPermitted> {
        match &self.0 {
            Some(permitted) if !needed.is_in(permitted) => Err(NotPermitted(told(needed, permitted))),
            Some(_) | None => Ok(()),
        }
    }

    pub fn include(&self, one: FilePermission) -> bool {
        self.0.as_ref().is_none_or(|permitted| one.is_in(permitted))
    }

    /// Only whoever lists visible names alone sees no others: without either, nothing is listed.
    pub fn dot_names(&self) -> DotNames {
        match self.include(FilePermission::ListVisible) && !self.include(FilePermission::List) {
            true => DotNames::hidden(),
            false => DotNames::Shown,
        }
    }
}

/// The usual name of what is missing: that of a part only where the account has another part.
fn told(needed: FilePermission, permitted: &FilePermissions) -> FilePermission {
    match needed.whole() {
        Some(whole) if !whole.parts().iter().any(|part| permitted.contains(part)) => whole,
        Some(_) | None => needed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_set_everything_is_permitted_and_with_an_empty_one_nothing() {
        let (all, none) = (Permissions::default(), Permissions::parse(OsStr::new("")).unwrap());
        for one in FilePermission::ALL {
            assert_eq!(all.require(one), Ok(()));
            assert_eq!(none.require(one), Err(NotPermitted(one.whole().unwrap_or(one))));
        }
    }

    #[test]
    fn a_set_has_what_it_names_and_known_names_only() {
        let two = Permissions::parse(OsStr::new("upload,create_dirs")).unwrap();
        assert!(two.include(FilePermission::Upload) && two.include(FilePermission::CreateDirs));
        let missing = two.require(FilePermission::List).unwrap_err();
        assert_eq!(missing.to_string(), "Permission denied: this account has no permission \"list\"");
        for list in ["*", "list,", ",", "List", "list upload"] {
            assert!(Permissions::parse(OsStr::new(list)).is_err(), "{list}");
        }
    }

    #[test]
    fn what_is_missing_beside_another_part_is_named_as_that_part() {
        let some = Permissions::parse(OsStr::new("write,rename_in_place")).unwrap();
        let missing = |needed| some.require(needed).unwrap_err().0;
        assert_eq!(missing(FilePermission::Copy), FilePermission::Copy);
        assert_eq!(missing(FilePermission::Move), FilePermission::Move);
        assert_eq!(missing(FilePermission::ListVisible), FilePermission::List);
        assert_eq!(missing(FilePermission::Rename), FilePermission::Rename);
    }

    #[test]
    fn dots_hide_names_only_from_whoever_lists_the_visible_ones() {
        let hides = |list: &str| Permissions::parse(OsStr::new(list)).unwrap().dot_names() != DotNames::Shown;
        assert!(hides("list_visible") && hides("list_visible,download"));
        assert!(!hides("list") && !hides("list,list_visible") && !hides("download") && !hides(""));
        assert_eq!(Permissions::default().dot_names(), DotNames::Shown);
    }
}
