//! What a session writes about its transfers, as lines of the log.
//!
//! The session's program writes them as the user: they are taken for text, and nothing else.

use std::io::Read;
use std::os::fd::OwnedFd;

use tracing::info;

/// Longer lines are cut there.
const LONGEST: usize = 4096;

/// Logs every line until the session has closed its end.
pub fn follow(records: OwnedFd, user: &str, session: u64) {
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
            log(buffer.get(start..start + length).unwrap_or_default(), user, session);
            start += length + 1;
        }
        if start == 0 && filled == LONGEST {
            log(&buffer, user, session);
            start = filled;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    log(buffer.get(..filled).unwrap_or_default(), user, session);
}

fn log(line: &[u8], user: &str, session: u64) {
    if !line.is_empty() {
        // Letters of every script stay as they are; what could move a terminal's cursor doesn't.
        let shown: String =
            String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        info!(user, session, "{shown}");
    }
}
