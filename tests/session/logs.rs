//! `--log`: what a session says of what it has done.

use std::io::Read;
use std::os::fd::OwnedFd;

use super::Place;
use crate::raw::*;

#[test]
fn transfers_changes_and_totals_are_lines() {
    let place = Place::new();
    place.put("f", "0123456789");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let writer = OwnedFd::from(writer);
    let mut raw = place.logged(&writer);
    drop(writer);
    let looked_at = raw.open_file("f", 1);
    raw.status(CLOSE, Body::new().text(&looked_at));
    let read = raw.open_file("./f", 1);
    raw.read(&read, 0, 4).unwrap();
    raw.read(&read, 4, 100).unwrap();
    raw.status(CLOSE, Body::new().text(&read));
    let written = raw.open_file("a \"b\n", READ_WRITE_CREATE);
    raw.write(&written, 0, b"123");
    raw.read(&written, 0, 2).unwrap();
    raw.write(&written, u64::MAX, b"4");
    raw.status(FSETSTAT, Body::new().text(&written).number(PERMISSIONS).number(0o600));
    raw.status(CLOSE, Body::new().text(&written));
    raw.status(MKDIR, Body::new().text("d").number(0));
    raw.status(MKDIR, Body::new().text("d").number(0));
    raw.status(RENAME, Body::new().text("f").text("d/f"));
    raw.status(SYMLINK, Body::new().text("target").text("link"));
    raw.status(EXTENDED, Body::new().text("hardlink@openssh.com").text("d/f").text("hard"));
    raw.status(SETSTAT, Body::new().text("hard").number(TIMES).number(1).number(1));
    raw.status(REMOVE, Body::new().text("link"));
    raw.status(REMOVE, Body::new().text("none"));
    raw.status(RMDIR, Body::new().text("d"));
    let open = raw.open_file("left open", 2 | 8);
    raw.write(&open, 0, b"12345");
    raw.ends();
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(
        said,
        "get path=\"./f\" bytes=10\n\
         setstat path=\"a \\\"b\\x0a\"\n\
         put path=\"a \\\"b\\x0a\" bytes=3 error=\"File too large\"\n\
         get path=\"a \\\"b\\x0a\" bytes=2 error=\"File too large\"\n\
         mkdir path=\"d\"\n\
         rename path=\"f\" to=\"d/f\"\n\
         symlink path=\"link\" target=\"target\"\n\
         link path=\"d/f\" to=\"hard\"\n\
         setstat path=\"hard\"\n\
         remove path=\"link\"\n\
         put path=\"left open\" bytes=5 error=\"the session ended before the file was closed\"\n\
         total read=12 written=8 requests=23\n"
    );
}

#[test]
fn a_log_that_nobody_reads_ends_no_session() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let writer = OwnedFd::from(writer);
    let mut raw = place.logged(&writer);
    drop((reader, writer));
    for name in ["a", "b"] {
        assert_eq!(raw.status(MKDIR, Body::new().text(name).number(0)), OK);
    }
    assert_eq!(place.names(), ["a", "b"]);
    raw.ends();
}
