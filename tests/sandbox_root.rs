//! Which directories may be the root of a sandbox. All others stay as they are.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::world::accountd;

/// A sandbox that is refused; one that is not would not end by itself.
fn start(root: &str) -> Output {
    let mut command = Command::new("timeout");
    command.arg("20").arg(accountd()).args(["sandbox", "--api-listen", "127.0.0.1:0", "--ssh-listen", "127.0.0.1:0"]);
    command.args(["--root", root]).output().unwrap()
}

/// Mode, owner, time of the last change of content and of the inode; what is in it.
fn state(path: &Path) -> (u32, u32, i64, i64, Vec<PathBuf>) {
    let status = fs::symlink_metadata(path).unwrap();
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    (status.mode(), status.uid(), status.mtime_nsec(), status.ctime_nsec(), entries)
}

#[track_caller]
fn is_refused(root: &str, why: &str) {
    let output = start(root);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{root}: {said}");
    assert!(said.contains("can not be the root of a sandbox") && said.contains(why), "{root}: {said}");
}

/// A directory below a private one, with that mode and owner.
fn directory(below: &TempDir, name: &str, mode: u32, owner: u32) -> PathBuf {
    let path = below.path().join(name);
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    chown(&path, Some(owner), None).unwrap();
    path
}

#[test]
fn what_is_not_roots_alone_or_not_empty_is_refused_as_it_is() {
    let below = tempfile::tempdir().unwrap();
    let full = directory(&below, "full", 0o755, 0);
    fs::write(full.join("file"), "x").unwrap();
    let forged = directory(&below, "forged", 0o755, 0);
    fs::write(forged.join(".accountd-sandbox"), "1").unwrap();
    chown(forged.join(".accountd-sandbox"), Some(3001), None).unwrap();
    let rows = [
        (full, "not empty"),
        (forged, "is not root's"),
        (directory(&below, "of-another", 0o755, 3001), "another user"),
        (directory(&below, "for-the-group", 0o775, 0), "others may write"),
        (directory(&below, "for-all", 0o1777, 0), "others may write"),
    ];
    for (path, why) in rows {
        let before = state(&path);
        is_refused(path.to_str().unwrap(), why);
        assert_eq!(state(&path), before, "{}", path.display());
    }
}

#[test]
fn links_and_files_are_refused() {
    let below = tempfile::tempdir().unwrap();
    let target = directory(&below, "target", 0o755, 0);
    let before = state(&target);
    let (link, dangling, file) = (below.path().join("link"), below.path().join("dangling"), below.path().join("file"));
    symlink(&target, &link).unwrap();
    symlink(below.path().join("nothing"), &dangling).unwrap();
    fs::write(&file, "x").unwrap();
    is_refused(link.to_str().unwrap(), "symbolic link");
    is_refused(&format!("{}/", link.display()), "symbolic link");
    is_refused(dangling.to_str().unwrap(), "symbolic link");
    is_refused(file.to_str().unwrap(), "not a directory");
    assert_eq!(state(&target), before);
    assert!(!below.path().join("nothing").exists());
}

#[test]
fn the_machines_own_directories_are_refused_by_any_name() {
    let modes = |paths: &[&str]| paths.iter().map(|path| fs::metadata(path).unwrap().mode()).collect::<Vec<_>>();
    let paths = ["/home", "/mnt", "/var", "/etc", "/root", "/run", "/tmp", "/"];
    let before = modes(&paths);
    for path in paths {
        is_refused(path, "the machine itself needs it");
    }
    is_refused("/tmp/../tmp/.", "the machine itself needs it");
    is_refused("//", "the machine itself needs it");
    assert_eq!(modes(&paths), before);
}

#[test]
fn an_empty_directory_of_roots_is_taken_and_becomes_private() {
    let below = tempfile::tempdir().unwrap();
    let root = directory(&below, "root", 0o755, 0);
    let mut command = Command::new(accountd());
    command.args(["sandbox", "--admin-password-file", "/nonexistent/password", "--root"]).arg(&root);
    let output = command.output().unwrap();
    // So far and no further.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot read /nonexistent/password"), "{said}");
    assert_eq!(fs::metadata(&root).unwrap().mode() & 0o7777, 0o700);
    assert!(root.join(".accountd-sandbox").exists());
}

#[test]
fn a_command_is_not_run_in_what_is_no_sandbox() {
    let below = tempfile::tempdir().unwrap();
    let forged = directory(&below, "forged", 0o755, 3001);
    fs::write(forged.join(".accountd-sandbox"), "1").unwrap();
    let mut command = Command::new(accountd());
    let output = command.args(["sandbox", "--root"]).arg(&forged).args(["--exec", "true"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("another user"), "{said}");
}
