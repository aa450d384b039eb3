//! What a session writes about its transfers, as lines of the log.
//!
//! The session's program writes them as the user: they are taken for text, and for notes of transfers
//! that are shown to whoever asks what is going on.

use std::io::Read;
use std::os::fd::OwnedFd;

use accountd_protocol::open_session::NOTE;
use tracing::info;

use crate::registry::Place;

/// Longer lines are cut there.
const LONGEST: usize = 4096;

/// Logs every line until the session has closed its end.
pub fn follow(records: OwnedFd, whose: (&str, u64), place: &Place) {
    let mut reader = std::fs::File::from(records);
    let (mut buffer, mut filled) = ([0u8; LONGEST], 0);
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        match reader.read(room) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
        let mut start = 0;
        while let Some(length) = buffer.get(start..filled).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
        {
            take(buffer.get(start..start + length).unwrap_or_default(), whose, place);
            start += length + 1;
        }
        if start == 0 && filled == LONGEST {
            take(&buffer, whose, place);
            start = filled;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    take(buffer.get(..filled).unwrap_or_default(), whose, place);
}

fn take(line: &[u8], (user, session): (&str, u64), place: &Place) {
    if let Some((&NOTE, note)) = line.split_first() {
        // What is no note is nothing.
        serde_json::from_slice(note).into_iter().for_each(|note| place.note(note));
    } else if !line.is_empty() {
        // Letters of every script stay as they are; what could move a terminal's cursor doesn't.
        let shown: String =
            String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        info!(user, session, "{shown}");
    }
}
