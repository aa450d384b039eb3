//! Leases: what may be stored, and what is said of what may not.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{Agent, Use};
use crate::raw::*;
use crate::scp::{Place as ScpPlace, Run};
use crate::session::Place;

const ATOMIC: [&str; 2] = ["--uploads", "atomic"];
const UPLOAD: u32 = 2 | 8 | TRUNCATE;
const MUCH: Use = (1 << 40, 1000);
const REFUSED: &str = "Disk quota exceeded: the quota of this account is 1000 bytes";

/// Code and message of a refusal.
fn refusal(raw: &mut Raw, kind: u8, body: Body) -> (u32, String) {
    let (kind, body) = raw.ask(kind, body);
    assert_eq!(kind, STATUS, "{body:?}");
    let length = number(&body[4..]) as usize;
    (number(&body), String::from_utf8(body[8..8 + length].to_vec()).unwrap())
}

fn close(raw: &mut Raw, handle: &[u8]) -> u32 {
    raw.status(CLOSE, Body::new().text(handle))
}

fn writing(handle: &[u8], offset: u64, length: usize) -> Body {
    Body::new().text(handle).long(offset).text(vec![b'x'; length])
}

fn renaming(extension: &str, from: &str, to: &str) -> Body {
    Body::new().text(extension).text(from).text(to)
}

/// What is in files, each once.
fn stored(place: &Place) -> Use {
    let mut found: Vec<_> = place.names().iter().map(|name| fs::metadata(place.path(name)).unwrap()).collect();
    found.retain(fs::Metadata::is_file);
    found.sort_by_key(MetadataExt::ino);
    found.dedup_by_key(|status| status.ino());
    (found.iter().map(MetadataExt::size).sum(), found.len() as u64)
}

#[test]
fn a_refused_upload_names_the_quota_and_leaves_the_old_file_whole() {
    let place = Place::new();
    place.put("f", "the old one");
    let agent = Agent::start((1000, 10), (11, 1));
    let mut raw = agent.session(place.path("").as_path(), &ATOMIC);
    let handle = raw.open_file("f", UPLOAD);
    assert_eq!(raw.write(&handle, 0, &[b'x'; 900]), OK);
    assert_eq!(refusal(&mut raw, WRITE, writing(&handle, 900, 100)), (FAILURE, REFUSED.to_owned()));
    assert_eq!(refusal(&mut raw, CLOSE, Body::new().text(&handle)), (FAILURE, REFUSED.to_owned()));
    assert_eq!((place.read("f"), place.names()), (b"the old one".to_vec(), vec!["f".to_owned()]));
    // Its room has come back; what fits is replaced.
    let handle = raw.open_file("f", UPLOAD);
    assert_eq!((raw.write(&handle, 0, &[b'y'; 989]), close(&mut raw, &handle)), (OK, OK));
    raw.ends();
    assert_eq!((stored(&place), agent.end()), ((989, 1), (989, 1)));
}

#[test]
fn the_number_of_files_is_a_limit_of_its_own() {
    let place = Place::new();
    for options in [&[][..], &ATOMIC] {
        let agent = Agent::start((1000, 2), (0, 0));
        let mut raw = agent.session(place.path("").as_path(), options);
        for name in ["a", "b"] {
            let handle = raw.open_file(name, UPLOAD);
            close(&mut raw, &handle);
        }
        let told = "Disk quota exceeded: the quota of this account is 2 files".to_owned();
        let open = Body::new().text("c").number(UPLOAD).number(NO_ATTRIBUTES);
        assert_eq!(refusal(&mut raw, OPEN, open), (FAILURE, told));
        assert_eq!(raw.status(MKDIR, Body::new().text("d").number(0)), OK, "no file");
        assert_eq!(raw.status(SYMLINK, Body::new().text("a").text("link")), OK);
        assert_eq!(raw.status(EXTENDED, renaming("hardlink@openssh.com", "a", "hard")), OK);
        assert_eq!(raw.status(REMOVE, Body::new().text("b")), OK);
        let handle = raw.open_file("c", UPLOAD);
        assert_eq!(close(&mut raw, &handle), OK);
        for name in ["a", "hard", "c", "link"] {
            assert_eq!(raw.status(REMOVE, Body::new().text(name)), OK);
        }
        assert_eq!(raw.status(RMDIR, Body::new().text("d")), OK);
        raw.ends();
        assert_eq!(agent.end(), (0, 0));
    }
}

