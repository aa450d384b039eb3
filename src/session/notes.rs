//! What is said of transfers that take long, while they go on.

use std::time::Instant;

use accountd_protocol::open_session::{NOTE, TransferDirection, TransferNote};

use crate::record::MAX_LINE;
use crate::transfer::{Direction, Transfer};

/// The most of a path, in characters, and in bytes of JSON: a line has room for it.
const MAX_PATH: usize = 1024;
const MAX_PATH_BYTES: usize = MAX_LINE - 256;

pub fn begun(id: u64, transfer: &Transfer, now: Instant) -> TransferNote {
    let lasted = now.duration_since(transfer.begun).as_millis();
    TransferNote::Begun {
        id,
        path: shown(&transfer.path),
        direction: match transfer.direction {
            Direction::Read => TransferDirection::Download,
            Direction::Write => TransferDirection::Upload,
        },
        size: transfer.size(),
        for_milliseconds: u64::try_from(lasted).unwrap_or(u64::MAX),
    }
}

/// With its end.
pub fn line(note: &TransferNote) -> Vec<u8> {
    let mut line = vec![NOTE];
    // Writing to a Vec does not fail; half a note is no note.
    let _ = serde_json::to_writer(&mut line, note);
    line.push(b'\n');
    line
}

/// From the root of what the session sees; a relative path begins in the home.
fn shown(path: &[u8]) -> String {
    let relative = path.strip_prefix(b"./").unwrap_or(path);
    let text = String::from_utf8_lossy(if path.starts_with(b"/") { path } else { relative }).into_owned();
    let begin = if text.starts_with('/') { "" } else { "/" };
    let mut bytes = 0;
    let fits = |letter: &char| {
        bytes += encoded_length(*letter);
        bytes <= MAX_PATH_BYTES
    };
    begin.chars().chain(text.chars()).take(MAX_PATH).take_while(fits).collect()
}

/// In JSON.
fn encoded_length(letter: char) -> usize {
    match letter {
        '"' | '\\' => 2,
        '\0'..='\x1f' => "\\u0000".len(),
        letter => letter.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Rates;

    #[test]
    fn a_path_is_shown_from_the_root() {
        for (path, meant) in [
            (&b"a/b"[..], "/a/b"),
            (b"./a", "/a"),
            (b"/home/anna/a", "/home/anna/a"),
            (b"", "/"),
            (b"a\xff\xc3\xa4", "/a\u{fffd}\u{e4}"),
        ] {
            assert_eq!(shown(path), meant);
        }
    }

    #[test]
    fn a_note_fits_in_a_line_whatever_its_path_is() {
        for path in [vec![b'\n'; 5000], vec![b'"'; 5000], vec![b'x'; 5000], "\u{1f600}".repeat(2000).into_bytes()] {
            let transfer = Transfer::new(&path, Direction::Write, Rates::default());
            let line = line(&begun(u64::MAX, &transfer, transfer.begun));
            assert!(line.len() < MAX_LINE, "{}", line.len());
            let TransferNote::Begun { path, .. } = serde_json::from_slice(&line[1..]).unwrap() else { panic!() };
            assert!(path.chars().count() <= MAX_PATH && path.len() > 500);
        }
    }
}
