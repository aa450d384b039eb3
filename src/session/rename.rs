//! Renaming where the new name must be free.

use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat, renameat2};
use nix::sys::stat::{SFlag, fstatat};
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, unlinkat};

use crate::path::Place;

/// Fails with EEXIST when something has the new name.
pub fn rename_to_free(old: &Place<'_>, new: &Place<'_>) -> nix::Result<()> {
    match renameat2(old, old.name.as_c_str(), new, new.name.as_c_str(), RenameFlags::RENAME_NOREPLACE) {
        // The file system doesn't know the flag.
        Err(Errno::EINVAL | Errno::ENOSYS) => rename_without_flag(old, new),
        result => result,
    }
}

/// A file gets its new name before it loses the old one. A directory can't have two, nor can a
/// file everywhere (vfat, many network file systems, files of others).
fn rename_without_flag(old: &Place<'_>, new: &Place<'_>) -> nix::Result<()> {
    let (from, to) = (old.name.as_c_str(), new.name.as_c_str());
    let status = fstatat(old, from, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits() {
        return rename_where_free(old, new);
    }
    match linkat(old, from, new, to, LinkatFlags::empty()) {
        Ok(()) => drop_old_name(old, new),
        Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EMLINK | Errno::EACCES) => {
            rename_where_free(old, new)
        }
        Err(error) => Err(error),
    }
}

/// The second half of a rename by link; what can't be finished is undone.
fn drop_old_name(old: &Place<'_>, new: &Place<'_>) -> nix::Result<()> {
    match unlinkat(old, old.name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
        // Somebody else has removed the old name: the new one is all that is left of the file.
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => {
            let _ = unlinkat(new, new.name.as_c_str(), UnlinkatFlags::NoRemoveDir);
            Err(error)
        }
    }
}

/// Looks, then renames. What gets the new name in between is replaced: without the flag, there is
/// no better way.
fn rename_where_free(old: &Place<'_>, new: &Place<'_>) -> nix::Result<()> {
    match fstatat(new, new.name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EEXIST),
        Err(Errno::ENOENT) => renameat(old, old.name.as_c_str(), new, new.name.as_c_str()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::path::{Path, PathBuf};

    use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

    use super::*;
    use crate::path::Tree;

    /// A directory that goes when the test has ended.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("accountd-{name}-{}", std::process::id()));
            fs::create_dir(&directory).unwrap();
            Self(directory)
        }

        fn rename(&self, old: &str, new: &str) -> nix::Result<()> {
            let tree = Tree::open(Some(&self.0)).unwrap();
            rename_without_flag(&tree.place(old.as_bytes())?, &tree.place(new.as_bytes())?)
        }

        fn names(&self, directory: &str) -> Vec<String> {
            let entries = fs::read_dir(self.0.join(directory)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort_unstable();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Runs as another user in files, for this thread only (setfsuid(2)).
    fn as_user<T>(id: u32, act: impl FnOnce() -> T) -> T {
        setfsgid(Gid::from_raw(id));
        setfsuid(Uid::from_raw(id));
        let result = act();
        setfsuid(Uid::from_raw(0));
        setfsgid(Gid::from_raw(0));
        result
    }

    fn own(path: &Path, id: u32, mode: u32) {
        chown(path, Some(id), Some(id)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_and_directories_are_renamed_and_replace_nothing() {
        let scratch = Scratch::new("rename");
        fs::write(scratch.0.join("file"), "1").unwrap();
        fs::write(scratch.0.join("there"), "2").unwrap();
        fs::create_dir(scratch.0.join("directory")).unwrap();
        fs::create_dir(scratch.0.join("empty")).unwrap();
        assert_eq!(scratch.rename("file", "there"), Err(Errno::EEXIST));
        assert_eq!(scratch.rename("directory", "empty"), Err(Errno::EEXIST));
        assert_eq!(scratch.rename("none", "other"), Err(Errno::ENOENT));
        scratch.rename("file", "renamed").unwrap();
        scratch.rename("directory", "moved").unwrap();
        assert_eq!(scratch.names("."), ["empty", "moved", "renamed", "there"]);
        assert_eq!(fs::metadata(scratch.0.join("renamed")).unwrap().nlink(), 1);
    }

    #[test]
    fn a_file_that_may_not_be_linked_is_renamed_all_the_same() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let scratch = Scratch::new("unlinkable");
        own(&scratch.0, 3001, 0o755);
        for name in ["of-root", "there"] {
            fs::write(scratch.0.join(name), name).unwrap();
            own(&scratch.0.join(name), 0, 0o600);
        }
        // fs.protected_hardlinks refuses a link to what the user could neither read nor write.
        assert_eq!(as_user(3001, || scratch.rename("of-root", "there")), Err(Errno::EEXIST));
        as_user(3001, || scratch.rename("of-root", "moved")).unwrap();
        assert_eq!(scratch.names("."), ["moved", "there"]);
    }

    #[test]
    fn a_rename_that_can_not_be_finished_leaves_the_old_name_alone() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let scratch = Scratch::new("unfinished");
        own(&scratch.0, 0, 0o755);
        for (name, mode) in [("closed", 0o555), ("open", 0o755)] {
            fs::create_dir(scratch.0.join(name)).unwrap();
            own(&scratch.0.join(name), 3001, mode);
        }
        fs::write(scratch.0.join("closed/file"), "x").unwrap();
        own(&scratch.0.join("closed/file"), 3001, 0o644);
        assert_eq!(as_user(3001, || scratch.rename("closed/file", "open/file")), Err(Errno::EACCES));
        assert_eq!((scratch.names("closed"), scratch.names("open")), (vec!["file".to_owned()], vec![]));
    }
}
