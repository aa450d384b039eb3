//! Record by record: what no client of good will sends, and what happens in between.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::{Place, Run};
use crate::raw::{USER, session_program};

#[test]
fn names_that_lead_elsewhere_end_the_run() {
    let place = Place::new();
    for name in ["..", ".", "", "a/b", "/etc/x", "../x", "a\0b"] {
        for kind in ["C0644 1", "D0755 0"] {
            let mut run = place.run(&["--", "-r", "-t", "."]);
            run.ok();
            run.send(format!("{kind} {name}\n"));
            let said = run.refused();
            assert!(said.starts_with("scp: error: unexpected filename"), "{name}: {said}");
            assert_eq!(run.end(), (vec![], 1), "{kind} {name:?}");
        }
    }
    assert_eq!(fs::read_dir(place.remote("")).unwrap().count(), 0);
}

#[test]
fn broken_records_end_the_run_with_the_reason() {
    let place = Place::new();
    for (record, reason) in [
        ("\n", "unexpected <newline>"),
        ("hello\n", "expected control record"),
        ("C0644 x\n", "size not delimited"),
        ("C0844 1 x\n", "bad mode"),
        ("T1 2 3\n", "times are not well-formed"),
        ("D0755 0 d\n", "received directory without -r"),
    ] {
        let mut run = place.run(&["--", "-t", "."]);
        run.ok();
        run.send(record);
        assert_eq!(run.refused(), format!("scp: protocol error: {reason}"));
        assert_eq!(run.end(), (vec![], 1), "{record:?}");
    }
}

#[test]
fn a_record_without_an_end_costs_no_memory() {
    let place = Place::new();
    let mut run = place.run(&["--", "-t", "."]);
    run.ok();
    let mut input = run.input.take().unwrap();
    let sender = std::thread::spawn(move || {
        let megabyte = vec![b'x'; 1 << 20];
        // It ends as soon as the server has had enough.
        (0..100).all(|_| std::io::Write::write_all(&mut input, &megabyte).is_ok())
    });
    assert_eq!(run.refused(), "scp: protocol error: a record of more than 8192 bytes");
    assert_eq!(run.end().1, 1);
    assert!(!sender.join().unwrap());
}

#[test]
fn options_are_refused_in_words_on_both_sides() {
    let place = Place::new();
    for (words, reason) in [
        (&["-t", "-z", "x"][..], "unknown option -z"),
        (&["-f", "-S", "x"], "unknown option -S"),
        (&["x", "y"], "neither -f nor -t: this is the server's side of scp"),
        (&["-d", "-t", "none"], "none: Not a directory"),
        (&["-t", "~no-such-user/x"], "~no-such-user/x: no such user"),
    ] {
        let mut run = place.run(&[&["--"], words].concat());
        assert_eq!(run.refused(), format!("scp: {reason}"));
        assert_eq!(run.end(), (vec![], 1));
    }
    let mut run = place.run(&["--", "-f", "~no-such-user/x"]);
    run.send([0]);
    assert_eq!(run.refused(), "scp: ~no-such-user/x: no such user");
}

#[test]
fn a_tilde_is_the_directory_that_the_session_begins_in() {
    let place = Place::new();
    place.make_remote("d");
    for (options, target) in [(&[][..], "~/d"), (&["--root", "."], "~/d"), (&["--root", "."], "/d")] {
        let mut run = place.run(&[options, &["--", "-t", target]].concat());
        run.ok();
        run.record("C0644 1 f");
        run.send(b"x\0");
        run.ok();
        assert_eq!(run.end(), (vec![], 0));
        fs::remove_file(place.remote("d/f")).unwrap();
    }
}

