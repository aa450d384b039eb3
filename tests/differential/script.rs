//! The requests.

use super::{Side, extensions};
use crate::raw::*;

pub const READ_ONLY: u32 = 1;
pub const WRITE_ONLY: u32 = 2;
pub const CREATE: u32 = 8;

pub fn run(side: &mut Side) {
    names(side);
    ways_to_open(side);
    offsets(side);
    attributes(side);
    links_and_renames(side);
    directories(side);
    handles(side);
    extensions::run(side);
}

pub fn path(text: impl AsRef<[u8]>) -> Body {
    Body::new().text(text)
}

pub fn open(side: &mut Side, request: &str, name: impl AsRef<[u8]>, flags: u32) -> Vec<u8> {
    side.ask(request, OPEN, path(name).number(flags).number(NO_ATTRIBUTES))
}

pub fn close(side: &mut Side, request: &str, handle: &[u8]) {
    side.ask(&format!("{request}: close"), CLOSE, path(handle));
}

/// A file with that content.
pub fn make(side: &mut Side, name: &str, content: &[u8]) {
    let request = format!("make {name}");
    let handle = open(side, &request, name, WRITE_ONLY | CREATE | TRUNCATE);
    side.ask(&format!("{request}: write"), WRITE, path(&handle).long(0).text(content));
    close(side, &request, &handle);
}

/// Made, looked at, renamed and removed under every kind of name.
fn names(side: &mut Side) {
    let long = vec![b'n'; 255];
    let too_long = vec![b'n'; 256];
    let names: [(&str, &[u8]); 17] = [
        ("plain", b"plain"),
        ("a space", b"a space"),
        ("a space alone", b" "),
        ("no UTF-8", b"\xff\xfe\x80"),
        ("UTF-8", "\u{fc}\u{1f600}".as_bytes()),
        ("a line break", b"a\nb"),
        ("control bytes", b"\x01\x1b[31m\x7f"),
        ("a quote", b"'\"`$(x)"),
        ("a backslash", b"a\\b"),
        ("a star", b"*"),
        ("a dash", b"-rf"),
        ("a tilde", b"~"),
        ("a hidden name", b".hidden"),
        ("three dots", b"..."),
        ("255 bytes", &long),
        ("256 bytes", &too_long),
        ("a slash behind", b"behind/"),
    ];
    for (kind, name) in names {
        let handle = open(side, &format!("name, {kind}"), name, READ_WRITE_CREATE | EXCLUSIVE);
        side.ask(&format!("name, {kind}: write"), WRITE, path(&handle).long(0).text(name));
        side.ask(&format!("name, {kind}: read"), READ, path(&handle).long(0).number(400));
        close(side, &format!("name, {kind}"), &handle);
        side.ask(&format!("name, {kind}: stat"), STAT, path(name));
        side.ask(&format!("name, {kind}: realpath"), REALPATH, path(name));
        let renamed = [b"r", name].concat();
        side.ask(&format!("name, {kind}: rename"), RENAME, path(name).text(&renamed));
        side.ask(&format!("name, {kind}: lstat"), LSTAT, path(&renamed));
        side.ask(&format!("name, {kind}: remove"), REMOVE, path(&renamed));
    }
    for (kind, name) in [("no name", &b""[..]), ("a dot", b"."), ("a slash", b"/"), ("5000 bytes", &[b'/'; 5000])] {
        side.ask(&format!("name, {kind}: stat"), STAT, path(name));
        side.ask(&format!("name, {kind}: realpath"), REALPATH, path(name));
        open(side, &format!("name, {kind}: open"), name, READ_ONLY);
        side.ask(&format!("name, {kind}: mkdir"), MKDIR, path(name).number(0));
    }
}