/// What is done, how, and what is stored then.
type Storing = (&'static str, fn(&mut Raw), Use);

/// Each way around a quota that was found in some server.
#[test]
fn what_is_stored_is_what_was_leased_however_it_was_stored() {
    let stores: [Storing; 12] = [
        ("beyond a hole", |raw| far(raw, 1 << 30), ((1 << 30) + 1, 2)),
        ("stretched by its handle", |raw| stretch(raw, FSETSTAT), (5000, 2)),
        ("stretched by its path", |raw| stretch(raw, SETSTAT), (5000, 2)),
        ("overwritten", |raw| put(raw, "old", UPLOAD, 30), (30, 1)),
        ("overwritten in place", |raw| put(raw, "old", 2, 30), (100, 1)),
        ("resumed", |raw| put(raw, "old", 2 | 8, 130), (130, 1)),
        ("appended", |raw| put(raw, "old", 2 | APPEND, 30), (130, 1)),
        ("renamed over", |raw| (put(raw, "new", UPLOAD, 30), over(raw)).1, (30, 1)),
        ("linked", link, (100, 1)),
        ("copied", copy, (200, 2)),
        ("removed while open", remove_open, (0, 0)),
        ("emptied", |raw| put(raw, "old", 1 | 2 | TRUNCATE, 0), (0, 1)),
    ];
    for (name, store, expected) in stores {
        for options in [&[][..], &ATOMIC] {
            let place = Place::new();
            place.put("old", [b'o'; 100]);
            let agent = Agent::start(MUCH, (100, 1));
            let mut raw = agent.session(place.path("").as_path(), options);
            store(&mut raw);
            raw.ends();
            let expected = if name.starts_with("beyond") || name.starts_with("stretched") {
                (expected.0 + 100, expected.1)
            } else {
                expected
            };
            assert_eq!((stored(&place), agent.end()), (expected, expected), "{name} {options:?}");
        }
    }
}

fn put(raw: &mut Raw, name: &str, flags: u32, length: usize) {
    let handle = raw.open_file(name, flags);
    assert_eq!(raw.write(&handle, 0, &vec![b'n'; length]), OK);
    assert_eq!(close(raw, &handle), OK);
}

fn far(raw: &mut Raw, offset: u64) {
    let handle = raw.open_file("far", UPLOAD);
    assert_eq!(raw.write(&handle, offset, b"x"), OK);
    assert_eq!(close(raw, &handle), OK);
}

fn stretch(raw: &mut Raw, kind: u8) {
    let handle = raw.open_file("new", READ_WRITE_CREATE);
    for size in [9000, 5000] {
        let of = if kind == FSETSTAT { Body::new().text(&handle) } else { Body::new().text("new") };
        assert_eq!(raw.status(kind, of.number(SIZE).long(size)), OK);
    }
}

fn over(raw: &mut Raw) {
    assert_eq!(raw.status(EXTENDED, renaming("posix-rename@openssh.com", "new", "old")), OK);
}

fn link(raw: &mut Raw) {
    assert_eq!(raw.status(EXTENDED, renaming("hardlink@openssh.com", "old", "hard")), OK);
    assert_eq!(raw.status(REMOVE, Body::new().text("old")), OK);
}

fn copy(raw: &mut Raw) {
    let (source, target) = (raw.open_file("old", 1), raw.open_file("copy", UPLOAD));
    let body = Body::new().text("copy-data").text(&source).long(0).long(0).text(&target).long(0);
    assert_eq!(raw.status(EXTENDED, body), OK);
    assert_eq!(close(raw, &target), OK);
}

fn remove_open(raw: &mut Raw) {
    let handle = raw.open_file("old", 1 | 2);
    assert_eq!(raw.status(REMOVE, Body::new().text("old")), OK);
    assert_eq!(raw.write(&handle, 100, &[b'x'; 50]), OK);
}

#[test]
fn ways_around_are_refused_where_there_is_no_room() {
    let place = Place::new();
    place.put("old", [b'o'; 600]);
    let agent = Agent::start((1000, 10), (600, 1));
    let mut raw = agent.session(place.path("").as_path(), &[]);
    let (source, target) = (raw.open_file("old", 1), raw.open_file("new", READ_WRITE_CREATE));
    let copy = Body::new().text("copy-data").text(&source).long(0).long(0).text(&target).long(0);
    let refused = (FAILURE, REFUSED.to_owned());
    assert_eq!(refusal(&mut raw, EXTENDED, copy), refused);
    assert_eq!(refusal(&mut raw, WRITE, writing(&target, 1 << 40, 1)), refused);
    assert_eq!(refusal(&mut raw, FSETSTAT, Body::new().text(&target).number(SIZE).long(401)), refused);
    assert_eq!(refusal(&mut raw, SETSTAT, Body::new().text("new").number(SIZE).long(401)), refused);
    assert_eq!(raw.status(SETSTAT, Body::new().text("new").number(SIZE).long(400)), OK);
    assert_eq!(raw.status(SETSTAT, Body::new().text("old").number(SIZE).long(10)), OK);
    assert_eq!(raw.write(&target, 989, b"x"), OK, "what was freed can be used");
    raw.ends();
    assert_eq!((stored(&place), agent.end()), ((1000, 2), (1000, 2)));
}

#[test]
fn a_file_can_be_replaced_where_there_is_no_room_for_one_more() {
    for options in [&[][..], &ATOMIC] {
        let place = Place::new();
        place.put("f", [b'o'; 100]);
        let agent = Agent::start((1000, 1), (100, 1));
        let mut raw = agent.session(place.path("").as_path(), options);
        put(&mut raw, "f", UPLOAD, 30);
        let told = "Disk quota exceeded: the quota of this account is 1 files".to_owned();
        for flags in [UPLOAD, UPLOAD | 32] {
            let open = Body::new().text("g").number(flags).number(NO_ATTRIBUTES);
            assert_eq!(refusal(&mut raw, OPEN, open), (FAILURE, told.clone()));
        }
        raw.ends();
        assert_eq!((place.read("f").len(), place.names().len(), agent.end()), (30, 1, (30, 1)));
    }
}

/// Under one of its names a new file would be a second one.
#[test]
fn a_file_with_several_names_is_written_in_place() {
    let place = Place::new();
    place.put("f", [b'o'; 100]);
    fs::hard_link(place.path("f"), place.path("g")).unwrap();
    let agent = Agent::start((1000, 10), (100, 1));
    let mut raw = agent.session(place.path("").as_path(), &ATOMIC);
    put(&mut raw, "f", UPLOAD, 30);
    assert_eq!(place.read("g"), [b'n'; 30]);
    raw.ends();
    assert_eq!(agent.end(), (30, 1));
}

#[test]
fn the_room_that_is_shown_is_that_of_the_account() {
    let place = Place::new();
    let agent = Agent::start((40 << 20, 12), (10 << 20, 3));
    let mut raw = agent.session(place.path("").as_path(), &[]);
    let handle = raw.open_file("f", READ_WRITE_CREATE);
    for body in
        [Body::new().text("statvfs@openssh.com").text("."), Body::new().text("fstatvfs@openssh.com").text(&handle)]
    {
        let (kind, body) = raw.ask(EXTENDED, body);
        assert_eq!(kind, EXTENDED_REPLY);
        let fields: Vec<u64> = body.chunks(8).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap())).collect();
        let [_, size, blocks, free, available, files, files_free, ..] = fields[..] else { panic!("{fields:?}") };
        assert_eq!((blocks * size, free * size, available * size), (40 << 20, 30 << 20, 30 << 20));
        // What is leased for the file that is open is used.
        assert!(files == 12 && files_free < 9, "{files} {files_free}");
    }
}

