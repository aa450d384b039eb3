//! `--uploads atomic`: a file is there when it is whole.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Command;

use super::Place;
use crate::raw::*;
use crate::running::Running;

const ATOMIC: [&str; 2] = ["--uploads", "atomic"];
const UPLOAD: u32 = 2 | 8 | TRUNCATE;

fn close(raw: &mut Raw, handle: &[u8]) -> u32 {
    raw.status(CLOSE, Body::new().text(handle))
}

#[test]
fn until_it_is_closed_everybody_sees_the_old_file() {
    let place = Place::new();
    place.put("f", "old");
    let mut raw = place.session(&ATOMIC);
    let handle = raw.open_file("f", UPLOAD);
    assert_eq!(raw.write(&handle, 0, b"new content"), OK);
    let reader = raw.open_file("f", 1);
    assert_eq!(raw.read(&reader, 0, 100).unwrap(), b"old");
    assert_eq!((raw.attributes(STAT, "f").size, raw.attributes(FSTAT, &handle).size), (3, 11));
    assert_eq!(raw.status(FSETSTAT, Body::new().text(&handle).number(TIMES).number(5).number(6)), OK);
    assert_ne!(raw.attributes(STAT, "f").modified, 6);
    assert_eq!(place.names(), ["f"], "nothing is beside it");
    assert_eq!(close(&mut raw, &handle), OK);
    assert_eq!((raw.attributes(STAT, "f").size, raw.attributes(STAT, "f").modified), (11, 6));
    assert_eq!(raw.read(&reader, 0, 100).unwrap(), b"old", "who had it open still has it");
    assert_eq!(place.names(), ["f"]);
}

#[test]
fn what_is_not_closed_was_never_there() {
    let place = Place::new();
    place.put("f", "old");
    for name in ["f", "new"] {
        let mut raw = place.session(&ATOMIC);
        let handle = raw.open_file(name, UPLOAD);
        assert_eq!(raw.write(&handle, 0, b"half"), OK);
        raw.ends();
        let mut killed = place.session(&ATOMIC);
        let handle = killed.open_file(name, UPLOAD);
        assert_eq!(killed.write(&handle, 0, b"half"), OK);
        killed.program.end();
    }
    assert_eq!((place.names(), place.read("f")), (vec!["f".to_owned()], b"old".to_vec()));
}

#[test]
fn a_program_that_is_running_is_replaced() {
    let place = Place::new();
    place.put("program", fs::read("/usr/bin/sleep").unwrap());
    fs::set_permissions(place.path("program"), fs::Permissions::from_mode(0o755)).unwrap();
    let running = Running::start(Command::new(place.path("program")).arg("60"));
    let mut raw = place.session(&ATOMIC);
    let handle = raw.open_file("program", UPLOAD);
    assert_eq!(raw.write(&handle, 0, b"#!/bin/sh"), OK);
    assert_eq!(close(&mut raw, &handle), OK);
    running.end();
    assert_eq!((place.read("program"), place.names()), (b"#!/bin/sh".to_vec(), vec!["program".to_owned()]));
}

