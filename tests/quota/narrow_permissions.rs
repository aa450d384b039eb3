//! The parts of permissions: names that are hidden, writing without copies, renames in one directory and
//! between two.

use std::fs;

use crate::raw::*;
use crate::scp::Place as ScpPlace;
use crate::session::Place;

fn filled() -> Place {
    let place = Place::new();
    place.put("f", "of f");
    place.put(".hidden", "secret");
    for directory in ["d", ".dir"] {
        assert!(as_user("mkdir".as_ref(), place.path("").as_path()).arg(directory).status().unwrap().success());
    }
    place.put(".dir/x", "deep");
    let link = as_user("ln".as_ref(), place.path("").as_path()).args(["-s", ".hidden", "link"]).status().unwrap();
    assert!(link.success());
    place
}

fn rename(raw: &mut Raw, from: &str, to: &str) -> u32 {
    raw.status(RENAME, Body::new().text(from).text(to))
}

fn posix_rename(raw: &mut Raw, from: &str, to: &str) -> u32 {
    raw.status(EXTENDED, Body::new().text("posix-rename@openssh.com").text(from).text(to))
}

/// What it is called, its kind, and its body for a path.
type Request = (&'static str, u8, fn(&str) -> Body);

/// Everything that a path can be given to.
const WITH_A_PATH: [Request; 13] = [
    ("stat", STAT, |path| Body::new().text(path)),
    ("lstat", LSTAT, |path| Body::new().text(path)),
    ("opendir", OPENDIR, |path| Body::new().text(path)),
    ("readlink", READLINK, |path| Body::new().text(path)),
    ("realpath", REALPATH, |path| Body::new().text(path)),
    ("open to read", OPEN, |path| Body::new().text(path).number(1).number(NO_ATTRIBUTES)),
    ("open to make", OPEN, |path| Body::new().text(path).number(2 | 8).number(NO_ATTRIBUTES)),
    ("open to overwrite", OPEN, |path| Body::new().text(path).number(2 | 8 | TRUNCATE).number(NO_ATTRIBUTES)),
    ("setstat", SETSTAT, |path| Body::new().text(path).number(PERMISSIONS).number(0o600)),
    ("remove", REMOVE, |path| Body::new().text(path)),
    ("rmdir", RMDIR, |path| Body::new().text(path)),
    ("mkdir", MKDIR, |path| Body::new().text(path).number(0)),
    ("statvfs", EXTENDED, |path| Body::new().text("statvfs@openssh.com").text(path)),
];

const ALL_BUT_HIDDEN: &str = "list_visible,download,upload,delete,rename,create_dirs,create_symlinks";

#[test]
fn a_hidden_name_is_not_there_for_any_operation() {
    for options in [&[][..], &["--root", "."], &["--uploads", "atomic"]] {
        let place = filled();
        let before = place.names();
        let mut raw = place.session(&[&["--permissions", ALL_BUT_HIDDEN], options].concat());
        for path in [".hidden", ".dir", ".dir/x", "d/../.hidden", "./.dir/../f", ".new"] {
            for (name, kind, body) in WITH_A_PATH {
                let status = match raw.ask(kind, body(path)) {
                    (STATUS, body) => number(&body),
                    _ => OK,
                };
                assert_eq!(status, NO_SUCH_FILE, "{name} of {path} {options:?}");
            }
        }
        for (from, to) in [(".hidden", "seen"), ("f", ".gone"), ("f", ".dir/f")] {
            assert_eq!(rename(&mut raw, from, to), NO_SUCH_FILE, "{from} {to}");
            assert_eq!(posix_rename(&mut raw, from, to), NO_SUCH_FILE, "{from} {to}");
        }
        let hardlink = Body::new().text("hardlink@openssh.com").text(".hidden").text("seen");
        assert_eq!(raw.status(EXTENDED, hardlink), NO_SUCH_FILE);
        assert_eq!(raw.status(SYMLINK, Body::new().text("f").text(".soft")), NO_SUCH_FILE);
        assert_eq!(place.names(), before);
        assert_eq!(fs::read(place.path(".hidden")).unwrap(), b"secret");
        // What is visible is there as ever, a link too.
        assert_eq!(raw.attributes(STAT, "f").size, 4);
        let handle = raw.open_file("link", 1);
        assert_eq!(raw.read(&handle, 0, 9).unwrap(), b"secret");
    }
}

#[test]
fn a_directory_has_only_visible_names_in_it() {
    let place = filled();
    for (list, expected) in [
        ("list_visible", vec![".", "..", "d", "f", "link"]),
        ("list", vec![".", "..", ".dir", ".hidden", "d", "f", "link"]),
    ] {
        let mut raw = place.session(&["--permissions", list]);
        let mut names = raw.names_in(".");
        names.sort();
        assert_eq!(names, expected, "{list}");
    }
}

#[test]
fn scp_neither_sends_nor_takes_hidden_names() {
    let place = ScpPlace::new();
    place.make_remote("d");
    place.put_remote("d/f", "seen");
    place.put_remote("d/.f", "hidden");
    fs::write(place.local(".mine"), "mine").unwrap();
    let scp = |arguments: &[&str]| {
        let output = place.scp_with("--permissions list_visible,download,upload,create_dirs", arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(scp(&["-r", "host:d", "got"]), (Some(0), String::new()));
    assert!(place.local("got/f").exists() && !place.local("got/.f").exists());
    for arguments in [["host:d/.f", "got-f"], ["host:d/.*", "got-f"], [".mine", "host:d"], [".mine", "host:.mine"]] {
        let (status, said) = scp(&arguments);
        assert!(status == Some(1) && said.contains("No such file"), "{arguments:?} {said}");
    }
    assert!(!place.local("got-f").exists() && !place.remote("d/.mine").exists() && !place.remote(".mine").exists());
}

#[test]
fn renames_in_a_directory_and_between_two_are_two_permissions() {
    /// From, to; whether each of three sets of permissions lets it.
    const ROWS: [(&str, &str, [bool; 3]); 5] = [
        ("f", "g", [true, false, true]),
        ("f", "./g", [true, false, true]),
        ("f", "d/../g", [true, false, true]),
        ("f", "d/f", [false, true, true]),
        ("f", "d/g", [false, false, true]),
    ];
    for (from, to, allowed) in ROWS {
        for (list, allowed) in ["rename_in_place", "move", "rename_in_place,move"].into_iter().zip(allowed) {
            for (how, options) in
                [(rename as fn(&mut Raw, &str, &str) -> u32, &[][..]), (posix_rename, &["--root", "."])]
            {
                let place = filled();
                let mut raw = place.session(&[&["--permissions", list], options].concat());
                let expected = if allowed { OK } else { PERMISSION_DENIED };
                assert_eq!(how(&mut raw, from, to), expected, "{from} {to} with {list}");
                assert_eq!(place.path(to).exists(), allowed, "{from} {to} with {list}");
                assert_eq!(place.path(from).exists(), !allowed, "{from} {to} with {list}");
            }
        }
    }
}

#[test]
fn what_the_server_copies_needs_copy_and_upload_has_it() {
    for (list, expected) in
        [("download,upload", OK), ("download,write,copy", OK), ("download,write", PERMISSION_DENIED)]
    {
        let place = filled();
        let mut raw = place.session(&["--permissions", list]);
        let (source, target) = (raw.open_file("f", 1), raw.open_file("copy", 2 | 8));
        let body = Body::new().text("copy-data").text(&source).long(0).long(0).text(&target).long(0);
        assert_eq!(raw.status(EXTENDED, body), expected, "{list}");
        assert_eq!(raw.write(&target, 4, b" more"), OK, "{list}");
        drop(raw);
    }
}

#[test]
fn a_directory_below_the_root_is_what_the_session_sees_and_no_link_leads_further() {
    let place = filled();
    place.put("d/inside", "in d");
    let mut raw = place.session(&["--root", ".", "--below", "d"]);
    assert_eq!(raw.attributes(STAT, "/inside").size, 4);
    assert_eq!(raw.status(STAT, Body::new().text("/../f")), NO_SUCH_FILE);
    drop(raw);
    assert!(as_user("ln".as_ref(), place.path("").as_path()).args(["-s", "/", "out"]).status().unwrap().success());
    let mut raw = place.session(&["--root", ".", "--below", "out"]);
    assert_eq!(raw.attributes(STAT, "/f").size, 4, "the link leads to the root and no further");
}
