//! What a session of files may do, where its account is held to a set of permissions.
//!
//! They only take away from what the kernel allows, so it does not matter what a path leads to: each
//! is asked for by the kind of an operation, before anything is looked at.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use accountd_protocol::limits::FilePermission;

/// By default whatever the kernel allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Option<BTreeSet<FilePermission>>);

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
        if self.include(needed) { Ok(()) } else { Err(NotPermitted(needed)) }
    }

    pub fn include(&self, one: FilePermission) -> bool {
        self.0.as_ref().is_none_or(|permitted| permitted.contains(&one))
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
            assert_eq!(none.require(one), Err(NotPermitted(one)));
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
}