/// What a directory gives to new files is theirs, without a name too.
#[test]
fn a_new_file_has_what_its_directory_gives() {
    let place = Place::new();
    fs::create_dir(place.path("d")).unwrap();
    chown(place.path("d"), Some(USER), Some(1)).unwrap();
    fs::set_permissions(place.path("d"), fs::Permissions::from_mode(0o2755)).unwrap();
    let acl = Command::new("setfacl").args(["-d", "-m", "u:2:rw"]).arg(place.path("d")).status();
    assert!(acl.unwrap().success());
    let seen = [&[][..], &ATOMIC].map(|options| {
        let mut raw = place.session(options);
        let handle = raw.handle(OPEN, Body::new().text("d/f").number(UPLOAD).number(PERMISSIONS).number(0o664));
        assert_eq!(close(&mut raw, &handle), OK);
        let shown = Command::new("getfacl").arg("-p").arg(place.path("d/f")).output().unwrap();
        fs::remove_file(place.path("d/f")).unwrap();
        String::from_utf8(shown.stdout).unwrap()
    });
    assert!(seen[0].contains("user:bin:rw-") && seen[0].contains("group: daemon"), "{}", seen[0]);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn what_is_resumed_appended_to_or_only_opened_is_the_file_itself() {
    let place = Place::new();
    place.put("f", "old");
    let before = fs::metadata(place.path("f")).unwrap().ino();
    let mut raw = place.session(&ATOMIC);
    for flags in [2, 2 | 8, 2 | APPEND, 1 | 2, 1 | 8 | TRUNCATE] {
        let handle = raw.open_file("f", flags);
        if flags & 2 != 0 {
            assert_eq!(raw.write(&handle, 0, b"x"), OK);
        }
        assert_eq!(close(&mut raw, &handle), OK);
    }
    assert_eq!(fs::metadata(place.path("f")).unwrap().ino(), before);
    assert_eq!(place.read("f"), b"xldx");
}

#[test]
fn mode_acl_and_links_stay_what_they_were() {
    let place = Place::new();
    place.put("f", "old");
    fs::set_permissions(place.path("f"), fs::Permissions::from_mode(0o640)).unwrap();
    let acl = Command::new("setfacl").args(["-m", "u:1:rw"]).arg(place.path("f")).status();
    assert!(acl.unwrap().success());
    symlink("f", place.path("link")).unwrap();
    let mut raw = place.session(&ATOMIC);
    let open = Body::new().text("link").number(UPLOAD).number(PERMISSIONS).number(0o777);
    let handle = raw.handle(OPEN, open);
    assert_eq!(raw.write(&handle, 0, b"new"), OK);
    assert_eq!(close(&mut raw, &handle), OK);
    let shown = Command::new("getfacl").args(["-cp"]).arg(place.path("f")).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("user:daemon:rw-") && shown.contains("group::r--"), "{shown}");
    assert_eq!(fs::metadata(place.path("f")).unwrap().mode() & 0o7777, 0o660, "the mask of the ACL");
    assert_eq!((place.read("f"), place.names()), (b"new".to_vec(), vec!["f".to_owned(), "link".to_owned()]));
    assert!(fs::symlink_metadata(place.path("link")).unwrap().is_symlink());
    let handle = raw.handle(OPEN, Body::new().text("new").number(UPLOAD).number(PERMISSIONS).number(0o666));
    assert_eq!(close(&mut raw, &handle), OK);
    assert_eq!(fs::metadata(place.path("new")).unwrap().mode() & 0o7777, 0o644, "by the umask");
}

#[test]
fn what_becomes_of_the_name_meanwhile_does_not_stop_an_upload() {
    let place = Place::new();
    place.put("f", "old");
    let mut raw = place.session(&ATOMIC);
    let (moved, removed) = (raw.open_file("f", UPLOAD), raw.open_file("f", UPLOAD));
    assert_eq!(raw.write(&moved, 0, b"one"), OK);
    assert_eq!(raw.write(&removed, 0, b"two"), OK);
    assert_eq!(raw.status(RENAME, Body::new().text("f").text("kept")), OK);
    assert_eq!(close(&mut raw, &moved), OK);
    assert_eq!((place.read("kept"), place.read("f")), (b"old".to_vec(), b"one".to_vec()));
    assert_eq!(raw.status(REMOVE, Body::new().text("f")), OK);
    assert_eq!(close(&mut raw, &removed), OK);
    assert_eq!(place.read("f"), b"two");
    // A directory has taken the name: the upload is refused, and nothing of it is left.
    let handle = raw.open_file("f", UPLOAD);
    assert_eq!(raw.status(REMOVE, Body::new().text("f")), OK);
    assert_eq!(raw.status(MKDIR, Body::new().text("f").number(0)), OK);
    assert_eq!(close(&mut raw, &handle), FAILURE);
    assert_eq!(close(&mut raw, &handle), FAILURE, "it is closed all the same");
    assert_eq!(place.names(), ["f", "kept"]);
    // The directory around it has moved, or has gone.
    let handle = raw.open_file("f/inner", UPLOAD);
    assert_eq!(raw.status(RENAME, Body::new().text("f").text("g")), OK);
    assert_eq!(close(&mut raw, &handle), OK);
    assert_eq!(fs::read(place.path("g/inner")).unwrap(), b"");
    let handle = raw.open_file("g/gone", UPLOAD);
    fs::remove_dir_all(place.path("g")).unwrap();
    assert_eq!(close(&mut raw, &handle), NO_SUCH_FILE);
}

