//! Permissions: of each operation, and as OpenSSH's clients meet them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::raw::*;
use crate::scp::Place as ScpPlace;
use crate::session::Place;

const ALL: [&str; 7] = ["list", "download", "upload", "delete", "rename", "create_dirs", "create_symlinks"];

/// An operation by its name, and the permissions that it needs.
type Row = (&'static str, fn(&mut Raw) -> u32, &'static [&'static str]);

/// Status of whatever answers.
fn code(raw: &mut Raw, kind: u8, body: Body) -> u32 {
    match raw.ask(kind, body) {
        (STATUS, body) => number(&body),
        _ => OK,
    }
}

fn open(raw: &mut Raw, name: &str, flags: u32) -> u32 {
    code(raw, OPEN, Body::new().text(name).number(flags).number(NO_ATTRIBUTES))
}

fn two(raw: &mut Raw, extension: &str, from: &str, to: &str) -> u32 {
    code(raw, EXTENDED, Body::new().text(extension).text(from).text(to))
}

fn one(raw: &mut Raw, extension: &str, path: &str) -> u32 {
    code(raw, EXTENDED, Body::new().text(extension).text(path))
}

const ROWS: [Row; 27] = [
    ("realpath", |raw| code(raw, REALPATH, Body::new().text(".")), &[]),
    ("expand-path", |raw| one(raw, "expand-path@openssh.com", "~/f"), &[]),
    ("limits", |raw| code(raw, EXTENDED, Body::new().text("limits@openssh.com")), &[]),
    ("stat", |raw| code(raw, STAT, Body::new().text("f")), &["list"]),
    ("lstat", |raw| code(raw, LSTAT, Body::new().text("f")), &["list"]),
    ("opendir", |raw| code(raw, OPENDIR, Body::new().text(".")), &["list"]),
    ("readlink", |raw| code(raw, READLINK, Body::new().text("link")), &["list"]),
    ("statvfs", |raw| one(raw, "statvfs@openssh.com", "."), &["list"]),
    ("open to read", |raw| open(raw, "f", 1), &["download"]),
    ("open with no access", |raw| open(raw, "f", 0), &["download"]),
    ("open to write", |raw| open(raw, "f", 2), &["upload"]),
    ("open to make", |raw| open(raw, "new", 2 | 8), &["upload"]),
    ("open to overwrite", |raw| open(raw, "f", 2 | 8 | TRUNCATE), &["upload"]),
    ("open to append", |raw| open(raw, "f", APPEND), &["upload"]),
    ("open to make and read", |raw| open(raw, "new", 1 | 8), &["upload", "download"]),
    ("open for both", |raw| open(raw, "f", 1 | 2), &["upload", "download"]),
    ("setstat of the size", |raw| code(raw, SETSTAT, Body::new().text("f").number(SIZE).long(1)), &["upload"]),
    ("setstat of the mode", |raw| code(raw, SETSTAT, Body::new().text("f").number(PERMISSIONS).number(0o600)), &[
        "upload",
    ]),
    (
        "lsetstat of the times",
        |raw| {
            let body = Body::new().text("lsetstat@openssh.com").text("f").number(TIMES).number(1).number(1);
            code(raw, EXTENDED, body)
        },
        &["upload"],
    ),
    ("remove", |raw| code(raw, REMOVE, Body::new().text("f")), &["delete"]),
    ("rmdir", |raw| code(raw, RMDIR, Body::new().text("d")), &["delete"]),
    ("rename", |raw| code(raw, RENAME, Body::new().text("f").text("new")), &["rename"]),
    ("posix-rename", |raw| two(raw, "posix-rename@openssh.com", "f", "new"), &["rename"]),
    ("posix-rename over a file", |raw| two(raw, "posix-rename@openssh.com", "f", "g"), &["rename", "delete"]),
    ("hardlink", |raw| two(raw, "hardlink@openssh.com", "f", "new"), &["rename", "upload"]),
    ("mkdir", |raw| code(raw, MKDIR, Body::new().text("new").number(0)), &["create_dirs"]),
    ("symlink", |raw| code(raw, SYMLINK, Body::new().text("f").text("new")), &["create_symlinks"]),
];

fn filled() -> Place {
    let place = Place::new();
    place.put("f", "of f");
    place.put("g", "of g");
    let link = as_user("ln".as_ref(), place.path("").as_path()).args(["-s", "f", "link"]).status();
    let made = as_user("mkdir".as_ref(), place.path("").as_path()).arg("d").status();
    assert!(link.unwrap().success() && made.unwrap().success());
    place
}

fn shown(place: &Place) -> Vec<(String, u64, u32)> {
    let status = |name: String| {
        let status = fs::symlink_metadata(place.path(&name)).unwrap();
        (name, status.len(), status.permissions().mode())
    };
    place.names().into_iter().map(status).collect()
}

#[test]
fn each_operation_needs_its_permissions_and_no_other() {
    for (name, operation, needed) in ROWS {
        for options in [&[][..], &["--root", "."], &["--uploads", "atomic"]] {
            let place = filled();
            let list = needed.join(",");
            let mut raw = place.session(&[&["--permissions", &list], options].concat());
            assert_eq!(operation(&mut raw), OK, "{name} with {list} {options:?}");
            for missing in needed {
                let place = filled();
                let before = shown(&place);
                let rest: Vec<_> = ALL.into_iter().filter(|one| one != missing).collect();
                let mut raw = place.session(&[&["--permissions", &rest.join(",")], options].concat());
                assert_eq!(operation(&mut raw), PERMISSION_DENIED, "{name} without {missing} {options:?}");
                assert_eq!(shown(&place), before, "{name} without {missing}");
            }
        }
    }
}

#[test]
fn the_missing_permission_is_named_and_what_is_open_may_be_looked_at() {
    let place = filled();
    let mut raw = place.session(&["--permissions", "upload"]);
    let (kind, body) = raw.ask(STAT, Body::new().text("f"));
    let message = String::from_utf8(body[8..8 + number(&body[4..]) as usize].to_vec()).unwrap();
    let told = "Permission denied: this account has no permission \"list\"";
    assert_eq!((kind, number(&body), message.as_str()), (STATUS, PERMISSION_DENIED, told));
    let handle = raw.open_file("f", 2);
    assert_eq!(raw.attributes(FSTAT, &handle).size, 4);
    assert_eq!(raw.status(FSETSTAT, Body::new().text(&handle).number(SIZE).long(2)), OK);
    assert_eq!(raw.read(&handle, 0, 4), Err(FAILURE), "it is open to be written");
    let mut raw = place.session(&["--permissions", "download"]);
    let handle = raw.open_file("f", 1);
    assert_eq!(raw.read(&handle, 0, 4).unwrap(), b"of");
    assert_eq!(raw.status(FSETSTAT, Body::new().text(&handle).number(TIMES).number(1).number(1)), PERMISSION_DENIED);
}

/// What is there is not found out by the way either.
#[test]
fn who_may_not_list_hears_nothing_of_what_a_path_leads_to() {
    let place = filled();
    let here = fs::canonicalize(place.path("")).unwrap().to_str().unwrap().to_owned();
    let mut raw = place.session(&["--permissions", "download"]);
    for (path, real) in [("link", "/link"), ("none/../f", "/f"), ("", "")] {
        assert_eq!(raw.name(REALPATH, path), format!("{here}{real}"), "{path}");
    }
    assert_eq!(raw.name(REALPATH, "/none/there/.."), "/none");
}

/// OpenSSH's sftp with these permissions runs a batch; whether all of it worked.
fn sftp(place: &ScpPlace, permissions: &str, batch: &str) -> bool {
    let wrapper = place.local("sftp-wrapper");
    let text = "#!/bin/sh\ncd \"$REMOTE\" && umask 022 && exec setpriv --reuid \"$REMOTE_USER\" --regid \"$REMOTE_USER\" \
                --clear-groups \"$PROGRAM\" sftp --permissions \"$PERMITTED\"\n";
    fs::write(&wrapper, text).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.local("batch"), batch).unwrap();
    let mut command = Command::new("sftp");
    command.arg("-S").arg(&wrapper).args(["-b", "batch", "host"]).current_dir(place.local(""));
    command.env("REMOTE", place.remote("")).env("REMOTE_USER", USER.to_string()).env("PERMITTED", permissions);
    command.env("PROGRAM", session_program()).stdin(Stdio::null()).output().unwrap().status.success()
}

/// The matrix of the contract, where clients do what people do.
#[test]
fn single_permissions_with_openssh_clients() {
    let rows = [
        ("ls", "list"),
        ("cd d", "list"),
        ("get f", "list,download"),
        ("put mine", "upload"),
        ("put mine f", "upload"),
        ("rm f", "delete"),
        ("rmdir d", "delete"),
        ("rename f moved", "rename"),
        ("mkdir made", "create_dirs"),
        ("ln -s f soft", "create_symlinks"),
    ];
    for (batch, needed) in rows {
        let place = ScpPlace::new();
        fs::write(place.local("mine"), "mine").unwrap();
        place.put_remote("f", "of f");
        place.make_remote("d");
        let rest: Vec<_> = ALL.into_iter().filter(|one| !needed.split(',').any(|needed| needed == *one)).collect();
        assert!(!sftp(&place, &rest.join(","), batch), "{batch} without {needed}");
        assert_eq!(fs::read(place.remote("f")).unwrap(), b"of f", "{batch}");
        assert!(sftp(&place, needed, batch), "{batch} with {needed}");
    }
}

#[test]
fn scp_needs_upload_download_and_for_new_directories_create_dirs() {
    let place = ScpPlace::new();
    place.put_remote("f", "of f");
    place.make_remote("d");
    place.put_remote("d/f", "of d/f");
    fs::write(place.local("mine"), "mine").unwrap();
    fs::create_dir(place.local("tree")).unwrap();
    fs::write(place.local("tree/x"), "x").unwrap();
    let scp = |permissions: &str, arguments: &[&str]| {
        let output = place.scp_with(&format!("--permissions {permissions}"), arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let done = (Some(0), String::new());
    let denied = |path: &str, missing: &str| {
        let told = format!("scp: {path}: Permission denied: this account has no permission \"{missing}\"\n");
        (Some(1), told)
    };
    assert_eq!(scp("download", &["host:f", "got"]), done);
    assert_eq!(scp("download", &["-r", "host:d", "got-d"]), done);
    assert_eq!(fs::read(place.local("got-d/f")).unwrap(), b"of d/f");
    assert_eq!(scp("list,upload", &["host:f", "got"]), denied("f", "download"));
    assert_eq!(scp("upload", &["mine", "host:f"]), done);
    assert_eq!(fs::read(place.remote("f")).unwrap(), b"mine");
    assert_eq!(scp("list,download,create_dirs", &["tree/x", "host:f"]), denied("f", "upload"));
    assert_eq!(fs::read(place.remote("f")).unwrap(), b"mine");
    let (status, said) = scp("upload", &["-r", "tree", "host:"]);
    assert!(status == Some(1) && said.contains("no permission \"create_dirs\""), "{said}");
    assert!(!place.remote("tree").exists());
    assert_eq!(scp("upload,create_dirs", &["-r", "tree", "host:"]), done);
    fs::write(place.local("tree/x"), "y").unwrap();
    assert_eq!(scp("upload", &["-r", "tree", "host:"]), done, "the directory is there");
    assert_eq!(fs::read(place.remote("tree/x")).unwrap(), b"y");
    let before = fs::metadata(place.remote("tree")).unwrap().permissions().mode();
    fs::set_permissions(place.local("tree"), fs::Permissions::from_mode(0o700)).unwrap();
    let (status, said) = scp("create_dirs", &["-rp", "tree", "host:"]);
    assert!(status == Some(1) && said.contains("no permission \"upload\""), "{said}");
    assert_eq!(fs::metadata(place.remote("tree")).unwrap().permissions().mode(), before);
}
