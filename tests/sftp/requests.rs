//! Every request of draft-ietf-secsh-filexfer-02, byte by byte, through OpenSSH's `ssh -s`; and
//! what is no request at all.

use std::fs;
use std::io::{BufRead, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use super::{Files, HOME};
use crate::raw::*;

fn connect(files: &Files) -> Raw {
    let mut command = files.anna().prepare("ssh");
    command.args(["-s", "127.0.0.1", "sftp"]);
    Raw::start(command)
}

fn open(files: &Files) -> Raw {
    let mut raw = connect(files);
    raw.greet();
    raw
}

#[test]
fn files_are_opened_read_written_and_measured() {
    let files = Files::new();
    let mut raw = open(&files);
    let handle = raw.open_file("f", READ_WRITE_CREATE | EXCLUSIVE);
    assert_eq!(raw.status(OPEN, Body::new().text("f").number(2 | 8 | EXCLUSIVE).number(0)), FAILURE);
    assert_eq!(raw.write(&handle, 0, b"hello world"), OK);
    assert_eq!(raw.write(&handle, 6, b"there"), OK);
    assert_eq!(raw.read(&handle, 0, 100).unwrap(), b"hello there");
    assert_eq!(raw.read(&handle, 6, 2).unwrap(), b"th");
    assert_eq!(raw.read(&handle, 11, 1), Err(EOF));
    assert_eq!(raw.read(&handle, u64::MAX, 1), Err(FAILURE));
    // A hole of a gigabyte costs nothing.
    assert_eq!(raw.write(&handle, 1 << 30, b"end"), OK);
    let sparse = fs::metadata(files.remote("f")).unwrap();
    assert!(sparse.len() == (1 << 30) + 3 && sparse.blocks() < 100);
    assert_eq!(raw.attributes(FSTAT, &handle).size, (1 << 30) + 3);
    assert_eq!(raw.status(FSETSTAT, Body::new().text(&handle).number(SIZE).long(5)), OK);
    assert_eq!(raw.status(FSETSTAT, Body::new().text(&handle).number(TIMES).number(7).number(8)), OK);
    assert_eq!(raw.status(FSETSTAT, Body::new().text(&handle).number(PERMISSIONS).number(0o600)), OK);
    assert_eq!(raw.status(EXTENDED, Body::new().text("fsync@openssh.com").text(&handle)), OK);
    let status = fs::metadata(files.remote("f")).unwrap();
    assert_eq!((status.len(), status.mtime(), status.mode() & 0o7777), (5, 8, 0o600));
    assert_eq!(raw.status(CLOSE, Body::new().text(&handle)), OK);
    assert_eq!(raw.status(CLOSE, Body::new().text(&handle)), FAILURE);
    assert_eq!(raw.read(&handle, 0, 1), Err(FAILURE));

    let handle = raw.open_file("f", 2 | APPEND);
    assert_eq!(raw.write(&handle, 0, b"!"), OK);
    assert_eq!(fs::read(files.remote("f")).unwrap(), b"hello!");
    let handle = raw.open_file("f", 2 | 8 | TRUNCATE);
    assert_eq!(raw.read(&handle, 0, 1), Err(FAILURE), "it is open for writing only");
    assert_eq!(fs::read(files.remote("f")).unwrap(), b"");
    let mode = Body::new().text("private").number(2 | 8).number(PERMISSIONS).number(0o640);
    raw.handle(OPEN, mode);
    assert_eq!(fs::metadata(files.remote("private")).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn attributes_of_paths_and_links() {
    let files = Files::new();
    let mut raw = open(&files);
    fs::write(files.remote("f"), "12345").unwrap();
    std::os::unix::fs::chown(files.remote("f"), Some(3001), Some(3001)).unwrap();
    fs::set_permissions(files.remote("f"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(raw.status(SYMLINK, Body::new().text("f").text("l")), OK, "target first, as OpenSSH has it");
    assert_eq!(fs::read_link(files.remote("l")).unwrap().to_str(), Some("f"));
    assert_eq!(raw.status(SETSTAT, Body::new().text("l").number(TIMES).number(1).number(2)), OK);
    let expected = Attributes { size: 5, uid: 3001, gid: 3001, mode: 0o100_644, modified: 2 };
    assert_eq!(raw.attributes(STAT, "l"), expected);
    assert_eq!(raw.attributes(LSTAT, "f"), expected);
    assert_eq!(raw.attributes(LSTAT, "l").mode, 0o120_777);
    let link_times = Body::new().text("lsetstat@openssh.com").text("l").number(TIMES).number(3).number(4);
    assert_eq!(raw.status(EXTENDED, link_times), OK);
    assert_eq!(raw.attributes(LSTAT, "l").modified, 4);
    assert_eq!(raw.attributes(LSTAT, "f").modified, 2);
    assert_eq!(raw.status(SETSTAT, Body::new().text("f").number(OWNER).number(0).number(0)), PERMISSION_DENIED);
    assert_eq!(raw.status(SETSTAT, Body::new().text("f").number(SIZE).long(2)), OK);
    assert_eq!(fs::read(files.remote("f")).unwrap(), b"12");
    assert_eq!(raw.status(STAT, Body::new().text("none")), NO_SUCH_FILE);
    assert_eq!(raw.status(STAT, Body::new().text("f/below")), NO_SUCH_FILE);
    assert_eq!(raw.status(STAT, Body::new().text("a\0b")), FAILURE);
    assert_eq!(raw.name(READLINK, "l"), "f");
    assert_eq!(raw.status(READLINK, Body::new().text("f")), FAILURE);
}

/// As sftp-server of OpenSSH does it: realpath(3), but the last component may be missing. A `..`
/// behind anything that isn't there fails, because nobody knows where that would have led.
#[test]
fn a_real_path_has_only_its_last_component_missing() {
    let files = Files::new();
    let mut raw = open(&files);
    fs::create_dir(files.remote("d")).unwrap();
    std::os::unix::fs::symlink("/mnt/tank", files.remote("tank")).unwrap();
    let (below, new) = (format!("{HOME}/f"), format!("{HOME}/d/new"));
    for (path, real) in [
        (".", HOME),
        ("", HOME),
        ("/", "/"),
        ("../..", "/mnt/tank"),
        ("d/../f", &below),
        ("./d//new", &new),
        ("tank/../x", "/mnt/x"),
    ] {
        assert_eq!(raw.name(REALPATH, path), real, "{path}");
    }
    for path in ["x/../f", "x/f", "d/x/../../f"] {
        assert_eq!(raw.status(REALPATH, Body::new().text(path)), NO_SUCH_FILE, "{path}");
    }
}

#[test]
fn what_can_be_set_is_set_and_the_first_failure_told() {
    let files = Files::new();
    let mut raw = open(&files);
    std::os::unix::fs::symlink("nowhere", files.remote("link")).unwrap();
    std::os::unix::fs::lchown(files.remote("link"), Some(3001), Some(3001)).unwrap();
    let link = Body::new().text("lsetstat@openssh.com").text("link").number(PERMISSIONS | TIMES);
    // Linux keeps no permissions of a symbolic link.
    assert_eq!(raw.status(EXTENDED, link.number(0o600).number(3).number(4)), UNSUPPORTED);
    assert_eq!(raw.attributes(LSTAT, "link").modified, 4);

    fs::write(files.remote("f"), "12345").unwrap();
    std::os::unix::fs::chown(files.remote("f"), Some(3001), Some(3001)).unwrap();
    let path = Body::new().text("f").number(SIZE | OWNER | PERMISSIONS | TIMES).long(u64::MAX);
    let path = path.number(0).number(0).number(0o640).number(5).number(6);
    assert_eq!(raw.status(SETSTAT, path), FAILURE, "of size and owner, the size comes first");
    let expected = Attributes { size: 5, uid: 3001, gid: 3001, mode: 0o100_640, modified: 6 };
    assert_eq!(raw.attributes(STAT, "f"), expected);
}

/// Takes a lease of a file (F_SETLEASE, fcntl(2)) and gives it back when the kernel wants it.
const LEASE_HOLDER: &str = "
import fcntl, signal, sys
file = open(sys.argv[1], 'r+' if sys.argv[2] == 'write' else 'r')
def give_back(*_):
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    print('given back', flush=True)
signal.signal(signal.SIGIO, give_back)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK if sys.argv[2] == 'write' else fcntl.F_RDLCK)
print('held', flush=True)
sys.stdin.read()
";

struct Lease {
    holder: Child,
    said: std::io::BufReader<ChildStdout>,
}

impl Lease {
    fn take(file: &std::path::Path, kind: &str) -> Self {
        let mut command = std::process::Command::new("python3");
        command.args(["-c", LEASE_HOLDER]).arg(file).arg(kind);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = std::io::BufReader::new(holder.stdout.take().unwrap());
        let mut lease = Self { holder, said };
        assert_eq!(lease.line(), "held\n");
        lease
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line
    }

    #[track_caller]
    fn was_given_back(mut self) {
        assert_eq!(self.line(), "given back\n");
        drop(self.holder.stdin.take());
        self.holder.wait().unwrap();
    }
}

#[test]
fn a_file_that_another_program_has_a_lease_of_is_waited_for() {
    let files = Files::new();
    let mut raw = open(&files);
    fs::write(files.remote("f"), "12345").unwrap();
    std::os::unix::fs::chown(files.remote("f"), Some(3001), Some(3001)).unwrap();

    let lease = Lease::take(&files.remote("f"), "read");
    let handle = raw.open_file("f", READ_WRITE_CREATE);
    lease.was_given_back();
    assert_eq!(raw.write(&handle, 0, b"6"), OK);
    assert_eq!(raw.status(CLOSE, Body::new().text(&handle)), OK);

    let lease = Lease::take(&files.remote("f"), "read");
    assert_eq!(raw.status(SETSTAT, Body::new().text("f").number(SIZE).long(2)), OK);
    lease.was_given_back();

    let lease = Lease::take(&files.remote("f"), "write");
    let handle = raw.open_file("f", 1);
    lease.was_given_back();
    assert_eq!(raw.read(&handle, 0, 9).unwrap(), b"62");
}

#[test]
fn directories_are_made_read_and_removed_and_renames_replace_nothing() {
    let files = Files::new();
    let mut raw = open(&files);
    assert_eq!(raw.status(MKDIR, Body::new().text("d").number(PERMISSIONS).number(0o750)), OK);
    assert_eq!(files.nas.disk.owner_and_mode(&format!("{HOME}/d")), (3001, 3001, 0o750));
    assert_eq!(raw.status(MKDIR, Body::new().text("d").number(0)), FAILURE);
    fs::write(files.remote("d/one"), "1").unwrap();
    fs::write(files.remote("two"), "2").unwrap();
    std::os::unix::fs::chown(files.remote("two"), Some(3001), Some(3001)).unwrap();
    let handle = raw.handle(OPENDIR, Body::new().text("d"));
    let (kind, body) = raw.ask(READDIR, Body::new().text(&handle));
    assert_eq!((kind, number(&body)), (NAME, 3));
    assert!(body.windows(3).any(|part| part == b"one"));
    assert_eq!(raw.status(READDIR, Body::new().text(&handle)), EOF);
    assert_eq!(raw.status(READDIR, Body::new().text(b"nothing!")), FAILURE);
    assert_eq!(raw.read(&handle, 0, 1), Err(FAILURE), "a directory is no file");
    assert_eq!(raw.status(OPENDIR, Body::new().text("two")), NO_SUCH_FILE);
    assert_eq!(raw.status(RENAME, Body::new().text("two").text("d/one")), FAILURE, "it is there already");
    assert_eq!(fs::read(files.remote("d/one")).unwrap(), b"1");
    assert_eq!(raw.status(EXTENDED, Body::new().text("posix-rename@openssh.com").text("two").text("d/one")), OK);
    assert_eq!(fs::read(files.remote("d/one")).unwrap(), b"2");
    assert_eq!(raw.status(EXTENDED, Body::new().text("hardlink@openssh.com").text("d/one").text("hard")), OK);
    assert_eq!(fs::metadata(files.remote("hard")).unwrap().nlink(), 2);
    assert_eq!(raw.status(RMDIR, Body::new().text("d")), FAILURE);
    assert_eq!(raw.status(REMOVE, Body::new().text("d")), FAILURE);
    assert_eq!(raw.status(RMDIR, Body::new().text("hard")), NO_SUCH_FILE);
    assert_eq!(raw.status(REMOVE, Body::new().text("d/one")), OK);
    assert_eq!(raw.status(RMDIR, Body::new().text("d")), OK);
    assert_eq!(raw.status(RMDIR, Body::new().text("d")), NO_SUCH_FILE);
    let (kind, body) = raw.ask(EXTENDED, Body::new().text("statvfs@openssh.com").text("."));
    assert_eq!((kind, body.len()), (EXTENDED_REPLY, 11 * 8));
    let (kind, body) = raw.ask(EXTENDED, Body::new().text("limits@openssh.com"));
    assert_eq!((kind, body.len()), (EXTENDED_REPLY, 4 * 8));
}

#[test]
fn what_is_unknown_is_unsupported_and_the_session_goes_on() {
    let files = Files::new();
    let mut raw = open(&files);
    for kind in [0, 2, 21, 99, 101, 199, 255] {
        assert_eq!(raw.status(kind, Body::new().text("x")), UNSUPPORTED, "{kind}");
    }
    assert_eq!(raw.status(EXTENDED, Body::new().text("no-such@example.org").text("x")), UNSUPPORTED);
    for handle in [&b""[..], b"x", b"\0\0\0\0\0\0\0\x07", &[0xff; 8], &[0; 300]] {
        assert_eq!(raw.read(handle, 0, 1), Err(FAILURE), "{handle:?}");
    }
    assert_eq!(raw.status(OPEN, Body::new().text("x".repeat(300)).number(1).number(0)), FAILURE);
    assert_eq!(raw.status(OPEN, Body::new().text("/".repeat(5000)).number(1).number(0)), FAILURE);
    assert_eq!(raw.name(REALPATH, "."), HOME);
}

#[test]
fn handles_run_out_without_harm_and_come_back() {
    let files = Files::new();
    fs::write(files.remote("f"), "x").unwrap();
    let mut raw = open(&files);
    let mut handles = Vec::new();
    let refused = loop {
        let (kind, body) = raw.ask(OPEN, Body::new().text("f").number(1).number(0));
        if kind != HANDLE {
            break number(&body);
        }
        handles.push(body[4..].to_vec());
        assert!(handles.len() <= 100_000);
    };
    assert_eq!((refused, handles.len()), (FAILURE, 1000));
    assert_eq!(raw.status(OPENDIR, Body::new().text(".")), FAILURE);
    for handle in &handles {
        assert_eq!(raw.read(handle, 0, 1).unwrap(), b"x");
        assert_eq!(raw.status(CLOSE, Body::new().text(handle)), OK);
    }
    let again = raw.open_file("f", 1);
    assert!(!handles.contains(&again), "a closed handle means nothing again");
}

#[test]
fn broken_packets_end_that_session_and_no_other() {
    let files = Files::new();
    let mut beside = open(&files);
    let broken: [&[u8]; 6] = [
        &[0, 0, 0, 0],
        &[0xff; 16],
        &[0, 4, 0, 1, OPEN, 0, 0, 0, 1],
        &[0, 0, 0, 5, OPEN, 0, 0, 0, 1],
        &[0, 0, 0, 9, OPEN, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 2, READ, 0],
    ];
    for bytes in broken {
        let mut raw = open(&files);
        raw.send_bytes(bytes);
        assert!(raw.receive().is_none(), "{bytes:?}");
        raw.ends();
    }
    let mut unversioned = connect(&files);
    unversioned.send(OPEN, &Body::new().number(1).text("f").number(1).number(0));
    assert!(unversioned.receive().is_none());
    assert_eq!(beside.name(REALPATH, "."), HOME);
}

/// A client that asks and asks and never reads must not take memory, nor anybody else's time.
#[test]
fn a_client_that_does_not_read_waits_alone() {
    let files = Files::new();
    fs::write(files.remote("f"), vec![7; 1 << 20]).unwrap();
    let mut raw = open(&files);
    let handle = raw.open_file("f", 1);
    let mut input = raw.input.take().unwrap();
    let writer = std::thread::spawn(move || {
        for id in 0..4000 {
            let body = Body::new().number(id).text(&handle).long(0).number(200_000);
            let mut packet = Body::new().number(body.0.len() as u32 + 1).0;
            packet.push(READ);
            packet.extend(body.0);
            input.write_all(&packet).unwrap();
        }
        input
    });
    std::thread::sleep(Duration::from_secs(1));
    files.anna().sftp("pwd\n");
    let front = files.nas.world.process("ssh");
    let status = fs::read_to_string(format!("/proc/{front}/status")).unwrap();
    let resident: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap();
    assert!(resident < 200 * 1024, "{resident} KiB");
    // It may still change its mind: 4000 answers come, in order.
    for id in 0..4000_u32 {
        let (kind, body) = raw.receive().unwrap();
        assert_eq!((kind, number(&body)), (DATA, id));
    }
    drop(writer.join().unwrap());
}