#[test]
fn where_no_name_can_be_made_beside_it_a_file_is_written_in_place() {
    let place = Place::new();
    fs::create_dir(place.path("of-root")).unwrap();
    place.put("of-root/f", "old");
    let before = fs::metadata(place.path("of-root/f")).unwrap().ino();
    place.put("read-only", "old");
    fs::set_permissions(place.path("read-only"), fs::Permissions::from_mode(0o444)).unwrap();
    // Like /tmp, with a file of somebody else's that everybody may write.
    fs::create_dir(place.path("sticky")).unwrap();
    fs::set_permissions(place.path("sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(place.path("sticky/f"), "old").unwrap();
    fs::set_permissions(place.path("sticky/f"), fs::Permissions::from_mode(0o666)).unwrap();
    let mut raw = place.session(&ATOMIC);
    for name in ["of-root/f", "sticky/f"] {
        let handle = raw.open_file(name, UPLOAD);
        assert_eq!(raw.write(&handle, 0, b"new"), OK);
        assert_eq!(close(&mut raw, &handle), OK);
        assert_eq!(fs::read(place.path(name)).unwrap(), b"new");
    }
    assert_eq!(fs::metadata(place.path("of-root/f")).unwrap().ino(), before);
    assert_eq!(fs::metadata(place.path("sticky/f")).unwrap().uid(), 0);
    let open = |name: &str| Body::new().text(name).number(UPLOAD).number(0);
    assert_eq!(raw.status(OPEN, open("read-only")), PERMISSION_DENIED);
    assert_eq!(raw.status(OPEN, open("of-root/new")), PERMISSION_DENIED);
    assert_eq!(raw.status(OPEN, open("of-root")), FAILURE);
    assert_eq!(raw.status(OPEN, open("none/f")), NO_SUCH_FILE);
}

/// What somebody else owns and this user may write becomes this user's, and stays with the group.
#[test]
fn a_file_of_somebody_else_is_replaced_by_one_that_says_who_wrote_it() {
    let place = Place::new();
    fs::write(place.path("f"), "old").unwrap();
    chown(place.path("f"), Some(0), Some(USER)).unwrap();
    fs::set_permissions(place.path("f"), fs::Permissions::from_mode(0o660)).unwrap();
    fs::write(place.path("g"), "old").unwrap();
    chown(place.path("g"), Some(USER), Some(0)).unwrap();
    fs::set_permissions(place.path("g"), fs::Permissions::from_mode(0o674)).unwrap();
    let mut raw = place.session(&ATOMIC);
    for name in ["f", "g"] {
        let handle = raw.open_file(name, UPLOAD);
        assert_eq!(close(&mut raw, &handle), OK);
    }
    let owner = |name: &str| {
        let status = fs::metadata(place.path(name)).unwrap();
        (status.uid(), status.gid(), status.mode() & 0o7777)
    };
    assert_eq!(owner("f"), (USER, USER, 0o660));
    assert_eq!(owner("g"), (USER, USER, 0o644), "its group gets what others have");
}

#[test]
fn a_name_that_must_be_new_is_taken_at_the_end_by_one() {
    let place = Place::new();
    let mut raw = place.session(&ATOMIC);
    let flags = 2 | 8 | EXCLUSIVE;
    let (first, second) = (raw.open_file("f", flags), raw.open_file("f", flags));
    assert_eq!(raw.write(&first, 0, b"first"), OK);
    assert_eq!(raw.write(&second, 0, b"second"), OK);
    assert_eq!((close(&mut raw, &first), close(&mut raw, &second)), (OK, FAILURE));
    assert_eq!(raw.status(OPEN, Body::new().text("f").number(flags).number(0)), FAILURE);
    assert_eq!((place.read("f"), place.names()), (b"first".to_vec(), vec!["f".to_owned()]));
}
