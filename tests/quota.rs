//! What a session is held to: quota, permissions and rates. The session program by itself, with an
//! agent that the test plays, and with OpenSSH's clients.

mod ends;
mod ledger;
mod narrow_permissions;
mod permissions;
mod rates;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::raw::{Raw, logged};

/// Bytes and files.
pub type Use = (u64, u64);

/// Leases from a limit, and believes what it is told.
pub struct Agent {
    thread: JoinHandle<Use>,
    /// The session's end.
    pub socket: OwnedFd,
    /// Each time that something is given back, what is taken then.
    pub returned: Receiver<Use>,
}

struct Ledger {
    limit: Use,
    taken: Use,
    returned: Sender<Use>,
}

impl Agent {
    pub fn start(limit: Use, taken: Use) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (heard, returned) = channel();
        let thread = std::thread::spawn(move || Ledger { limit, taken, returned: heard }.serve(ours));
        Self { thread, socket: theirs.into(), returned }
    }

    /// Begins a session of SFTP that asks this agent.
    pub fn session(&self, directory: &Path, options: &[&str]) -> Raw {
        let quota = ["sftp", "--quota", "9", "--quota-backend", "ledger"];
        let mut raw = Raw::spawn(logged(&self.socket, directory, &[&quota, options].concat()));
        raw.greet();
        raw
    }

    /// What is used when every session has ended.
    pub fn end(self) -> Use {
        drop(self.socket);
        self.thread.join().unwrap()
    }
}

impl Ledger {
    fn serve(mut self, mut session: UnixStream) -> Use {
        let mut length = [0; 4];
        while session.read_exact(&mut length).is_ok() {
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            session.read_exact(&mut body).unwrap();
            let answer = self.answer(&serde_json::from_slice(&body).unwrap()).to_string();
            session.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
            session.write_all(answer.as_bytes()).unwrap();
        }
        self.taken
    }

    fn answer(&mut self, request: &Value) -> Value {
        let (limit, taken) = (self.limit, self.taken);
        let read = |value: &Value| -> Use { (value["bytes"].as_u64().unwrap(), value["files"].as_u64().unwrap()) };
        if request == "use" {
            let limits = json!({"bytes": limit.0, "files": limit.1});
            return json!({"use": {"limits": limits, "used": {"bytes": taken.0, "files": taken.1}}});
        }
        if let Some(wanted) = request.get("lease") {
            let (bytes, files) = read(wanted);
            if bytes > 0 && taken.0 + bytes > limit.0 {
                return json!({"exceeded": {"bytes": limit.0}});
            }
            if files > 0 && taken.1 + files > limit.1 {
                return json!({"exceeded": {"files": limit.1}});
            }
            self.taken = (taken.0 + bytes, taken.1 + files);
            return json!({"leased": wanted});
        }
        let (unused, freed) = (read(&request["return"]["unused"]), read(&request["return"]["freed"]));
        self.taken = (taken.0 - unused.0 - freed.0, taken.1 - unused.1 - freed.1);
        // A test need not look at it.
        let _ = self.returned.send(self.taken);
        json!("taken")
    }
}