fn ways_to_open(side: &mut Side) {
    make(side, "there", b"0123456789");
    side.ask("mkdir a-dir", MKDIR, path("a-dir").number(0));
    side.ask("symlink to there", SYMLINK, path("there").text("to-there"));
    side.ask("symlink to nothing", SYMLINK, path("made-through").text("to-nothing"));
    let flags: [(&str, u32); 13] = [
        ("to do nothing", 0),
        ("to read", READ_ONLY),
        ("to write", WRITE_ONLY),
        ("to read and write", READ_ONLY | WRITE_ONLY),
        ("to append", WRITE_ONLY | APPEND),
        ("to append alone", APPEND),
        ("to read and append", READ_ONLY | WRITE_ONLY | APPEND),
        ("to read, truncated", READ_ONLY | TRUNCATE),
        ("to read, exclusively", READ_ONLY | EXCLUSIVE),
        ("to read, made", READ_ONLY | CREATE),
        ("to write, exclusively made", WRITE_ONLY | CREATE | EXCLUSIVE),
        ("to write, truncated", WRITE_ONLY | TRUNCATE),
        ("with an unknown flag", READ_ONLY | 0x400),
    ];
    for (how, flags) in flags {
        let before = open(side, &format!("put back before {how}"), "there", WRITE_ONLY | TRUNCATE);
        side.ask(&format!("put back {how}: write"), WRITE, path(&before).long(0).text("0123456789"));
        close(side, &format!("put back {how}"), &before);
        for name in ["there", "missing", "a-dir", "to-there", "to-nothing"] {
            let request = format!("open {name} {how}");
            let handle = open(side, &request, name, flags);
            if name != "there" {
                close(side, &request, &handle);
                continue;
            }
            side.ask(&format!("{request}: write"), WRITE, path(&handle).long(2).text("ab"));
            side.ask(&format!("{request}: read"), READ, path(&handle).long(0).number(100));
            side.ask(&format!("{request}: fstat"), FSTAT, path(&handle));
            close(side, &request, &handle);
        }
        for name in ["missing", "made-through"] {
            side.ask(&format!("remove {name} after {how}"), REMOVE, path(name));
        }
    }
}

/// Far beyond what is there, and beyond what there can be.
fn offsets(side: &mut Side) {
    let handle = open(side, "open to write far away", "far", READ_WRITE_CREATE);
    for (what, offset) in [
        ("4 GiB", 1_u64 << 32),
        ("1 TiB", 1 << 40),
        ("3 TiB", 3 << 40),
        ("8 EiB less 1", i64::MAX as u64),
        ("8 EiB", 1 << 63),
        ("16 EiB less 1", u64::MAX),
    ] {
        side.ask(&format!("write at {what}"), WRITE, path(&handle).long(offset).text("far"));
        side.ask(&format!("read at {what}"), READ, path(&handle).long(offset).number(10));
        side.ask(&format!("read over {what}"), READ, path(&handle).long(offset.wrapping_sub(2)).number(4));
        side.ask(&format!("fstat after {what}"), FSTAT, path(&handle));
    }
    for (what, size) in [("2 TiB", 2_u64 << 40), ("8 EiB", 1 << 63), ("16 EiB less 1", u64::MAX), ("2 bytes", 2)] {
        side.ask(&format!("fsetstat size to {what}"), FSETSTAT, path(&handle).number(SIZE).long(size));
        side.ask(&format!("setstat size to {what}"), SETSTAT, path("far").number(SIZE).long(size));
        side.ask(&format!("stat after size {what}"), STAT, path("far"));
    }
    side.ask("read nothing", READ, path(&handle).long(0).number(0));
    side.ask("read nothing at the end", READ, path(&handle).long(2).number(0));
    side.ask("read more than a packet", READ, path(&handle).long(0).number(u32::MAX));
    side.ask("write nothing", WRITE, path(&handle).long(0).text(""));
    side.ask("write nothing far away", WRITE, path(&handle).long(1 << 41).text(""));
    close(side, "far", &handle);
    let handle = open(side, "open to read much", "much", READ_WRITE_CREATE);
    side.ask("write 200000 bytes", WRITE, path(&handle).long(0).text(vec![b'm'; 200_000]));
    for length in [1, 32_768, 65_536, 199_999, 261_120, 1_000_000] {
        side.ask(&format!("read {length} bytes"), READ, path(&handle).long(0).number(length));
    }
    close(side, "much", &handle);
}

