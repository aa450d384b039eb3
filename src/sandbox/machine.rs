//! What a sandbox takes from `etc` of the machine, as it is there.
//!
//! A package manager may be at work there: what it has put beside other files (`*.dpkg-new`) is left out, and so is
//! what goes while it is copied.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::error::SandboxError;

/// Taken where the machine has them.
const TAKEN: [&str; 33] = [
    "bash.bashrc",
    "csh",
    "csh.cshrc",
    "csh.login",
    "debian_version",
    "default",
    "environment",
    "gai.conf",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "login.defs",
    "magic",
    "mime.types",
    "os-release",
    "pam.conf",
    "pam.d",
    "profile",
    "profile.d",
    "protocols",
    "rpc",
    "security",
    "services",
    "skel",
    "sudo.conf",
    "sudoers",
    "sudoers.d",
    "terminfo",
    "timezone",
];

/// In the names of files that dpkg(1) has begun, or has put aside.
const DPKG: &[u8] = b".dpkg-";

/// What is in `etc` already stays.
pub fn take(etc: &Path) -> Result<(), SandboxError> {
    let missing = TAKEN.into_iter().filter(|name| fs::symlink_metadata(etc.join(name)).is_err());
    missing.into_iter().try_for_each(|name| copy(&Path::new("/etc").join(name), &etc.join(name)))
}

/// With owner and mode. What is neither a file, a directory nor a link is left out.
fn copy(from: &Path, to: &Path) -> Result<(), SandboxError> {
    let Some(status) = unless_gone(from, fs::symlink_metadata(from))? else { return Ok(()) };
    let kind = status.file_type();
    if kind.is_dir() {
        copy_directory(from, to, &status)
    } else if kind.is_symlink() {
        let Some(target) = unless_gone(from, fs::read_link(from))? else { return Ok(()) };
        symlink(target, to).map_err(SandboxError::file("make", to))?;
        lchown(to, Some(status.uid()), Some(status.gid())).map_err(SandboxError::file("give away", to))
    } else if kind.is_file() {
        copy_file(from, to)
    } else {
        Ok(())
    }
}

fn copy_directory(from: &Path, to: &Path, status: &Metadata) -> Result<(), SandboxError> {
    let Some(entries) = unless_gone(from, fs::read_dir(from))? else { return Ok(()) };
    DirBuilder::new().mode(0o700).create(to).map_err(SandboxError::file("make", to))?;
    for entry in entries {
        let name = entry.map_err(SandboxError::file("read", from))?.file_name();
        if !is_dpkgs(&name) {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    keep(to, status)
}

fn copy_file(from: &Path, to: &Path) -> Result<(), SandboxError> {
    let Some(mut original) = unless_gone(from, File::open(from))? else { return Ok(()) };
    // Of what was opened: another file may have its name by now.
    let status = original.metadata().map_err(SandboxError::file("look at", from))?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut made = made.map_err(SandboxError::file("make", to))?;
    io::copy(&mut original, &mut made).map_err(SandboxError::file("copy", from))?;
    keep(to, &status)
}

/// Gives a copy the owner and the mode of the original.
fn keep(copy: &Path, status: &Metadata) -> Result<(), SandboxError> {
    lchown(copy, Some(status.uid()), Some(status.gid())).map_err(SandboxError::file("give away", copy))?;
    let mode = Permissions::from_mode(status.mode() & 0o7777);
    fs::set_permissions(copy, mode).map_err(SandboxError::file("protect", copy))
}

/// `None` for what is not there, or not any more. Every other failure is one.
fn unless_gone<T>(path: &Path, read: io::Result<T>) -> Result<Option<T>, SandboxError> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(SandboxError::file("read", path)),
    }
}

fn is_dpkgs(name: &OsStr) -> bool {
    name.as_encoded_bytes().windows(DPKG.len()).any(|part| part == DPKG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_as_it_is_without_what_a_package_manager_has_begun() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("pam.d"), directory.path().join("copy"));
        fs::create_dir_all(from.join("more")).unwrap();
        for (name, mode) in [("cron", 0o640), ("cron.dpkg-new", 0o644), ("more/x", 0o755), ("more/y.dpkg-old", 0o644)] {
            fs::write(from.join(name), name).unwrap();
            fs::set_permissions(from.join(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(from.join("more"), Permissions::from_mode(0o2751)).unwrap();
        // It leads nowhere, which is the administrator's to decide.
        symlink("nowhere", from.join("link")).unwrap();
        copy(&from, &to).unwrap();
        let mode = |name: &str| to.join(name).metadata().unwrap().mode() & 0o7777;
        assert_eq!([mode("cron"), mode("more"), mode("more/x")], [0o640, 0o2751, 0o755]);
        assert_eq!(fs::read_to_string(to.join("more/x")).unwrap(), "more/x");
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("nowhere"));
        let mut names: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        assert_eq!(names, ["cron", "link", "more"]);
        assert_eq!(fs::read_dir(to.join("more")).unwrap().count(), 1);
    }

    #[test]
    fn what_has_gone_is_left_out_and_every_other_failure_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "x").unwrap();
        fs::create_dir(path("plain")).unwrap();
        let status = fs::symlink_metadata(path("plain")).unwrap();
        // As when something goes between the look at it and this.
        copy(&path("gone"), &path("copy")).unwrap();
        copy_file(&path("gone"), &path("copy")).unwrap();
        copy_directory(&path("gone"), &path("copy"), &status).unwrap();
        assert!(fs::symlink_metadata(path("copy")).is_err());
        for (from, to) in [("file", "no/such/place"), ("plain", "no/such/place"), ("file", "plain")] {
            let error = copy(&path(from), &path(to)).unwrap_err().to_string();
            assert!(error.contains(&*path(to).to_string_lossy()), "{from} to {to}: {error}");
        }
        let error = copy(&path("file/below"), &path("copy")).unwrap_err().to_string();
        assert!(error.contains("file/below"), "{error}");
    }
}