/// The client is told a size, then the file changes: it gets that many bytes all the same.
#[test]
fn a_file_that_shrinks_or_grows_is_sent_as_long_as_announced() {
    let place = Place::new();
    place.put_remote("shrinks", vec![b'x'; 600_000]);
    place.put_remote("grows", "123");
    let mut run = place.run(&["--", "-f", "shrinks", "grows"]);
    run.send([0]);
    assert_eq!(run.line(), b"C0644 600000 shrinks");
    fs::File::options().write(true).open(place.remote("shrinks")).unwrap().set_len(5).unwrap();
    run.send([0]);
    let content = run.take(600_000);
    assert!(content[..5] == *b"xxxxx" && content[5..].iter().all(|byte| *byte == 0));
    assert_eq!(run.refused(), "scp: shrinks: the file has become shorter");
    run.send([0]);
    assert_eq!(run.line(), b"C0644 3 grows");
    place.put_remote("grows", "123456");
    run.send([0]);
    assert_eq!(run.take(4), b"123\0");
    run.send([0]);
    assert_eq!(run.end(), (vec![], 1));
}

#[test]
fn sizes_beyond_32_bits_are_sent_and_taken() {
    let place = Place::new();
    place.put_remote("sparse", "");
    fs::File::options().write(true).open(place.remote("sparse")).unwrap().set_len(5 << 30).unwrap();
    let mut run = place.run(&["--", "-f", "sparse"]);
    run.send([0]);
    assert_eq!(run.line(), b"C0644 5368709120 sparse");
    run.send("\x01no, thank you\n");
    assert_eq!(run.end(), (vec![], 1));
    let mut run = place.run(&["--", "-t", "large"]);
    run.ok();
    run.record("C0644 5368709120 large");
    run.send([7; 100]);
    assert_eq!(run.end(), (vec![], 1), "the client has gone");
    assert_eq!(fs::metadata(place.remote("large")).unwrap().len(), 100);
}

/// What is sent for names with line breaks is what OpenSSH sends.
#[test]
fn names_with_line_breaks_are_sent_as_openssh_sends_them() {
    let place = Place::new();
    for name in ["a\nb", "\n", "back\\slash\n\u{e4}\u{7f}\t\r \u{a0}", "plain\\\u{e4}"] {
        place.put_remote(name, "x");
        let mut theirs = Command::new("scp");
        theirs.args(["-f", "--", name]).current_dir(place.remote(""));
        let records = [place.run(&["--", "-f", "--", name]), Run::spawn(theirs)].map(|mut run| {
            run.send([0]);
            run.line()
        });
        assert!(!records[0].is_empty());
        assert_eq!(records[0], records[1], "{name:?}");
    }
}

