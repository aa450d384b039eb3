//! Laws of scp's records.

use accountd_protocol::session_policy::Uploads;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Ground, HIDDEN, content, input};
use crate::limits::Limits;
use crate::record::Record;
use crate::scp::{SUCCESS, Settings, serve};

/// Whatever a client sends to a sink, it is answered byte by byte or message by message, and
/// nothing happens outside of the root. It succeeds only if it has complained of nothing.
pub fn sink(wire: &[u8], uploads: Uploads) {
    let ground = Ground::new();
    let (status, said) = run(&ground, &["-r", "-p", "-t", "/"], wire, uploads);
    let (mut answers, mut complaints, mut rest) = (0, 0, said.as_slice());
    while let Some((first, behind)) = rest.split_first() {
        rest = match first {
            0 => behind,
            1 => {
                complaints += 1;
                let Some(end) = behind.iter().position(|byte| *byte == b'\n') else { panic!("a message has no end") };
                &behind[end + 1..]
            }
            other => panic!("a sink says {other}"),
        };
        answers += 1;
    }
    assert!(answers <= 1 + wire.len(), "{answers} answers to {} bytes", wire.len());
    assert!(status != SUCCESS || complaints == 0, "{said:?}");
    ground.is_untouched();
}

/// Whatever a client answers to a source, the source ends, and nothing that is outside is sent.
pub fn source(words: &[Vec<u8>], answers: &[u8]) {
    let ground = Ground::new();
    let texts: Vec<&OsStr> = words.iter().map(|word| OsStr::from_bytes(word)).collect();
    let words: Vec<&OsStr> = ["-r", "-f", "--"].iter().map(OsStr::new).chain(texts).collect();
    let (_, said) = run(&ground, &words, answers, Uploads::InPlace);
    assert!(!said.windows(HIDDEN.len()).any(|part| part == HIDDEN), "{said:?}");
    ground.is_untouched();
}

fn run(ground: &Ground, words: &[impl AsRef<OsStr>], wire: &[u8], uploads: Uploads) -> (u8, Vec<u8>) {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_ref().as_bytes().to_vec()).collect();
    let output = input(&[]);
    let settings = Settings { tree: ground.tree(), uploads, record: Record::default(), limits: Limits::default() };
    let status = serve(settings, &words, input(wire), &output);
    (status, content(output))
}

/// Name, content of a file or nothing for a directory, and mode.
pub type Entry = (Vec<u8>, Option<Vec<u8>>, u32);

/// A tree that a source sends and a sink takes is the same tree. Names are made of the bytes that
/// are given, with what can't be in one left out.
pub fn round_trip(entries: &[Entry], uploads: Uploads) {
    let (from, to) = (Ground::new(), Ground::new());
    let top = from.path("root/d");
    assert!(fs::remove_file(top.join("out")).is_ok());
    let mut directory = top.clone();
    for (name, content, mode) in entries {
        let name: Vec<u8> = name.iter().copied().filter(|byte| !matches!(byte, 0 | b'/' | b'\n')).take(100).collect();
        let path = directory.join(OsStr::from_bytes(&name));
        if matches!(&name[..], b"" | b"." | b"..") || path.exists() || path.as_os_str().len() > 1000 {
            continue;
        }
        let made = match content {
            Some(content) => fs::write(&path, content),
            None => fs::create_dir(&path),
        };
        // What can't be read can't be sent.
        let mode = mode & 0o6777 | if content.is_some() { 0o400 } else { 0o700 };
        let made = made.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        assert!(made.is_ok(), "{}: {made:?}", path.display());
        if content.is_none() {
            directory = path;
        }
    }
    let (here, there) = UnixStream::pair().unwrap_or_else(|error| panic!("{error}"));
    let settings = |ground: &Ground| Settings {
        tree: ground.tree(),
        uploads,
        record: Record::default(),
        limits: Limits::default(),
    };
    let (source, sink) = (settings(&from), settings(&to));
    let statuses = std::thread::scope(|scope| {
        let words = [b"-r".to_vec(), b"-p".to_vec(), b"-f".to_vec(), b"d".to_vec()];
        let sender = scope.spawn(move || {
            let status = serve(source, &words, &here, &here);
            let _ = here.shutdown(std::net::Shutdown::Both);
            status
        });
        let words = [b"-r".to_vec(), b"-p".to_vec(), b"-t".to_vec(), b"new".to_vec()];
        let received = serve(sink, &words, &there, &there);
        let _ = there.shutdown(std::net::Shutdown::Both);
        (sender.join().ok(), received)
    });
    assert_eq!(statuses, (Some(SUCCESS), SUCCESS));
    assert_eq!(tree(&to.path("root/new")), tree(&top));
}

/// Modes, times and contents by name.
fn tree(top: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut found = BTreeMap::new();
    let mut paths = vec![top.to_owned()];
    while let Some(path) = paths.pop() {
        let Ok(status) = fs::symlink_metadata(&path) else { panic!("{} has gone", path.display()) };
        if status.is_dir() {
            paths.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        let content = if status.is_file() { fs::read(&path).ok() } else { None };
        let name = path.strip_prefix(top).unwrap_or(&path).as_os_str().as_bytes().to_vec();
        found.insert(name, format!("{:o} {} {content:?}", status.mode(), status.mtime()));
    }
    found
}