fn attributes(side: &mut Side) {
    make(side, "attributed", b"12345");
    for mode in [0, 0o400, 0o644, 0o777, 0o1644, 0o2755, 0o4755, 0o7777, 0o100_640, 0xffff_ffff] {
        side.ask(&format!("setstat mode {mode:o}"), SETSTAT, path("attributed").number(PERMISSIONS).number(mode));
        side.ask(&format!("stat after mode {mode:o}"), STAT, path("attributed"));
        side.ask(
            &format!("mkdir with mode {mode:o}"),
            MKDIR,
            path(format!("dir-{mode:o}")).number(PERMISSIONS).number(mode),
        );
        let with = path(format!("file-{mode:o}")).number(WRITE_ONLY | CREATE).number(PERMISSIONS).number(mode);
        let handle = side.ask(&format!("open with mode {mode:o}"), OPEN, with);
        close(side, &format!("opened with mode {mode:o}"), &handle);
    }
    let own = side.uid;
    side.ask("setstat mode back", SETSTAT, path("attributed").number(PERMISSIONS).number(0o644));
    side.ask("setstat owner root", SETSTAT, path("attributed").number(OWNER).number(0).number(0));
    side.ask("setstat owner as it is", SETSTAT, path("attributed").number(OWNER).number(own).number(own));
    side.ask("setstat times", SETSTAT, path("attributed").number(TIMES).number(1).number(u32::MAX));
    side.ask("stat after times", STAT, path("attributed"));
    side.ask("setstat nothing", SETSTAT, path("attributed").number(0));
    side.ask("setstat nothing of nothing", SETSTAT, path("missing").number(0));
    side.ask("setstat times of nothing", SETSTAT, path("missing").number(TIMES).number(1).number(2));
    let all = SIZE | OWNER | PERMISSIONS | TIMES;
    let everything = path("attributed").number(all).long(3).number(own).number(own).number(0o600).number(5).number(6);
    side.ask("setstat everything", SETSTAT, everything);
    side.ask("stat after everything", STAT, path("attributed"));
    let partly = path("attributed").number(all).long(2).number(0).number(0).number(0o640).number(7).number(8);
    side.ask("setstat with an owner that may not be", SETSTAT, partly);
    side.ask("stat after an owner that may not be", STAT, path("attributed"));
    side.ask("setstat size of a directory", SETSTAT, path("a-dir").number(SIZE).long(0));
    side.ask("setstat mode of a directory", SETSTAT, path("a-dir").number(PERMISSIONS).number(0o750));
    side.ask("setstat through a link", SETSTAT, path("to-there").number(PERMISSIONS).number(0o604));
    side.ask("stat what the link leads to", STAT, path("to-there"));
    side.ask("lstat the link", LSTAT, path("to-there"));
    side.ask("setstat of what is not mine", SETSTAT, path("/etc/passwd").number(PERMISSIONS).number(0o777));
    let extended = path("attributed").number(0x8000_0000).number(1).text("a@b").text("c");
    side.ask("setstat with an unknown attribute", SETSTAT, extended);
    let handle = open(side, "open for fsetstat", "attributed", READ_ONLY);
    side.ask("fsetstat mode", FSETSTAT, path(&handle).number(PERMISSIONS).number(0o444));
    side.ask("fsetstat size of what is only read", FSETSTAT, path(&handle).number(SIZE).long(0));
    side.ask("fsetstat times", FSETSTAT, path(&handle).number(TIMES).number(11).number(12));
    side.ask("fsetstat owner root", FSETSTAT, path(&handle).number(OWNER).number(0).number(0));
    side.ask("fstat after all that", FSTAT, path(&handle));
    close(side, "attributed", &handle);
    for (what, body) in [
        ("times", Body::new().number(TIMES).number(3).number(4)),
        ("mode", Body::new().number(PERMISSIONS).number(0o600)),
        ("owner", Body::new().number(OWNER).number(own).number(own)),
        ("size", Body::new().number(SIZE).long(1)),
        ("nothing", Body::new().number(0)),
    ] {
        for name in ["to-there", "attributed", "missing"] {
            let mut request = Body::new().text("lsetstat@openssh.com").text(name);
            request.0.extend(&body.0);
            side.ask(&format!("lsetstat {what} of {name}"), EXTENDED, request);
        }
    }
    side.ask("lstat after lsetstat", LSTAT, path("to-there"));
}