#[test]
fn scp_says_the_same_and_keeps_the_old_file() {
    let place = ScpPlace::new();
    place.put_remote("f", "the old one");
    let agent = Agent::start((1000, 10), (11, 1));
    let options = ["scp", "--quota", "9", "--quota-backend", "ledger", "--uploads", "atomic", "--", "-t", "."];
    let mut run = Run::spawn(logged(&agent.socket, &place.remote(""), &options));
    run.ok();
    run.record("C0644 990 f");
    run.send([&[b'x'; 990][..], b"\0"].concat());
    assert_eq!(run.refused(), format!("scp: ./f: {REFUSED}"));
    run.record("C0644 989 g");
    run.send([&[b'x'; 989][..], b"\0"].concat());
    run.ok();
    assert_eq!(run.end().1, 1);
    assert_eq!(fs::read(place.remote("f")).unwrap(), b"the old one");
    assert_eq!(fs::read_dir(place.remote("")).unwrap().count(), 2);
    assert_eq!(agent.end(), (1000, 2));
}

#[test]
fn without_an_answer_nothing_is_stored() {
    let place = Place::new();
    place.put("f", "old");
    let (socket, other) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(other);
    let quota = ["sftp", "--quota", "9", "--quota-backend", "ledger"];
    let mut raw = Raw::spawn(logged(&socket.into(), place.path("").as_path(), &quota));
    raw.greet();
    let told = "Nothing can be stored now: the quota of this account can not be asked for".to_owned();
    let handle = raw.open_file("f", 1 | 2);
    assert_eq!(refusal(&mut raw, WRITE, writing(&handle, 0, 4)), (FAILURE, told.clone()));
    let open = Body::new().text("new").number(UPLOAD).number(NO_ATTRIBUTES);
    assert_eq!(refusal(&mut raw, OPEN, open), (FAILURE, told));
    assert_eq!(raw.write(&handle, 0, b"new"), OK, "what does not grow costs nothing");
    assert_eq!(raw.status(REMOVE, Body::new().text("f")), OK);
}
