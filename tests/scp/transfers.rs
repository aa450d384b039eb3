//! What people copy with `scp -O`, and what is on disk after it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::Place;
use crate::raw::USER;

fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|place| (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn set(path: &Path, mode: u32, modified: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    fs::File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(modified)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn files_of_every_size_arrive_whole_both_ways() {
    let place = Place::new();
    for length in [0, 1, 262_143, 262_144, 262_145, 5_000_003] {
        let sent = pattern(length);
        fs::write(place.local("sent"), &sent).unwrap();
        place.scp(&["sent", "h:there"]);
        assert!(fs::read(place.remote("there")).unwrap() == sent, "{length} bytes up");
        place.scp(&["h:there", "back"]);
        assert!(fs::read(place.local("back")).unwrap() == sent, "{length} bytes down");
    }
    let there = fs::metadata(place.remote("there")).unwrap();
    assert_eq!((there.uid(), there.gid(), there.mode() & 0o7777), (USER, USER, 0o644));
    fs::write(place.local("sent"), "short").unwrap();
    place.scp(&["sent", "h:there"]);
    assert_eq!(fs::read(place.remote("there")).unwrap(), b"short", "the rest of the longer one is gone");
}

#[test]
fn several_files_go_into_one_directory() {
    let place = Place::new();
    fs::create_dir(place.local("tree")).unwrap();
    let names: [&[u8]; 6] = [b"a b", b" ", b"\xff\xfe", b"-dash", b"star*", b"\xe2\x80\xaex"];
    for name in names {
        for directory in ["", "tree"] {
            fs::write(place.local(directory).join(OsStr::from_bytes(name)), name).unwrap();
        }
    }
    place.make_remote("into");
    place.scp(&["a b", " ", "./-dash", "star*", "h:into"]);
    for name in ["a b", " ", "-dash", "star*"] {
        assert_eq!(fs::read(place.remote("into").join(name)).unwrap(), name.as_bytes());
    }
    place.scp(&["-r", "tree", "h:into"]);
    for name in names {
        assert_eq!(fs::read(place.remote("into/tree").join(OsStr::from_bytes(name))).unwrap(), name);
    }
    fs::create_dir(place.local("back")).unwrap();
    place.scp(&["-T", "h:into/a\\ b", "h:'into/ '", "h:into/-dash", "back/"]);
    assert_eq!(fs::read_dir(place.local("back")).unwrap().count(), 3);
}

#[test]
fn trees_keep_modes_and_times_with_p_alone() {
    let place = Place::new();
    fs::create_dir_all(place.local("tree/a/empty")).unwrap();
    fs::write(place.local("tree/a/run"), "#!").unwrap();
    fs::write(place.local("tree/open"), "x").unwrap();
    fs::write(place.local("tree/closed"), "x").unwrap();
    set(&place.local("tree/a/run"), 0o4750, 1_000_000_000);
    set(&place.local("tree/open"), 0o666, 1_100_000_000);
    set(&place.local("tree/closed"), 0o400, 1_200_000_000);
    set(&place.local("tree/a/empty"), 0o500, 1_300_000_000);
    set(&place.local("tree/a"), 0o2777, 1_400_000_000);
    place.scp(&["-r", "-p", "tree", "h:kept"]);
    for (name, wanted, modified) in [
        ("kept/a/run", 0o4750, 1_000_000_000),
        ("kept/open", 0o666, 1_100_000_000),
        ("kept/closed", 0o400, 1_200_000_000),
        ("kept/a/empty", 0o500, 1_300_000_000),
        ("kept/a", 0o2777, 1_400_000_000),
    ] {
        let status = fs::metadata(place.remote(name)).unwrap();
        assert_eq!((status.mode() & 0o7777, status.mtime()), (wanted, modified), "{name}");
    }
    place.scp(&["-r", "tree", "h:plain"]);
    let modes = ["plain/a/run", "plain/open", "plain/closed", "plain/a/empty", "plain/a"];
    let modes = modes.map(|name| mode(&place.remote(name)));
    assert_eq!(modes, [0o750, 0o644, 0o400, 0o500, 0o755], "by the umask, and no set-user-id");
    assert!(fs::metadata(place.remote("plain/open")).unwrap().mtime() > 1_700_000_000);
    place.scp(&["-r", "-p", "h:kept", "back"]);
    assert_eq!((mode(&place.local("back/a/run")), mode(&place.local("back/a"))), (0o4750, 0o2777));
    assert_eq!(fs::metadata(place.local("back/a")).unwrap().mtime(), 1_400_000_000);
}

#[test]
fn a_tree_goes_into_a_directory_that_is_there_and_takes_the_name_of_one_that_is_not() {
    let place = Place::new();
    fs::create_dir_all(place.local("tree/sub")).unwrap();
    fs::write(place.local("tree/sub/f"), "x").unwrap();
    place.scp(&["-r", "tree", "h:new"]);
    assert!(place.remote("new/sub/f").exists());
    place.scp(&["-r", "tree", "h:new"]);
    assert!(place.remote("new/tree/sub/f").exists());
    place.scp(&["-r", "tree", "h:slash/"]);
    assert!(place.remote("slash/sub/f").exists());
    place.put_remote("file", "x");
    let said = place.scp_fails(&["-r", "tree", "h:file"]);
    assert!(said.contains("file: Not a directory"), "{said}");
    assert_eq!(fs::read(place.remote("file")).unwrap(), b"x");
}

#[test]
fn what_can_not_be_copied_is_told_and_the_rest_is_copied() {
    let place = Place::new();
    for name in ["a", "b"] {
        fs::write(place.local(name), name).unwrap();
        place.put_remote(&format!("r{name}"), name);
    }
    let said = place.scp_fails(&["a", "h:no/such/directory"]);
    assert!(said.contains("no/such/directory: No such file or directory"), "{said}");
    let said = place.scp_fails(&["a", "h:no-such-directory/"]);
    assert!(said.contains("no-such-directory/: Is a directory"), "{said}");
    let said = place.scp_fails(&["a", "b", "h:ra"]);
    assert!(said.contains("ra: Not a directory"), "{said}");
    assert_eq!(fs::read(place.remote("ra")).unwrap(), b"a");
    let said = place.scp_fails(&["h:ra", "h:none", "h:rb", "."]);
    assert!(said.contains("none: No such file or directory"), "{said}");
    assert_eq!(
        (fs::read(place.local("ra")).unwrap(), fs::read(place.local("rb")).unwrap()),
        (b"a".into(), b"b".into())
    );
    place.make_remote("d");
    let said = place.scp_fails(&["h:d", "."]);
    assert!(said.contains("d: is a directory"), "{said}");
    nix::unistd::mkfifo(&place.remote("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    assert!(place.scp_fails(&["h:pipe", "."]).contains("pipe: not a regular file"));
    assert!(place.scp_fails(&["a", "h:pipe"]).contains("pipe: not a regular file"));
    fs::create_dir(place.remote("locked")).unwrap();
    let said = place.scp_fails(&["a", "h:locked"]);
    assert!(said.contains("locked/a: Permission denied"), "{said}");
}

#[test]
fn patterns_are_expanded_here_because_no_shell_does_it() {
    let place = Place::new();
    for name in ["x1", "x2", "y1", ".hidden", "odd[1]", "sp ace"] {
        place.put_remote(name, name);
    }
    place.scp(&["h:x*", "."]);
    place.scp(&["h:[y]?", "."]);
    assert!(place.local("x1").exists() && place.local("x2").exists() && place.local("y1").exists());
    place.scp(&["-T", "h:'odd\\[1]'", "."]);
    assert!(place.local("odd[1]").exists());
    fs::create_dir(place.local("all")).unwrap();
    place.scp(&["h:*", "all"]);
    assert_eq!(fs::read_dir(place.local("all")).unwrap().count(), 5, "all but the hidden one");
    let said = place.scp_fails(&["h:nothing*", "."]);
    assert!(said.contains("nothing*: No such file or directory"), "{said}");
}

#[test]
fn symbolic_links_are_followed_and_a_loop_ends() {
    let place = Place::new();
    place.make_remote("tree");
    place.put_remote("outside", "linked");
    symlink("../outside", place.remote("tree/link")).unwrap();
    symlink(".", place.remote("tree/self")).unwrap();
    let said = place.scp_fails(&["-r", "h:tree", "back"]);
    assert!(said.contains("tree/self: the directory contains itself"), "{said}");
    assert_eq!(fs::read(place.local("back/link")).unwrap(), b"linked");
    assert!(!fs::symlink_metadata(place.local("back/link")).unwrap().is_symlink());
    fs::create_dir(place.local("tree")).unwrap();
    fs::write(place.local("tree/link"), "through").unwrap();
    place.scp(&["-r", "tree", "h:."]);
    assert_eq!(fs::read(place.remote("outside")).unwrap(), b"through");
    assert!(fs::symlink_metadata(place.remote("tree/link")).unwrap().is_symlink());
}

#[test]
fn an_atomic_upload_replaces_files_one_by_one() {
    let place = Place::new();
    fs::create_dir(place.local("tree")).unwrap();
    place.make_remote("tree");
    for number in 0..20 {
        fs::write(place.local("tree").join(number.to_string()), pattern(number * 1000)).unwrap();
        place.put_remote(&format!("tree/{number}"), "old");
    }
    let old = fs::metadata(place.remote("tree/7")).unwrap().ino();
    let output = place.scp_with("--uploads atomic", &["-r", "tree", "h:."]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for number in 0..20 {
        assert!(fs::read(place.remote(&format!("tree/{number}"))).unwrap() == pattern(number * 1000));
    }
    assert_ne!(fs::metadata(place.remote("tree/7")).unwrap().ino(), old);
    assert_eq!(fs::read_dir(place.remote("tree")).unwrap().count(), 20, "nothing is left beside them");
    fs::write(place.local("new"), "x").unwrap();
    let output = place.scp_with("--uploads atomic --root .", &["-p", "new", "h:/tree/new"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(place.remote("tree/new")).unwrap(), b"x");
}
