//! The requests of the extensions that both have.

use super::Side;
use super::script::{CREATE, READ_ONLY, WRITE_ONLY, close, make, open, path};
use crate::raw::*;

pub fn run(side: &mut Side) {
    file_systems(side);
    homes_and_names(side);
    copies(side);
}

fn file_systems(side: &mut Side) {
    let handle = open(side, "open for its file system", "there", READ_ONLY);
    let extended = |name: &str, text: &[u8]| Body::new().text(name).text(text);
    for name in ["there", ".", "missing", "/proc", "/dev"] {
        side.ask(&format!("statvfs {name}"), EXTENDED, extended("statvfs@openssh.com", name.as_bytes()));
    }
    side.ask("fstatvfs", EXTENDED, extended("fstatvfs@openssh.com", &handle));
    side.ask("fstatvfs of a wrong handle", EXTENDED, extended("fstatvfs@openssh.com", b"wrong"));
    side.ask("fsync", EXTENDED, extended("fsync@openssh.com", &handle));
    side.ask("fsync of a wrong handle", EXTENDED, extended("fsync@openssh.com", b"wrong"));
    side.ask("limits", EXTENDED, Body::new().text("limits@openssh.com"));
    close(side, "file system", &handle);
}

fn homes_and_names(side: &mut Side) {
    for text in [
        "~",
        "~/",
        "~/x",
        "~/./a-dir/..",
        "~root",
        "~root/x",
        "~root/../etc",
        "~no-such-user",
        "x",
        "",
        "/",
        "a-dir/~",
        "~/no/such/x",
        "~~",
    ] {
        side.ask(&format!("expand-path {text}"), EXTENDED, Body::new().text("expand-path@openssh.com").text(text));
    }
    for name in ["root", "no-such-user", "", "~"] {
        side.ask(&format!("home-directory of {name}"), EXTENDED, Body::new().text("home-directory").text(name));
    }
    let ids = |ids: &[u32]| ids.iter().flat_map(|id| id.to_be_bytes()).collect::<Vec<u8>>();
    for (what, users, groups) in [
        ("both", ids(&[0, 1, 0]), ids(&[0, 1])),
        ("users alone", ids(&[0]), ids(&[])),
        ("groups alone", ids(&[]), ids(&[0, 4_000_000_000])),
        ("nothing", ids(&[]), ids(&[])),
        ("ids of nobody", ids(&[3_999_999_999, u32::MAX, 2]), ids(&[u32::MAX])),
    ] {
        let body = Body::new().text("users-groups-by-id@openssh.com").text(users).text(groups);
        side.ask(&format!("users-groups-by-id of {what}"), EXTENDED, body);
    }
}

fn copies(side: &mut Side) {
    make(side, "source", b"0123456789");
    let source = open(side, "open the source", "source", READ_ONLY | WRITE_ONLY);
    let second = open(side, "open the source again", "source", READ_ONLY | WRITE_ONLY);
    let target = open(side, "open the target", "target", READ_WRITE_CREATE);
    let appended = open(side, "open to append a copy", "appended", WRITE_ONLY | CREATE | APPEND);
    let only_read = open(side, "open the target to read", "target", READ_ONLY);
    let directory = side.ask("opendir for a copy", OPENDIR, path("."));
    let copy = |from: &[u8], at: u64, length: u64, to: &[u8], place: u64| {
        Body::new().text("copy-data").text(from).long(at).long(length).text(to).long(place)
    };
    for (what, body) in [
        ("everything", copy(&source, 0, 0, &target, 0)),
        ("a part behind it", copy(&source, 2, 3, &target, 10)),
        ("nothing, from the end", copy(&source, 10, 0, &target, 5)),
        ("from beyond the end", copy(&source, 100, 0, &target, 5)),
        ("more than there is", copy(&source, 5, 100, &target, 20)),
        ("much more than there is", copy(&source, 5, 10_000_000, &target, 30)),
        ("far away", copy(&source, 0, 1, &target, 1 << 40)),
        ("beyond what there can be", copy(&source, 0, 1, &target, u64::MAX)),
        ("from beyond what there can be", copy(&source, u64::MAX, 1, &target, 0)),
        ("to what is appended to", copy(&source, 0, 4, &appended, 100)),
        ("to what is appended to again", copy(&source, 4, 0, &appended, 0)),
        ("to what is only read", copy(&source, 0, 1, &only_read, 0)),
        ("from what is only written", copy(&appended, 0, 1, &target, 0)),
        ("from a directory", copy(&directory, 0, 1, &target, 0)),
        ("to a directory", copy(&source, 0, 1, &directory, 0)),
        ("from a wrong handle", copy(b"wrong", 0, 1, &target, 0)),
        ("to a wrong handle", copy(&source, 0, 1, b"wrong", 0)),
        ("over itself by one handle", copy(&source, 0, 5, &source, 2)),
        ("over itself by two handles", copy(&source, 0, 5, &second, 2)),
        ("beside itself by one handle", copy(&source, 0, 2, &source, 10)),
        ("beside itself by two handles", copy(&source, 0, 2, &second, 10)),
        ("to its own end", copy(&source, 0, 0, &second, 12)),
    ] {
        side.ask(&format!("copy {what}"), EXTENDED, body);
    }
    side.ask("read what was copied", READ, path(&target).long(0).number(100));
    side.ask("size of what was copied", FSTAT, path(&target));
    side.ask("the copy is no larger than it has to be", FSETSTAT, path(&target).number(SIZE).long(40));
    for handle in [source, second, target, appended, only_read, directory] {
        let request = format!("copies {}", side.answers.len());
        close(side, &request, &handle);
    }
}
