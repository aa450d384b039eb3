//! Record by record: what no client of good will sends, and what happens in between.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::{Place, Run};
use crate::raw::{USER, logged, session_program};

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
        (&["-d", "-t", "none"], "none: No such file or directory"),
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

/// The same tree, in the order of the same directories.
#[test]
fn a_tree_is_sent_byte_for_byte_as_openssh_sends_it() {
    let place = Place::new();
    place.make_remote("tree/a b/c");
    place.make_remote("tree/empty");
    for (name, mode) in
        [("tree/a b/c/\u{fc}", 0o4755), ("tree/x\ty", 0o1640), ("tree/a b/empty", 0o400), ("tree/line\nbreak", 0o644)]
    {
        place.put_remote(name, name.repeat(5000));
        fs::set_permissions(place.remote(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("x\ty", place.remote("tree/link")).unwrap();
    for words in
        [&["-r", "-p", "-f", "tree", "tree/"][..], &["-f", "tree/x\ty"], &["-r", "-f", "tree/a b/", "tree/empty"]]
    {
        let mut theirs = Command::new("scp");
        theirs.args(words).current_dir(place.remote(""));
        let said = [place.run(&[&["--"], words].concat()), Run::spawn(theirs)].map(|mut run| {
            run.send([0; 100]);
            run.end()
        });
        assert!(said[0].0.len() > 5 && said[0].1 == 0);
        assert_eq!(said[0].1, said[1].1);
        assert!(said[0].0 == said[1].0, "{words:?}");
    }
}

/// The same records to both; what is on disk afterwards is the same, and so is every answer but for
/// the words of a message.
#[test]
fn a_tree_is_taken_as_openssh_takes_it() {
    let records = b"C0644 3 f\nabc\0C0600 3 f\nxyz\0T1000000000 0 900000000 0\nC0751 2 timed\nab\0D0500 0 d\nC0666 1 open\nx\0\
        D0777 0 deeper\nE\nE\nD0755 0 d\nC0444 1 late\ny\0E\nC0644 1 d\nD0755 0 f\nC0644 1 last\nz\0C0644 2 cut\na\0\x01no\n\
        C1777 1 bits\nb\0C0644 1 x/y\n";
    for words in [&["-r", "-t", "."][..], &["-r", "-p", "-t", "."], &["-r", "-t", "new"], &["-r", "-d", "-t", "new"]] {
        let seen = [None, Some("scp")].map(|program| {
            let place = Place::new();
            let mut run = match program {
                None => place.run(&[&["--"], words].concat()),
                Some(program) => {
                    let mut theirs = Command::new("setpriv");
                    theirs.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]).args(words);
                    std::os::unix::fs::chown(place.remote(""), Some(65_534), Some(65_534)).unwrap();
                    Run::spawn({
                        theirs.current_dir(place.remote("")).stderr(std::process::Stdio::null());
                        theirs
                    })
                }
            };
            // It may have ended before it has read everything.
            let _ = std::io::Write::write_all(run.input.as_mut().unwrap(), records);
            let (said, status) = run.end();
            (answers(&said), status, disk(&place.remote("")))
        });
        assert_eq!(seen[0], seen[1], "{words:?}");
    }
}

/// `ok` or `message`, in order.
fn answers(said: &[u8]) -> Vec<&'static str> {
    let (mut answers, mut rest) = (Vec::new(), said);
    while let Some((first, behind)) = rest.split_first() {
        let end = behind.iter().position(|byte| *byte == b'\n').map_or(behind.len(), |end| end + 1);
        (rest, answers) = if *first == 0 {
            (behind, [answers, vec!["ok"]].concat())
        } else {
            (&behind[end..], [answers, vec!["message"]].concat())
        };
    }
    answers
}

fn disk(top: &std::path::Path) -> Vec<String> {
    let (mut found, mut directories) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let status = fs::metadata(&path).unwrap();
            let modified = if status.mtime() > 1_500_000_000 { 0 } else { status.mtime() };
            let name = path.strip_prefix(top).unwrap().display().to_string();
            let content = if status.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
            found.push(format!("{name} {:o} {modified} {}", status.mode(), content.escape_ascii()));
            if status.is_dir() {
                directories.push(path);
            }
        }
    }
    found.sort_unstable();
    found
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
    run.program.end();
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
fn every_transfer_is_logged() {
    let place = Place::new();
    place.put_remote("f", "12345");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let writer = OwnedFd::from(writer);
    let run = |words: &[&str]| {
        let arguments = [&["scp", "--log", "9", "--"], words].concat();
        Run::spawn(logged(&writer, &place.remote(""), &arguments))
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

#[test]
fn what_the_other_side_could_not_send_is_a_failure_and_its_end_is_the_end() {
    let place = Place::new();
    let mut run = place.run(&["--", "-t", "."]);
    run.ok();
    run.send("\x01scp: first: No such file or directory\n");
    run.record("C0644 1 second");
    run.send("x\0");
    run.ok();
    assert_eq!(run.end(), (vec![], 1));
    assert_eq!(fs::read_to_string(place.remote("second")).unwrap(), "x");
    let mut run = place.run(&["--", "-t", "."]);
    run.ok();
    run.send("\x02scp: protocol error\nC0644 1 third\nx\0");
    assert_eq!(run.end(), (vec![], 1));
    assert!(!place.remote("third").exists());
}