fn links_and_renames(side: &mut Side) {
    make(side, "one", b"1");
    make(side, "two", b"2");
    for name in ["full", "full/inner", "empty"] {
        side.ask(&format!("mkdir {name}"), MKDIR, path(name).number(0));
    }
    side.ask("readlink", READLINK, path("to-there"));
    side.ask("readlink of a file", READLINK, path("one"));
    side.ask("readlink of nothing", READLINK, path("missing"));
    side.ask("symlink over a file", SYMLINK, path("x").text("one"));
    side.ask("symlink to no name", SYMLINK, path("").text("to-no-name"));
    side.ask("symlink to odd bytes", SYMLINK, path(b"\xff/\n").text("to-odd"));
    side.ask("readlink of odd bytes", READLINK, path("to-odd"));
    side.ask("symlink to itself", SYMLINK, path("loop").text("loop"));
    side.ask("stat of a loop", STAT, path("loop"));
    side.ask("realpath of a loop", REALPATH, path("loop"));
    let extended = |name: &str, from: &str, to: &str| Body::new().text(name).text(from).text(to);
    for (from, to) in [
        ("one", "hard"),
        ("one", "two"),
        ("missing", "hard2"),
        ("empty", "hard3"),
        ("to-there", "hard-link"),
        ("to-nothing", "hard-nothing"),
    ] {
        side.ask(&format!("hardlink {from} {to}"), EXTENDED, extended("hardlink@openssh.com", from, to));
    }
    side.ask("lstat of a second name", LSTAT, path("hard"));
    for (from, to) in [
        ("one", "two"),
        ("one", "one"),
        ("missing", "new"),
        ("one", "no/such/place"),
        ("full", "empty"),
        ("full", "full/inner/deeper"),
        ("full", "one"),
        ("one", "full"),
        ("to-nothing", "moved-link"),
        ("one", "moved"),
        ("empty", "moved-dir"),
        ("moved", "to-there"),
    ] {
        side.ask(&format!("rename {from} {to}"), RENAME, path(from).text(to));
        side.ask(&format!("posix-rename {from} {to}"), EXTENDED, extended("posix-rename@openssh.com", from, to));
    }
    for name in ["full", "missing", "moved-dir", "a-dir/", "full/inner/.", ".", "/", ".."] {
        side.ask(&format!("remove {name}"), REMOVE, path(name));
        side.ask(&format!("rmdir {name}"), RMDIR, path(name));
    }
    for name in
        ["x/../there", "there/..", "there/x", "full/..", "full/inner/../..", "./.", "..//..", "/..", "to-there/.."]
    {
        side.ask(&format!("realpath {name}"), REALPATH, path(name));
        side.ask(&format!("stat {name}"), STAT, path(name));
    }
}

fn directories(side: &mut Side) {
    side.ask("mkdir listed", MKDIR, path("listed").number(PERMISSIONS).number(0o755));
    for name in ["listed/a", "listed/-b", "listed/c d"] {
        make(side, name, name.as_bytes());
    }
    side.ask(
        "set the time of what is listed",
        SETSTAT,
        path("listed/a").number(TIMES).number(1_000_000_000).number(1_000_000_000),
    );
    side.ask("symlink in what is listed", SYMLINK, path("a").text("listed/link"));
    side.ask("mkdir in what is listed", MKDIR, path("listed/dir").number(PERMISSIONS).number(0o700));
    for name in ["listed", "listed/dir", "listed/link", "listed/a", "missing", "to-there", "full/"] {
        let handle = side.ask(&format!("opendir {name}"), OPENDIR, path(name));
        side.list(&format!("readdir {name}"), &handle);
        side.ask(&format!("readdir {name} again"), READDIR, path(&handle));
        close(side, &format!("listed {name}"), &handle);
    }
    side.ask("mkdir locked", MKDIR, path("locked").number(PERMISSIONS).number(0));
    side.ask("opendir locked", OPENDIR, path("locked"));
    side.ask("stat in what is locked", STAT, path("locked/x"));
    side.ask("mkdir in what is locked", MKDIR, path("locked/x").number(0));
    side.ask("opendir of what only root may read", OPENDIR, path("/root"));
    open(side, "open what only root may read", "/etc/shadow", READ_ONLY);
    open(side, "make what only root may make", "/etc/accountd-test", WRITE_ONLY | CREATE);
}

fn handles(side: &mut Side) {
    let file = open(side, "open for handles", "there", READ_ONLY);
    let directory = side.ask("opendir for handles", OPENDIR, path("listed"));
    side.ask("readdir of a file", READDIR, path(&file));
    side.ask("read of a directory", READ, path(&directory).long(0).number(1));
    side.ask("write to a directory", WRITE, path(&directory).long(0).text("x"));
    side.ask("fstat of a directory", FSTAT, path(&directory));
    side.ask("fsetstat of a directory", FSETSTAT, path(&directory).number(PERMISSIONS).number(0o711));
    side.ask("write to what is only read", WRITE, path(&file).long(0).text("x"));
    close(side, "file", &file);
    close(side, "directory", &directory);
    for (what, handle) in [("closed", &file[..]), ("empty", b""), ("short", b"x"), ("long", &[0xff; 300])] {
        side.ask(&format!("read of a handle that is {what}"), READ, path(handle).long(0).number(1));
        side.ask(&format!("write of a handle that is {what}"), WRITE, path(handle).long(0).text("x"));
        side.ask(&format!("fstat of a handle that is {what}"), FSTAT, path(handle));
        side.ask(&format!("fsetstat of a handle that is {what}"), FSETSTAT, path(handle).number(0));
        side.ask(&format!("readdir of a handle that is {what}"), READDIR, path(handle));
        side.ask(&format!("close of a handle that is {what}"), CLOSE, path(handle));
    }
    side.ask("an unknown extension", EXTENDED, path("no-such@example.org").text("x"));
}
