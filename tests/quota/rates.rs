//! How fast a transfer goes, and what is said of it meanwhile.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::raw::*;
use crate::scp::Place as ScpPlace;
use crate::session::Place;

/// 200 KB/s for ten seconds.
const RATE: &str = "200";
const BYTES: usize = 2_000_000;
const PIECE: usize = 32 * 1024;

#[track_caller]
fn takes_ten_seconds(time: Duration) {
    assert!((9.5..10.5).contains(&time.as_secs_f64()), "{time:?}");
}

fn upload(raw: &mut Raw, names: &[&str]) {
    let handles: Vec<_> = names.iter().map(|name| raw.open_file(name, 2 | 8)).collect();
    for offset in (0..BYTES).step_by(PIECE) {
        let data = vec![b'x'; PIECE.min(BYTES - offset)];
        for handle in &handles {
            assert_eq!(raw.write(handle, offset as u64, &data), OK);
        }
    }
    for handle in &handles {
        assert_eq!(raw.status(CLOSE, Body::new().text(handle)), OK);
    }
}

fn download(raw: &mut Raw, name: &str) {
    let handle = raw.open_file(name, 1);
    let mut offset = 0;
    while let Ok(data) = raw.read(&handle, offset, PIECE as u32) {
        offset += data.len() as u64;
    }
    assert_eq!((offset, raw.status(CLOSE, Body::new().text(&handle))), (BYTES as u64, OK));
}

/// All at the same time: each session, each direction and each file has the rate for itself.
#[test]
fn each_transfer_keeps_its_rate_and_one_without_a_rate_does_not_wait() {
    let place = Place::new();
    place.put("f", vec![b'f'; BYTES]);
    let scp = ScpPlace::new();
    scp.put_remote("f", vec![b'f'; BYTES]);
    fs::write(scp.local("mine"), vec![b'm'; BYTES]).unwrap();
    let timed = |act: &dyn Fn()| {
        let begun = Instant::now();
        act();
        begun.elapsed()
    };
    let paced = ["--upload-rate", RATE, "--download-rate", RATE];
    let option = format!("--upload-rate {RATE} --download-rate {RATE}");
    std::thread::scope(|scope| {
        let both = scope.spawn(|| timed(&|| upload(&mut place.session(&paced), &["one", "two"])));
        let down = scope.spawn(|| timed(&|| download(&mut place.session(&paced), "f")));
        let to = scope.spawn(|| timed(&|| assert!(scp.scp_with(&option, &["mine", "host:new"]).status.success())));
        let from = scope.spawn(|| timed(&|| assert!(scp.scp_with(&option, &["host:f", "got"]).status.success())));
        let other_way = timed(&|| download(&mut place.session(&["--upload-rate", "1"]), "f"));
        assert!(other_way < Duration::from_secs(2), "{other_way:?}");
        for thread in [both, down, to, from] {
            takes_ten_seconds(thread.join().unwrap());
        }
    });
    assert_eq!((place.read("one").len(), fs::read(scp.local("got")).unwrap().len()), (BYTES, BYTES));
}

/// The notes in what was said, and the other lines.
fn notes(said: &str) -> (Vec<Value>, Vec<&str>) {
    let (notes, lines): (Vec<_>, Vec<_>) = said.lines().partition(|line| line.starts_with('\x01'));
    (notes.iter().map(|note| serde_json::from_str(&note[1..]).unwrap()).collect(), lines)
}

#[test]
fn a_transfer_that_takes_long_is_told_of_once_a_second() {
    let place = Place::new();
    place.put("f", vec![b'f'; 300_000]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let writer = OwnedFd::from(writer);
    let arguments = ["sftp", "--log", "9", "--download-rate", "100"];
    let mut raw = Raw::spawn(logged(&writer, place.path("").as_path(), &arguments));
    drop(writer);
    raw.greet();
    let small = raw.open_file("small", 2 | 8);
    assert_eq!((raw.write(&small, 0, b"x"), raw.status(CLOSE, Body::new().text(&small))), (OK, OK));
    let handle = raw.open_file("./f", 1);
    let mut offset = 0;
    while let Ok(data) = raw.read(&handle, offset, 10_000) {
        offset += data.len() as u64;
    }
    assert_eq!(raw.status(CLOSE, Body::new().text(&handle)), OK);
    raw.ends();
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    let (notes, lines) = notes(&said);
    let [begun, going @ .., ended] = notes.as_slice() else { panic!("{said}") };
    let begun = &begun["begun"];
    assert_eq!((&begun["path"], &begun["direction"]), (&"/f".into(), &"download".into()));
    let (size, milliseconds) = (begun["size"].as_u64().unwrap(), begun["for_milliseconds"].as_u64().unwrap());
    assert!((90_000..=130_000).contains(&size) && (1000..1300).contains(&milliseconds), "{begun}");
    assert!((1..=2).contains(&going.len()), "{said}");
    for at in going {
        assert_eq!(at["at"]["id"], begun["id"]);
        assert!(at["at"]["size"].as_u64().unwrap() > size, "{at}");
    }
    assert_eq!(ended["ended"]["id"], begun["id"]);
    assert_eq!(lines.len(), 3, "{said}");
}
