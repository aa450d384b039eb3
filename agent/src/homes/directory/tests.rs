//! On a plain directory, as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::*;

const OWNER: Owner = Owner { uid: accountd_protocol::id::Uid(3001), gid: accountd_protocol::id::Gid(3002) };

fn opened(path: &Path) -> OwnedFd {
    File::open(path).unwrap().into()
}

#[test]
fn a_skeleton_is_copied_whole_but_for_what_is_no_content() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("skel"), place.path().join("home"));
    fs::create_dir_all(from.join("bin")).unwrap();
    fs::create_dir(&to).unwrap();
    fs::write(from.join("bin/tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(from.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(from.join("bin"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("/etc/profile", from.join(".profile")).unwrap();
    nix::unistd::mkfifo(&from.join("pipe"), Mode::S_IRWXU).unwrap();
    copy_tree(&opened(&from), &opened(&to), OWNER).unwrap();
    let seen = |name: &str| {
        let status = fs::symlink_metadata(to.join(name)).unwrap();
        (status.uid(), status.gid(), status.mode() & 0o7777)
    };
    assert_eq!(seen("bin"), (3001, 3002, 0o750));
    assert_eq!(seen("bin/tool"), (3001, 3002, 0o755), "without its setuid bit");
    assert_eq!(fs::read(to.join("bin/tool")).unwrap(), b"#!/bin/sh\n");
    assert_eq!((seen(".profile").0, fs::read_link(to.join(".profile")).unwrap()), (3001, "/etc/profile".into()));
    assert!(!to.join("pipe").exists());
}

#[test]
fn a_skeleton_without_an_end_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("skel"), place.path().join("home"));
    fs::create_dir_all(from.join("a/".repeat(MAX_DEPTH + 1))).unwrap();
    fs::create_dir(&to).unwrap();
    let error = copy_tree(&opened(&from), &opened(&to), OWNER).unwrap_err();
    assert!(error.to_string().contains("too deep"), "{error}");
}

#[test]
fn a_tree_that_is_not_there_is_removed_and_a_link_to_one_is_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let parent = opened(place.path());
    remove_tree(&parent, c"nothing").unwrap();
    fs::create_dir(place.path().join("kept")).unwrap();
    fs::write(place.path().join("kept/file"), "x").unwrap();
    symlink("kept", place.path().join("link")).unwrap();
    assert!(remove_tree(&parent, c"link").is_err());
    assert!(place.path().join("kept/file").exists());
}