#[test]
fn a_full_disk_is_told_and_the_next_file_is_taken() {
    let place = Place::new();
    let script = format!(
        "mount -t tmpfs -o size=1m,uid={USER},mode=755 tmpfs \"$1\" && cd \"$1\" && shift && \
         exec setpriv --reuid {USER} --regid {USER} --clear-groups \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]).arg(place.remote("")).arg(session_program());
    command.args(["scp", "--", "-t", "."]);
    let mut run = Run::spawn(command);
    run.ok();
    for (name, size, reason) in [("large", 3_000_000, Some("No space left on device")), ("empty", 0, None)] {
        run.record(format!("C0644 {size} {name}"));
        run.send(vec![b'x'; size]);
        run.send([0]);
        match reason {
            Some(reason) => assert_eq!(run.refused(), format!("scp: ./{name}: {reason}")),
            None => run.ok(),
        }
    }
    assert_eq!(run.end(), (vec![], 1));
}

#[test]
fn until_an_atomic_upload_is_whole_the_old_file_is_there() {
    let place = Place::new();
    place.put_remote("f", "old");
    let atomic = ["--uploads", "atomic", "--", "-t", "f"];
    let mut run = place.run(&atomic);
    run.ok();
    run.record("C0644 3 f");
    run.send("ne");
    assert_eq!(fs::read(place.remote("f")).unwrap(), b"old");
    run.send("w\0");
    run.ok();
    assert_eq!(fs::read(place.remote("f")).unwrap(), b"new");
    assert_eq!(run.end(), (vec![], 0));
    // Cut off, killed, and not whole on the other side: each time the file stays.
    let mut run = place.run(&atomic);
    run.ok();
    run.record("C0644 3 f");
    run.send("x");
    assert_eq!(run.end(), (vec![], 1));
    let mut run = place.run(&atomic);
    run.ok();
    run.record("C0644 3 f");
    run.send("x");
    run.program.kill().unwrap();
    run.program.wait().unwrap();
    let mut run = place.run(&atomic);
    run.ok();
    run.record("C0644 3 f");
    run.send("x\0\0\x01f: cannot read\n");
    assert!(run.refused().contains("could not read all of it"));
    assert_eq!(run.end(), (vec![], 1));
    assert_eq!(fs::read(place.remote("f")).unwrap(), b"new");
    assert_eq!(fs::read_dir(place.remote("")).unwrap().count(), 1);
}

#[test]
fn every_transfer_is_logged_and_a_log_without_a_reader_is_none() {
    let place = Place::new();
    place.put_remote("f", "12345");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_raw_fd().to_string();
    // A pipe of root's is given to the session.
    let run = |words: &[&str]| {
        let mut command = crate::raw::as_user(Path::new("sh"), &place.remote(""));
        let script = format!("exec \"$0\" scp --log 9 \"$@\" 9>&{number}");
        command.args(["-c", &script]).arg(session_program()).arg("--").args(words);
        let descriptor = nix::fcntl::FdFlag::empty();
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFD(descriptor)).unwrap();
        Run::spawn(command)
    };
    let mut source = run(&["-f", "f"]);
    source.send([0]);
    assert_eq!(source.line(), b"C0644 5 f");
    source.send([0]);
    assert_eq!(source.take(6), b"12345\0");
    source.send([0]);
    assert_eq!(source.end().1, 0);
    let mut sink = run(&["-r", "-t", "."]);
    sink.ok();
    sink.record("D0755 0 a \"b");
    sink.record("C0644 2 f");
    sink.send("xy\0");
    sink.ok();
    sink.record("C0644 9 cut");
    sink.send("x");
    assert_eq!(sink.end().1, 1);
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(
        said,
        "get path=\"f\" bytes=5\n\
         total read=5 written=0 requests=1\n\
         mkdir path=\"./a \\\"b\"\n\
         put path=\"./a \\\"b/f\" bytes=2\n\
         put path=\"./a \\\"b/cut\" bytes=1 error=\"the client has gone\"\n\
         total read=0 written=3 requests=3\n"
    );
}

#[test]
fn modes_and_times_are_those_of_the_records() {
    let place = Place::new();
    let mut run = place.run(&["--", "-rpt", "."]);
    run.ok();
    run.record("T1000000000 500000 900000000 0");
    run.record("C4711 1 f");
    run.send("x\0");
    run.ok();
    run.record("T1000000001 0 900000000 0");
    run.record("D0555 0 d");
    run.record("C0644 1 inner");
    run.send("y\0");
    run.ok();
    run.record("E");
    // A directory that has been there gets the mode too, also when it may not be written then.
    run.record("D0700 0 d");
    run.record("E");
    assert_eq!(run.end(), (vec![], 0));
    let file = fs::metadata(place.remote("f")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.mtime(), file.mtime_nsec()), (0o4711, 1_000_000_000, 500_000_000));
    assert_eq!(file.atime(), 900_000_000);
    let directory = fs::metadata(place.remote("d")).unwrap();
    assert_eq!((directory.mode() & 0o7777, directory.mtime()), (0o700, 1_000_000_001));
    assert_eq!(fs::metadata(place.remote("d/inner")).unwrap().len(), 1);
}

#[test]
fn a_directory_that_may_be_written_and_not_read_takes_files() {
    let place = Place::new();
    place.make_remote("drop");
    fs::set_permissions(place.remote("drop"), fs::Permissions::from_mode(0o300)).unwrap();
    symlink("drop", place.remote("link")).unwrap();
    for (options, target) in [(&[][..], "drop"), (&["--root", "."], "link"), (&["--uploads", "atomic"], "drop/")] {
        let mut run = place.run(&[options, &["--", "-t", target]].concat());
        run.ok();
        run.record("C0644 1 f");
        run.send("x\0");
        run.ok();
        assert_eq!(run.end(), (vec![], 0), "{target}");
    }
    assert_eq!(fs::read(place.remote("drop/f")).unwrap(), b"x");
}
