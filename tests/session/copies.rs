//! copy-data, files far beyond what there is room for, and holes.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Place;
use crate::raw::*;

fn copy(from: &[u8], at: u64, length: u64, to: &[u8], place: u64) -> Body {
    Body::new().text("copy-data").text(from).long(at).long(length).text(to).long(place)
}

#[test]
fn a_copy_goes_from_one_file_system_to_another() {
    let place = Place::new();
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    place.put("source", &content);
    // A file system in memory; `/tmp` may or may not be one.
    let shared = tempfile::Builder::new().tempfile_in("/dev/shm").unwrap();
    std::os::unix::fs::chown(shared.path(), Some(USER), Some(USER)).unwrap();
    let mut raw = place.session(&[]);
    let (source, here) = (raw.open_file("source", 1), raw.open_file("here", READ_WRITE_CREATE));
    let there = raw.open_file(shared.path().to_str().unwrap(), 1 | 2);
    assert_eq!(raw.status(EXTENDED, copy(&source, 0, 0, &there, 0)), OK);
    assert!(fs::read(shared.path()).unwrap() == content);
    assert_eq!(raw.status(EXTENDED, copy(&there, 1_000_000, 500_000, &here, 7)), OK);
    let copied = place.read("here");
    assert!(copied.len() == 500_007 && copied[7..] == content[1_000_000..1_500_000]);
    // What the kernel makes up has no size, and bytes all the same.
    let made_up = raw.open_file("/proc/self/stat", 1);
    let target = raw.open_file("stat", READ_WRITE_CREATE);
    assert_eq!(raw.status(EXTENDED, copy(&made_up, 0, 0, &target, 0)), OK);
    assert!(place.read("stat").len() > 50);
}

#[test]
fn a_copy_within_one_file_overwrites_nothing_that_it_reads() {
    let place = Place::new();
    place.put("f", "0123456789");
    let mut raw = place.session(&[]);
    let (one, two) = (raw.open_file("f", 1 | 2), raw.open_file("f", 1 | 2));
    for (from, length, to) in [(0, 5, 4), (4, 5, 0), (0, 0, 9), (0, 0, 0), (3, 1, 3)] {
        for handle in [&one, &two] {
            assert_eq!(raw.status(EXTENDED, copy(&one, from, length, handle, to)), FAILURE, "{from} {length} {to}");
        }
    }
    assert_eq!(place.read("f"), b"0123456789");
    assert_eq!(raw.status(EXTENDED, copy(&one, 0, 5, &one, 5)), OK);
    assert_eq!(raw.status(EXTENDED, copy(&one, 0, 0, &two, 10)), OK, "to the end as it is now");
    assert_eq!(place.read("f"), b"01234012340123401234");
    let appended = raw.open_file("f", 1 | 2 | APPEND);
    assert_eq!(raw.status(EXTENDED, copy(&one, 18, 0, &appended, 0)), OK, "its place is the end");
    assert_eq!(place.read("f"), b"0123401234012340123434");
}

#[test]
fn a_terabyte_further_on_is_a_place_like_any_other() {
    let place = Place::new();
    let mut raw = place.session(&[]);
    let handle = raw.open_file("far", READ_WRITE_CREATE);
    let far = 3 << 40;
    assert_eq!(raw.write(&handle, far, b"far"), OK);
    assert_eq!(raw.read(&handle, far - 2, 100).unwrap(), b"\0\0far");
    assert_eq!(raw.attributes(FSTAT, &handle).size, far + 3);
    let target = raw.open_file("copy", READ_WRITE_CREATE);
    assert_eq!(raw.status(EXTENDED, copy(&handle, far, 0, &target, 2 << 40)), OK);
    assert_eq!(raw.read(&target, 2 << 40, 10).unwrap(), b"far");
    assert!(fs::metadata(place.path("copy")).unwrap().blocks() < 100);
}

/// As `reput` does: opened without truncation, written from where the other end has stopped.
#[test]
fn what_is_resumed_keeps_its_holes() {
    for options in [&[][..], &["--uploads", "atomic"]] {
        let place = Place::new();
        let mut raw = place.session(&[]);
        let handle = raw.open_file("f", READ_WRITE_CREATE);
        assert_eq!(raw.write(&handle, 0, b"begin"), OK);
        assert_eq!(raw.write(&handle, 64 << 20, b"middle"), OK);
        assert_eq!(raw.status(CLOSE, Body::new().text(&handle)), OK);
        let before = fs::metadata(place.path("f")).unwrap();
        let mut raw = place.session(options);
        let handle = raw.open_file("f", 2 | 8);
        assert_eq!(raw.write(&handle, (64 << 20) + 6, b"end"), OK);
        assert_eq!(raw.status(CLOSE, Body::new().text(&handle)), OK);
        let after = fs::metadata(place.path("f")).unwrap();
        assert_eq!((after.ino(), after.len(), after.blocks()), (before.ino(), (64 << 20) + 9, before.blocks()));
        assert!(place.read("f").ends_with(b"middleend"));
    }
}
