//! The sessions of PAM beside the socket, so that an agent that is started again knows those that go on. The directory
//! goes with the machine (`/run`), and so do they.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use accountd_protocol::id::{AccountId, Uid};
use serde::{Deserialize, Serialize};

/// Beside the socket.
pub const FILE: &str = "pam-sessions";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub number: u64,
    pub connection: String,
    pub account: AccountId,
    pub uid: Uid,
    pub user: String,
    pub service: String,
    pub terminal: Option<String>,
    pub host: Option<String>,
    /// Milliseconds of Unix time.
    pub began: u64,
    pub pid: i32,
    /// As proc(5) has it.
    pub started: u64,
}

/// Those of before; none where there is no file, or one that is none of ours.
pub fn read(path: &Path) -> Vec<Record> {
    let Ok(text) = fs::read(path) else { return Vec::new() };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(%error, path = %path.display(), "sessions of PAM that go on are not known any more");
        Vec::new()
    })
}

/// In the place of what was there, whole or not at all. After a power cut there is nothing to be found in it.
pub fn write(path: &Path, records: &[Record]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(records)?)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            number: 7,
            connection: "ab".into(),
            account: AccountId(1),
            uid: Uid(3001),
            user: "anna".into(),
            service: "login".into(),
            terminal: Some("tty1".into()),
            host: Some("desk".into()),
            began: 1,
            pid: 2,
            started: 3,
        }
    }

    #[test]
    fn what_was_noted_is_read_again_and_what_is_no_note_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        assert!(read(&path).is_empty());
        write(&path, &[record()]).unwrap();
        assert_eq!(read(&path), [record()]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "[{\"number\": 7").unwrap();
        assert!(read(&path).is_empty());
    }

    #[test]
    fn a_session_is_shown_with_its_program_terminal_and_a_host_that_is_no_address() {
        let shown = record().shown();
        assert_eq!(shown.client_version, "PAM login tty1 from desk");
        assert!(shown.source.ip().is_loopback());
        let shown = Record { host: Some("192.0.2.7".into()), terminal: None, ..record() }.shown();
        assert_eq!((shown.client_version.as_str(), shown.source.to_string().as_str()), ("PAM login", "192.0.2.7:0"));
    }
}
